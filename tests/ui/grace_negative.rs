use timeout_runtime::timeout;

#[timeout(2, grace = -1)]
fn one() -> u8 {
    1
}

fn main() {}
