use std::rc::Rc;

use timeout_runtime::timeout;

struct Shared(Rc<u8>);

impl Shared {
    #[timeout(2, start = "fork")]
    async fn one(&self) -> u8 {
        *self.0
    }
}

fn main() {}
