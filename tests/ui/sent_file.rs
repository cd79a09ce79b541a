use timeout_runtime::timeout;

#[timeout(1, start = "pool")]
fn length(file: &std::fs::File) -> u64 {
    file.metadata().map_or(0, |file| file.len())
}

fn main() {}
