use timeout_runtime::timeout;

#[timeout(2, gracee = 5)]
fn one() -> u8 {
    1
}

fn main() {}
