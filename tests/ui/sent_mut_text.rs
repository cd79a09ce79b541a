use timeout_runtime::timeout;

#[timeout(1, start = "spawn")]
fn shout(text: &mut str) {
    text.make_ascii_uppercase();
}

fn main() {}
