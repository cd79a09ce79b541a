use timeout_runtime::timeout;

struct Job(u8);

#[timeout(1, start = "pool")]
fn make(number: u8) -> Job {
    Job(number)
}

fn main() {}
