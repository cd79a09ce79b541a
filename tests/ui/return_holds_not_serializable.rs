use timeout_runtime::timeout;

struct Tree;

#[timeout(2)]
fn parse() -> Option<Vec<Tree>> {
    None
}

fn main() {}
