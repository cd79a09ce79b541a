use timeout_runtime::timeout;

#[timeout(2, start = "fork")]
async fn one((count, _): (impl Into<u8> + Send, u8)) -> u8 {
    count.into()
}

fn main() {}
