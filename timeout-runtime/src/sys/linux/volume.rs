use std::os::fd::AsFd;

use nix::fcntl::{FcntlArg, fcntl};

/// What everybody may grow a pipe to, by default (`/proc/sys/fs/pipe-max-size`).
const LARGE: i32 = 1 << 20;

/// Lets more of a large value be under way. Refused when the user's pipes hold too much already:
/// then it is slower.
pub(crate) fn grow_pipe(pipe: impl AsFd) {
    let _ = fcntl(pipe, FcntlArg::F_SETPIPE_SZ(LARGE));
}
