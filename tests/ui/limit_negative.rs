use timeout_runtime::timeout;

#[timeout(-0.5)]
fn one() -> u8 {
    1
}

fn main() {}
