use timeout_runtime::timeout;

#[timeout(2)]
fn first<'a>(text: &'a str) -> Option<&'a str> {
    text.get(..1)
}

fn main() {}
