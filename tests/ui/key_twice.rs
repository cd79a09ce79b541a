use timeout_runtime::timeout;

#[timeout(2, grace = 5, grace = 6)]
fn one() -> u8 {
    1
}

fn main() {}
