use timeout_runtime::timeout;

#[timeout(2)]
fn same<T>(value: T) -> T {
    value
}

fn main() {}
