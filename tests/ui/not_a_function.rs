use timeout_runtime::timeout;

#[timeout(2)]
struct Tree;

fn main() {}
