use timeout_runtime::timeout;

#[timeout(2)]
fn length(text: &str) -> usize {
    text.to_owned()
}

fn main() {}
