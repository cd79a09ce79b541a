use std::pin::Pin;

use timeout_runtime::timeout;

struct State;

impl State {
    #[timeout(2)]
    fn step(self: Pin<&mut Self>) {}
}

fn main() {}
