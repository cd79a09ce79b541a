use timeout_runtime::timeout;

#[timeout(2)]
fn numbers() -> impl Iterator<Item = u8> {
    0..3
}

fn main() {}
