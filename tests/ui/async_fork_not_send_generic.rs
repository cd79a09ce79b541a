use timeout_runtime::timeout;

#[timeout(2, start = "fork")]
async fn one<T: Into<u8>>(value: T) -> u8 {
    value.into()
}

fn main() {}
