use timeout_runtime::timeout;

#[timeout(2, panic = true)]
fn one() -> u8 {
    1
}

fn main() {}
