use timeout_runtime::timeout;

#[timeout(2, wrap, panic)]
fn one() -> u8 {
    1
}

fn main() {}
