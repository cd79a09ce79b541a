use timeout_runtime::timeout;

#[timeout(2, on_timeout = "none")]
async fn one() -> u8 {
    1
}

fn main() {}
