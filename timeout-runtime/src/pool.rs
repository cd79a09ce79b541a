//! Workers: processes of this program that are kept warm for calls with the start method `pool`.
//!
//! A call takes an idle worker, or starts one; one call at a time owns it. After the call it is idle
//! again, unless something is left that the next call would meet: after a timeout, a crash, a panic,
//! or with a thread or a process that the body left behind, it is replaced. What a body leaves in the
//! statics of its worker stays there for the bodies that come later; its current folder, its environment
//! and what it did to SIGTERM do not. Values that bodies return are dropped in the worker too.
//!
//! Workers end when they have been idle for a while, and with the caller, however that ends.
//!
//! ```
//! use timeout_runtime::{StartMethod, Timeout, pool};
//!
//! fn double(n: u64) -> u64 {
//!     2 * n
//! }
//!
//! pool::Settings::new().workers(8).idle(30).apply();
//! let timeout = Timeout::new(5).start_method(StartMethod::Pool);
//! assert_eq!(timeout.call(double, (21,))?, 42);
//! # Ok::<(), timeout_runtime::Error>(())
//! ```
//!
//! Calls with the start method `spawn` that follow one another are served by copies of one process that
//! was started afresh, a nursery; it ends when no such call has come for 5 s, or for as long as an idle
//! worker is kept if that is less, and with [`shut_down`].
//!
//! After `ProcessPool` of Python's pebble, and its `multiprocessing.Pool`.

use crate::start::nursery;
use crate::start::workers::Workers;
pub use crate::start::workers::settings::Settings;

impl Settings {
    /// From now on these are the settings of this process.
    pub fn apply(self) {
        if let Some(workers) = Workers::own() {
            workers.apply(self);
        }
        nursery::look_again();
    }
}

/// Ends the workers that are idle, and the nursery of `spawn`, and waits for that. The next call starts a
/// new one.
pub fn shut_down() {
    if let Some(workers) = Workers::own() {
        workers.end_idle();
    }
    nursery::shut_down();
}
