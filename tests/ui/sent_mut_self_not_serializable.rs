use timeout_runtime::timeout;

struct Job(u8);

impl Job {
    #[timeout(1, start = "pool")]
    fn run(&mut self) {
        self.0 += 1;
    }
}

fn main() {}
