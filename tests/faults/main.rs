//! Whatever system call fails: every call that the runtime makes, at each of its uses, with each
//! error that it can have. The outcome is the right one or an error that fits, nothing is left
//! behind, and the next call works.
//!
//! A program of its own and not a test of libtest's, for it has one thread, as most programs have:
//! the runtime has another way for those. With `--nocapture` it prints what was done.

#[cfg(all(
    target_os = "linux",
    target_env = "gnu",
    not(target_feature = "crt-static"),
    any(target_arch = "x86_64", target_arch = "aarch64"),
    not(timeout_portable)
))]
#[path = "driver.rs"]
mod driver;

fn main() {
    #[cfg(all(
        target_os = "linux",
        target_env = "gnu",
        not(target_feature = "crt-static"),
        any(target_arch = "x86_64", target_arch = "aarch64"),
        not(timeout_portable)
    ))]
    driver::run();
}
