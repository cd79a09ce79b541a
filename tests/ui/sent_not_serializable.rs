use timeout_runtime::timeout;

struct Job(u8);

#[timeout(1, start = "spawn")]
fn run(number: u8, job: Job) -> u8 {
    job.0 + number
}

fn main() {}
