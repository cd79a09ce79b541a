use timeout_runtime::timeout;

#[derive(serde::Serialize, serde::Deserialize)]
struct Failure;

#[timeout(2)]
fn parse() -> Result<u8, Failure> {
    Err(Failure)
}

fn main() {}
