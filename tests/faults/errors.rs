//! The errors that each call can have, from the manual pages.

use libc::{
    EACCES, EAGAIN, EBUSY, ECHILD, EINTR, EINVAL, EIO, EMFILE, ENFILE, ENODEV, ENOENT, ENOMEM,
    ENOSYS, ENOTTY, EPERM, EPIPE, ESRCH,
};

use super::plan::{Call, FOR_EVER, Fault, Side};

/// What a call can do instead of its work, and how many times in a row; of the errors that come
/// once and are all the same to most callers, all or the first.
///
/// An interruption happens a few times; what a kernel, a sandbox or a limit refuses, it refuses for
/// ever. EPERM is what a sandbox answers for a call that has no other error here.
pub fn of(call: Call, side: Side, all: bool) -> Vec<(Fault, u32)> {
    let once: &[i32] = match call {
        Call::Pipe2 => &[EMFILE, ENFILE],
        Call::Fork => &[EAGAIN, ENOMEM, ENOSYS],
        Call::Dup => &[EMFILE],
        Call::Fstat | Call::Mmap | Call::Munmap | Call::Poll | Call::Ppoll => &[ENOMEM],
        Call::Open => &[EMFILE, ENOENT],
        Call::Read => &[EIO],
        Call::Write => &[EIO, EPIPE],
        Call::Close => &[EINTR, EIO],
        Call::Dup2 => &[EBUSY],
        Call::Setpgid => &[EACCES, EPERM, ESRCH],
        Call::Sigaction => &[EINVAL],
        // In the caller it has valid arguments, and nix does not pass on what it returns.
        Call::Mask if side == Side::Child => &[EINVAL],
        Call::PidfdOpen => &[EMFILE, ENFILE, ENODEV, ENOMEM, ENOSYS],
        Call::PidfdSignal | Call::PidfdSignalGroup | Call::Kill => &[ESRCH, EPERM],
        Call::Waitid | Call::Waitpid => &[ECHILD],
        Call::Ioctl => &[ENOTTY],
        Call::Thread => &[EAGAIN],
        _ => &[],
    };
    let for_ever: &[i32] = match call {
        Call::Pipe2 | Call::Dup | Call::Open => &[EMFILE],
        Call::Fork => &[EAGAIN],
        Call::Write => &[EPIPE],
        // More descriptors than the limit, which was lowered meanwhile.
        Call::Ppoll | Call::Poll => &[EINVAL],
        // Before Linux 6.9; a sandbox.
        Call::PidfdSignalGroup => &[EINVAL, EPERM],
        Call::PidfdSignal | Call::SetFlags | Call::SetPipeSize | Call::Prctl | Call::Setitimer => {
            &[EPERM]
        }
        _ => &[],
    };
    let interrupted = matches!(
        call,
        Call::Read
            | Call::Write
            | Call::Dup2
            | Call::Ppoll
            | Call::Poll
            | Call::Nanosleep
            | Call::Sleep
            | Call::Waitid
            | Call::Waitpid
    );
    let mut faults: Vec<(Fault, u32)> = Vec::new();
    faults.extend(interrupted.then_some((Fault::Fails(EINTR), 3)));
    let once = once.iter().take(if all { once.len() } else { 1 });
    faults.extend(once.map(|errno| (Fault::Fails(*errno), 1)));
    faults.extend(for_ever.iter().map(|errno| (Fault::Fails(*errno), FOR_EVER)));
    if matches!(call, Call::Read | Call::Write) {
        faults.extend([(Fault::Short, 1), (Fault::Short, FOR_EVER)]);
    }
    faults
}
