use timeout_runtime::timeout;

#[timeout(2)]
async fn one() -> u8 {
    "one"
}

fn main() {}
