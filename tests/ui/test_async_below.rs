use timeout_runtime::timeout;

#[timeout(2)]
#[tokio::test]
async fn one() {}

fn main() {}
