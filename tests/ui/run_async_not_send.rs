use std::rc::Rc;

use timeout_runtime::Timeout;

async fn one(count: Rc<u8>) -> u8 {
    Timeout::new(2).run_async(move || *count).await.unwrap_or_default()
}

fn main() {}
