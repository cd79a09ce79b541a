use std::cell::Cell;

use timeout_runtime::timeout;

#[timeout(2, start = "fork")]
async fn one(count: &Cell<u8>) -> u8 {
    count.get()
}

fn main() {}
