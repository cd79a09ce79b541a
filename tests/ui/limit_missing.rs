use timeout_runtime::timeout;

#[timeout]
fn one() -> u8 {
    1
}

fn main() {}
