use timeout_runtime::timeout;

#[timeout(1, start = "pool")]
fn show(what: &dyn std::fmt::Display) -> String {
    what.to_string()
}

fn main() {}
