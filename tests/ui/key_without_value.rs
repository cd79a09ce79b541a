use timeout_runtime::timeout;

#[timeout(2, on_timeout)]
fn one() -> u8 {
    1
}

fn main() {}
