//! Memory that is shared with a process that is started afresh: a file without a name.

use std::io;
use std::os::fd::OwnedFd;

use nix::sys::memfd::{MFdFlags, memfd_create};
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};

/// So many bytes, all zero.
///
/// It counts as a file, and who makes a longer one than it may is sent a signal that ends it
/// (`RLIMIT_FSIZE` in `getrlimit(2)`): so the limit is looked at first.
pub(crate) fn memory(size: usize) -> io::Result<OwnedFd> {
    let size = i64::try_from(size).map_err(io::Error::other)?;
    let (limit, _) = getrlimit(Resource::RLIMIT_FSIZE)?;
    if limit != RLIM_INFINITY && limit < size.unsigned_abs() {
        return Err(io::Error::new(
            io::ErrorKind::FileTooLarge,
            format!(
                "the limit on the size of files (RLIMIT_FSIZE) is {limit} bytes, and {size} are needed in \
                 a file in memory: raise it, or use the start method `fork`"
            ),
        ));
    }
    let memory = memfd_create(c"timeout-runtime", MFdFlags::MFD_CLOEXEC)?;
    nix::unistd::ftruncate(&memory, size)?;
    Ok(memory)
}
