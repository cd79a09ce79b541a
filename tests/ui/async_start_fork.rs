use timeout_runtime::timeout;

#[timeout(2, start = "fork")]
async fn one() -> u8 {
    1
}

fn main() {}
