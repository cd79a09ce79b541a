use timeout_runtime::timeout;

struct Job(u8);

impl Job {
    #[timeout(1, start = "pool")]
    fn run(&self) -> u8 {
        self.0
    }
}

fn main() {}
