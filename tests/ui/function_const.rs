use timeout_runtime::timeout;

#[timeout(2)]
const fn one() -> u8 {
    1
}

fn main() {}
