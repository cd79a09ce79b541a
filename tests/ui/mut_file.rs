use std::fs::File;

use timeout_runtime::timeout;

#[timeout(2)]
fn save(file: &mut File) {
    let _ = file;
}

fn main() {}
