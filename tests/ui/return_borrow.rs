use timeout_runtime::timeout;

#[timeout(2)]
fn first(text: &str) -> &str {
    &text[..1]
}

fn main() {}
