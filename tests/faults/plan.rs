//! Which use of which call fails, and how; shared by the driver, the scenario's process and its
//! children.

use std::cell::Cell;
use std::fmt;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, AtomicPtr, AtomicU32, AtomicUsize, Ordering};

/// A call of the C library that the runtime makes, told apart by what it is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Call {
    Pipe2,
    Fork,
    Dup,
    SetFlags,
    SetPipeSize,
    Fstat,
    Open,
    Read,
    Write,
    Close,
    Dup2,
    Ppoll,
    Poll,
    Setpgid,
    Prctl,
    Mmap,
    Munmap,
    Sigaction,
    Mask,
    Setitimer,
    Nanosleep,
    Sleep,
    PidfdOpen,
    PidfdSignal,
    PidfdSignalGroup,
    Kill,
    Waitid,
    Waitpid,
    Ioctl,
    Thread,
}

pub const CALLS: usize = Call::Thread as usize + 1;

impl Call {
    pub const ALL: [Self; CALLS] = [
        Self::Pipe2,
        Self::Fork,
        Self::Dup,
        Self::SetFlags,
        Self::SetPipeSize,
        Self::Fstat,
        Self::Open,
        Self::Read,
        Self::Write,
        Self::Close,
        Self::Dup2,
        Self::Ppoll,
        Self::Poll,
        Self::Setpgid,
        Self::Prctl,
        Self::Mmap,
        Self::Munmap,
        Self::Sigaction,
        Self::Mask,
        Self::Setitimer,
        Self::Nanosleep,
        Self::Sleep,
        Self::PidfdOpen,
        Self::PidfdSignal,
        Self::PidfdSignalGroup,
        Self::Kill,
        Self::Waitid,
        Self::Waitpid,
        Self::Ioctl,
        Self::Thread,
    ];
}

/// By process: the caller's own, or any other.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    Caller,
    Child,
}

/// What a call does instead of its work.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Fault {
    Fails(i32),
    /// Reads or writes less than it could.
    Short,
}

#[derive(Clone, Copy, Debug)]
pub struct Plan {
    pub call: Call,
    pub side: Side,
    pub fault: Fault,
    /// From this use on, counted from zero, so many times in a row.
    pub nth: u32,
    pub times: u32,
}

/// A call that this system does not have, and its errno: what is done instead is tested then.
pub type Refused = (Call, i32);

pub const FOR_EVER: u32 = u32::MAX;

impl fmt::Display for Plan {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { call, side, nth, .. } = self;
        write!(f, "{call:?} of the {side:?}, use {nth}: ")?;
        match self.fault {
            Fault::Short => write!(f, "short")?,
            Fault::Fails(errno) => write!(f, "{:?}", nix::errno::Errno::from_raw(errno))?,
        }
        match self.times {
            1 => Ok(()),
            FOR_EVER => write!(f, " for ever"),
            times => write!(f, " {times} times"),
        }
    }
}

const TEXT: usize = 1 << 10;

/// The page of one scenario. All zero is a valid one.
pub struct Page {
    caller: AtomicI32,
    uses: [[AtomicU32; CALLS]; 2],
    hits: AtomicU32,
    pub body_ran: AtomicBool,
    length: AtomicUsize,
    text: [AtomicU32; TEXT],
}

/// The page of this process and its children, and what is planned for them.
static PAGE: AtomicPtr<Page> = AtomicPtr::new(ptr::null_mut());
static PLAN: AtomicPtr<Plan> = AtomicPtr::new(ptr::null_mut());
static REFUSED: AtomicPtr<Refused> = AtomicPtr::new(ptr::null_mut());

thread_local! {
    /// Only what is done by the thread under test, and by its copy in a child, counts.
    static ARMED: Cell<bool> = const { Cell::new(false) };
}

impl Page {
    /// A page that stays as long as the program, and is shared by all it forks.
    pub fn new() -> &'static Self {
        let (protection, flags) =
            (libc::PROT_READ | libc::PROT_WRITE, libc::MAP_SHARED | libc::MAP_ANONYMOUS);
        // SAFETY: a new mapping, never unmapped, whose zeros are a valid page.
        unsafe {
            let page = libc::mmap(ptr::null_mut(), size_of::<Self>(), protection, flags, -1, 0);
            assert_ne!(page, libc::MAP_FAILED);
            &*page.cast::<Self>()
        }
    }

    pub fn clear(&self) {
        self.uses.iter().flatten().chain([&self.hits]).for_each(|use_| use_.store(0, RELAXED));
        self.body_ran.store(false, RELAXED);
        self.length.store(0, RELAXED);
    }

    /// In the process of a scenario: from now on this page and plan are its own.
    pub fn adopt(&'static self, refused: Option<Refused>, plan: Option<Plan>) {
        let refused = refused.map_or(ptr::null_mut(), |refused| Box::into_raw(Box::new(refused)));
        REFUSED.store(refused, RELAXED);
        self.caller.store(std::process::id().cast_signed(), RELAXED);
        PAGE.store(ptr::from_ref(self).cast_mut(), RELAXED);
        PLAN.store(plan.map_or(ptr::null_mut(), |plan| Box::into_raw(Box::new(plan))), RELAXED);
    }

    pub fn uses(&self, side: Side, call: Call) -> u32 {
        self.uses[side as usize][call as usize].load(RELAXED)
    }

    /// How often the plan was carried out.
    pub fn hits(&self) -> u32 {
        self.hits.load(RELAXED)
    }

    pub fn say(&self, text: &str) {
        let mut length = 0;
        for (place, letter) in self.text.iter().zip(text.chars()) {
            place.store(letter.into(), RELAXED);
            length += 1;
        }
        self.length.store(length, RELAXED);
    }

    pub fn said(&self) -> String {
        let letters = self.text.iter().take(self.length.load(RELAXED));
        letters.filter_map(|letter| char::from_u32(letter.load(RELAXED))).collect()
    }
}

const RELAXED: Ordering = Ordering::Relaxed;

/// Runs `work` with the calls of this thread counted and made to fail, or not.
pub fn armed<T>(is_armed: bool, work: impl FnOnce() -> T) -> T {
    struct Restore(bool);
    impl Drop for Restore {
        fn drop(&mut self) {
            ARMED.set(self.0);
        }
    }
    let _restore = Restore(ARMED.replace(is_armed));
    work()
}

/// The page, in a process that has one.
pub fn page() -> Option<&'static Page> {
    // SAFETY: null, or a page that is never unmapped.
    unsafe { PAGE.load(RELAXED).as_ref() }
}

/// Whether this use of the call is to fail. Called by the calls themselves: it uses none.
pub fn fault(call: Call) -> Option<Fault> {
    if !ARMED.get() {
        return None;
    }
    // SAFETY: null, or a box that is never freed.
    if let Some((_, errno)) = unsafe { REFUSED.load(RELAXED).as_ref() }.filter(|it| it.0 == call) {
        return Some(Fault::Fails(*errno));
    }
    let page = page()?;
    // SAFETY: it only asks.
    let is_caller = unsafe { libc::getpid() } == page.caller.load(RELAXED);
    let side = if is_caller { Side::Caller } else { Side::Child };
    let number = page.uses[side as usize][call as usize].fetch_add(1, RELAXED);
    // SAFETY: null, or a box that is never freed.
    let plan = unsafe { PLAN.load(RELAXED).as_ref() }?;
    let is_due = plan.call == call
        && plan.side == side
        && number.checked_sub(plan.nth).is_some_and(|since| since < plan.times);
    is_due.then(|| {
        page.hits.fetch_add(1, RELAXED);
        plan.fault
    })
}
