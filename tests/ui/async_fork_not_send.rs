use std::rc::Rc;

use timeout_runtime::timeout;

#[timeout(2, start = "fork")]
async fn one(count: Rc<u8>) -> u8 {
    *count
}

fn main() {}
