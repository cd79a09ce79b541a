use timeout_runtime::timeout;

#[timeout(2, grace = 5)]
async fn one() -> u8 {
    1
}

fn main() {}
