use timeout_runtime::timeout;

#[timeout(2, start = "fork")]
async fn first(text: &str) -> &str {
    &text[..1]
}

fn main() {}
