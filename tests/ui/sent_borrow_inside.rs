use timeout_runtime::timeout;

#[timeout(1, start = "pool")]
fn count(words: &[&str]) -> usize {
    words.len()
}

fn main() {}
