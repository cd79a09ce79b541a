//! Other threads: whether there are any, those of the library's own, and one that takes a child
//! over.
//!
//! # Safety
//!
//! What is read is a `char` that glibc (2.32 and later) exports and keeps as long as the process.
//! The job of a new thread is on the stack of the one that hands it over, which stays there for ever.
//! What is vouched for goes to that thread alone.
#![expect(unsafe_code, reason = "see the heading")]

mod own;
#[cfg(feature = "pool")]
mod parent;

#[cfg(feature = "tokio")]
use std::convert::Infallible;
use std::os::unix::fs::MetadataExt;

pub(crate) use self::own::Own;
#[cfg(feature = "pool")]
pub(crate) use self::parent::ParentThread;
use super::cell::Published;
use crate::current;

/// By the name that the C library gives it, a number or a pointer; in a fork it is the same.
pub(crate) fn this_thread() -> u64 {
    // SAFETY: it cannot fail.
    unsafe { libc::pthread_self() as u64 }
}

/// Whether this process has surely no thread but the current one.
pub(crate) fn is_alone() -> bool {
    never_had_another() || current::child().is_some() && has_no_other()
}

/// In a child, where the flag speaks of the caller: a folder has a link from each folder in it, and
/// two more (`proc(5)`). Who has no other thread cannot get one meanwhile.
fn has_no_other() -> bool {
    std::fs::metadata("/proc/self/task").is_ok_and(|tasks| tasks.nlink() == 3)
}

/// Tells whether there are more threads than there were.
#[cfg(feature = "pool")]
#[derive(Debug)]
pub(crate) struct Census {
    tasks: std::fs::File,
    links: u64,
}

#[cfg(feature = "pool")]
impl Census {
    pub(crate) fn new() -> std::io::Result<Self> {
        let tasks = std::fs::File::open("/proc/self/task")?;
        let links = tasks.metadata()?.nlink();
        Ok(Self { tasks, links })
    }

    /// Not if it cannot be told, because the body has closed the descriptor.
    pub(crate) fn is_unchanged(&self) -> bool {
        // A thread that was joined a moment ago may still be on its way out of the kernel.
        for look in 0..MOST_LOOKS {
            match self.tasks.metadata() {
                Ok(tasks) if !tasks.is_dir() => return false,
                Ok(tasks) if tasks.nlink() == self.links => return true,
                Ok(_) if look == LOOKS && other_lasting_threads() + 3 > self.links => return false,
                Ok(_) => std::thread::sleep(std::time::Duration::from_micros(look * 10)),
                Err(_) => return false,
            }
        }
        false
    }
}

/// After so many looks, within some milliseconds, it is told from one that stays. It may have to wait
/// for a processor.
#[cfg(feature = "pool")]
const LOOKS: u64 = 20;

#[cfg(feature = "pool")]
const MOST_LOOKS: u64 = 200;

/// How many there are beside this one that are not about to end. The kernel has noted that of who is
/// joined (`PF_EXITING` among the flags in `proc_pid_stat(5)`); one that only runs, or waits for a
/// processor, may be about to: a scope waits for the last word of its threads and not for their end.
#[cfg(feature = "pool")]
fn other_lasting_threads() -> u64 {
    const EXITING: u32 = 4;
    // Third and ninth of the line.
    let may_end = |stat: String| {
        let mut fields = stat.rsplit(')').next().unwrap_or_default().split_whitespace();
        let (state, flags) = (fields.next(), fields.nth(5));
        let flags = flags.and_then(|flags| flags.parse().ok()).unwrap_or(0);
        state == Some("R") || flags & EXITING != 0
    };
    let Ok(threads) = std::fs::read_dir("/proc/self/task") else { return u64::MAX - 3 };
    let stats =
        threads.flatten().filter_map(|it| std::fs::read_to_string(it.path().join("stat")).ok());
    stats.map(|stat| u64::from(!may_end(stat))).sum()
}

#[inline]
pub(crate) fn never_had_another() -> bool {
    static FLAG: Published<usize> = Published::new();
    let address = *FLAG.get_or(|| {
        // SAFETY: the name is a C string; looking a symbol up runs no code of its object.
        let symbol = unsafe { libc::dlsym(libc::RTLD_DEFAULT, c"__libc_single_threaded".as_ptr()) };
        symbol as usize
    });
    let flag = address as *const libc::c_char;
    // SAFETY: either null or glibc's `char`, which only this thread can be changing: it is true
    // only while there is no other.
    !flag.is_null() && unsafe { flag.read_volatile() } != 0
}

/// The body of an `async fn`, all of whose arguments the attribute has asked for `Send`: it captures
/// nothing else, and of a copy that stays behind nobody makes use.
#[cfg(feature = "tokio")]
pub(crate) struct Vouched<F>(F);

// SAFETY: see above and the heading.
#[cfg(feature = "tokio")]
unsafe impl<F> Send for Vouched<F> {}

#[cfg(feature = "tokio")]
impl<F> Vouched<F> {
    pub(crate) fn new(body: F) -> Self {
        Self(body)
    }

    pub(crate) fn into_inner(self) -> F {
        self.0
    }
}

/// As much stack as a program's first thread usually has; what is not used costs nothing.
#[cfg(any(feature = "pool", feature = "tokio"))]
pub(crate) const STACK: usize = 8 << 20;

/// In a child: runs what never returns on a new thread, without the thread-locals of this one, which
/// waits for ever. Comes back only if there is no such thread.
///
/// Not by `std::thread`, whose start takes locks that a thread of the caller may have held at the
/// fork; those of the C library are made new there.
#[cfg(feature = "tokio")]
pub(crate) fn hand_over<F: FnOnce() -> Infallible + Send>(job: F) -> std::io::Error {
    let mut job = Some(job);
    // SAFETY: see the heading; zero is a room for attributes, which are made before they are used.
    let failure = unsafe {
        let mut thread = std::mem::zeroed();
        let mut attributes = std::mem::zeroed();
        libc::pthread_attr_init(&raw mut attributes);
        libc::pthread_attr_setstacksize(&raw mut attributes, STACK);
        libc::pthread_create(
            &raw mut thread,
            &raw const attributes,
            take_over::<F>,
            (&raw mut job).cast(),
        )
    };
    if failure != 0 {
        return std::io::Error::from_raw_os_error(failure);
    }
    super::signal::leave_to_the_body();
    loop {
        std::thread::park();
    }
}

#[cfg(feature = "tokio")]
extern "C" fn take_over<F: FnOnce() -> Infallible>(job: *mut libc::c_void) -> *mut libc::c_void {
    // SAFETY: see the heading.
    let job = unsafe { &mut *job.cast::<Option<F>>() }.take();
    let _never = job.map(|job| job());
    super::exit::now(101)
}
