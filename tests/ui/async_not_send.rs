use std::rc::Rc;

use timeout_runtime::timeout;

#[timeout(2)]
async fn one(count: Rc<u8>) -> u8 {
    std::future::ready(()).await;
    *count
}

fn main() {
    fn crosses<T: Send>(_: T) {}
    crosses(one(Rc::new(1)));
}
