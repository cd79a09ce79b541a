use timeout_runtime::timeout;

struct Failure;

#[timeout(2)]
async fn one() -> Result<u8, Failure> {
    Ok(1)
}

fn main() {}
