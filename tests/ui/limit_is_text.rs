use timeout_runtime::timeout;

#[timeout("2s")]
fn one() -> u8 {
    1
}

fn main() {}
