use timeout_runtime::timeout;

struct Tree;

#[timeout(2)]
fn parse(text: &str) -> Tree {
    let _ = text;
    Tree
}

fn main() {}
