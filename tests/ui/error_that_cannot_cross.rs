use timeout_runtime::timeout;

struct Failure;

impl From<timeout_runtime::Error> for Failure {
    fn from(_: timeout_runtime::Error) -> Self {
        Self
    }
}

#[timeout(2)]
fn parse() -> Result<u8, Failure> {
    Err(Failure)
}

fn main() {}
