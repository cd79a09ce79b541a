use timeout_runtime::timeout;

#[timeout(1, start = "pool")]
fn sum((one, two): (u8, u8)) -> u8 {
    one + two
}

fn main() {}
