use timeout_runtime::timeout;

#[timeout(2, local(sink))]
fn save(text: &str) {
    let _ = text;
}

fn main() {}
