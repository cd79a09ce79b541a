use timeout_runtime::timeout;

#[timeout(grace = 5, 2)]
fn one() -> u8 {
    1
}

fn main() {}
