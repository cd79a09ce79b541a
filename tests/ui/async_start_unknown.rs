use timeout_runtime::timeout;

#[timeout(2, start = "thread")]
async fn one() -> u8 {
    1
}

fn main() {}
