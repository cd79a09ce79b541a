use timeout_runtime::timeout;

struct State;

impl State {
    #[timeout(2)]
    fn step(&mut self) {}
}

fn main() {}
