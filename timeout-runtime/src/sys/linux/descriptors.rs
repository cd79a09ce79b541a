//! The table of descriptors, which grows ahead of its use: in a process of several threads the kernel
//! waits, while it grows, for all processors to have passed through it (`synchronize_rcu`), and whoever
//! then opened something waits with it, 5 to 30 ms.

use std::fs::File;
use std::os::fd::{AsFd, AsRawFd};
use std::sync::atomic::{AtomicI32, Ordering};

use nix::fcntl::{FcntlArg, fcntl};
use nix::sys::resource::{Resource, getrlimit};

/// How many there is room for, as far as is known.
static ROOM: AtomicI32 = AtomicI32::new(0);

/// How many more than there are.
const AHEAD: i32 = 4;

/// No less.
const LEAST: i32 = 1 << 10;

/// For how many there should be room, seen by a new one: once for each answer.
pub(crate) fn wanted(newest: impl AsFd) -> Option<i32> {
    let (number, room) = (newest.as_fd().as_raw_fd(), ROOM.load(Ordering::Relaxed));
    if number < room / 2 {
        return None;
    }
    let wanted = number.saturating_mul(AHEAD).max(LEAST);
    let is_first =
        ROOM.compare_exchange(room, wanted, Ordering::Relaxed, Ordering::Relaxed).is_ok();
    is_first.then_some(wanted)
}

/// Makes that room, or as much as the limit allows.
pub(crate) fn make_room(wanted: i32) {
    let Ok((limit, _)) = getrlimit(Resource::RLIMIT_NOFILE) else { return };
    let Ok(file) = File::open("/dev/null") else { return };
    let last = wanted.min(limit.try_into().unwrap_or(i32::MAX)).saturating_sub(1);
    if let Ok(highest) = fcntl(&file, FcntlArg::F_DUPFD_CLOEXEC(last)) {
        let _ = nix::unistd::close(highest);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_is_room_before_it_is_needed() {
        let room = || {
            let status = std::fs::read_to_string("/proc/self/status").unwrap();
            let size = status.lines().find_map(|line| line.strip_prefix("FDSize:")).unwrap();
            size.trim().parse::<i32>().unwrap()
        };
        let wanted = wanted(std::io::stdin()).unwrap_or(LEAST);
        make_room(wanted);
        assert!(room() >= LEAST, "{}", room());
        assert_eq!(super::wanted(std::io::stdin()), None);
    }
}
