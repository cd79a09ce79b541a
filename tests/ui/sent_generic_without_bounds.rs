use timeout_runtime::timeout;

#[timeout(1, start = "pool")]
fn count<T>(all: &[T]) -> usize {
    all.len()
}

fn main() {}
