//! What is measured: the rows of the design's section 6, and the lines of the plots.

pub mod bytes;
pub mod calls;
pub mod deadline;
pub mod fork;
pub mod held;
pub mod peak;
pub mod pool;
pub mod spawn;
pub mod threads;
pub mod throughput;
pub mod vector;

use timeout_runtime::{StartMethod, Timeout};

use crate::peers::work;

/// Under a limit that no call here comes near.
pub fn ours(method: StartMethod) -> Timeout {
    Timeout::new(60).start_method(method)
}

pub fn call_number(timeout: &Timeout, number: u64) {
    let doubled = timeout.call(work::number, (number,)).expect("it only doubles");
    assert_eq!(doubled, 2 * number);
}
