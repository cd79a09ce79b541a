use timeout_runtime::timeout;

#[timeout(2)]
pub extern "C" fn one() -> u8 {
    1
}

fn main() {}
