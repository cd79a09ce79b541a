use timeout_runtime::timeout;

struct Job(u8);

#[timeout(1, start = "pool", local(job))]
fn run(job: &mut Job) {
    job.0 += 1;
}

fn main() {}
