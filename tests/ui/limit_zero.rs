use timeout_runtime::timeout;

#[timeout(0)]
fn one() -> u8 {
    1
}

fn main() {}
