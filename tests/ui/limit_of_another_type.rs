use timeout_runtime::timeout;

#[timeout(limit)]
fn one(limit: String) -> u8 {
    1
}

fn main() {}
