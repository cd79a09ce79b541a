use timeout_runtime::timeout;

#[timeout(1, start = "pool")]
fn count(all: impl Iterator<Item = u8>) -> usize {
    all.count()
}

fn main() {}
