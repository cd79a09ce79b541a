//! This program's executable in memory: how one process of it names a function to another.
//!
//! Two processes of one build have the same code at different addresses; how far a function is from
//! the beginning of the executable is the same in both.
//!
//! # Safety
//!
//! `dl_iterate_phdr` gives the headers of objects that stay loaded for as long as its callback runs,
//! and those of the executable for ever. A function is called at an offset only if it was sent by a
//! process of the same build, which had it from a function of that type.
#![expect(unsafe_code, reason = "see the heading")]

use std::fs;
use std::io;
use std::ops::Range;
use std::os::unix::fs::MetadataExt;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use super::cell::Published;

/// Where the executable itself is.
#[derive(Debug)]
struct Image {
    base: u64,
    segments: Vec<Range<u64>>,
}

fn image() -> &'static Image {
    static IMAGE: Published<Image> = Published::new();
    IMAGE.get_or(|| {
        let mut image = Image { base: 0, segments: Vec::new() };
        // SAFETY: the callback gets this very pointer, and stops after the first object, which is
        // the executable.
        unsafe { libc::dl_iterate_phdr(Some(note), (&raw mut image).cast()) };
        image
    })
}

extern "C" fn note(info: *mut libc::dl_phdr_info, _: usize, image: *mut libc::c_void) -> i32 {
    // SAFETY: see the heading.
    let (image, info) = unsafe { (&mut *image.cast::<Image>(), &*info) };
    // SAFETY: as above.
    let headers =
        unsafe { std::slice::from_raw_parts(info.dlpi_phdr, usize::from(info.dlpi_phnum)) };
    image.base = info.dlpi_addr;
    let loaded = headers
        .iter()
        .filter(|header| header.p_type == libc::PT_LOAD && header.p_flags & libc::PF_R != 0);
    let at = |offset: u64| image.base.wrapping_add(offset);
    image.segments =
        loaded.map(|header| at(header.p_vaddr)..at(header.p_vaddr + header.p_memsz)).collect();
    1
}

impl Image {
    fn contains(&self, address: u64) -> bool {
        self.segments.iter().any(|segment| segment.contains(&address))
    }
}

/// Whether the test harness of the standard library is in it, by a name that nobody else has.
pub(crate) fn has_harness() -> bool {
    static HAS: Published<bool> = Published::new();
    *HAS.get_or(|| {
        // Backwards, not to be found here: two parts of it may come to stand side by side.
        let name: String = "ERUTPACON_TSET_TSUR".chars().rev().collect();
        image().segments.iter().any(|segment| {
            let (start, length) =
                (segment.start as *const libc::c_void, segment.end - segment.start);
            let length = usize::try_from(length).unwrap_or_default();
            // SAFETY: the segment is mapped for reading for as long as the program runs.
            let found = unsafe { libc::memmem(start, length, name.as_ptr().cast(), name.len()) };
            !found.is_null()
        })
    })
}

/// Where this process has the executable.
pub(crate) fn base() -> u64 {
    image().base
}

/// How far from the beginning of the executable that address is; `None` if it is in another object,
/// such as a shared library.
pub(crate) fn offset_of(address: *const ()) -> Option<u64> {
    let address = address as u64;
    image().contains(address).then(|| address.wrapping_sub(image().base))
}

/// The same of a function that another process is to call.
pub(crate) fn offset_to_send(function: *const (), what: &str) -> io::Result<u64> {
    offset_of(function).ok_or_else(|| {
        io::Error::other(format!(
            "the {what} is in a shared library, which a process started afresh may not have loaded: \
             use the start method `fork` there"
        ))
    })
}

/// The function there, as it was named by a process of the same build.
///
/// # Panics
///
/// Outside of the executable.
pub(crate) fn function_at<F: Copy>(offset: u64) -> F {
    const { assert!(size_of::<F>() == size_of::<usize>()) };
    let address = image().base.wrapping_add(offset);
    assert!(image().contains(address), "no function of this program is at {offset:#x}");
    let address = usize::try_from(address).unwrap_or_default();
    // SAFETY: see the heading.
    unsafe { std::mem::transmute_copy(&address) }
}

/// Device, inode, size, and when it was last written to. Not when its names or rights last changed: it
/// may be removed or renamed while it runs.
pub(crate) type Identity = [u64; 5];

/// Which build this is: the file that was executed, wherever it is now.
pub(crate) fn identity() -> io::Result<Identity> {
    static IDENTITY: Published<Identity> = Published::new();
    if let Some(identity) = IDENTITY.get() {
        return Ok(*identity);
    }
    let file = fs::metadata("/proc/self/exe")?;
    let written = file.mtime().unsigned_abs();
    let nanos = file.mtime_nsec().unsigned_abs();
    let identity = [file.dev(), file.ino(), file.size(), written, nanos];
    Ok(*IDENTITY.get_or(|| identity))
}

/// Where the process has the executable that will look at this one's addresses.
static READER: AtomicU64 = AtomicU64::new(0);
static IS_APART: AtomicBool = AtomicBool::new(false);

/// From now on addresses are for a process that has the executable there.
pub(crate) fn write_for(base: u64) {
    image();
    READER.store(base, Ordering::Relaxed);
    IS_APART.store(true, Ordering::Release);
}

/// From now on they are for the process that this one is a copy of.
pub(crate) fn write_for_a_copy() {
    IS_APART.store(false, Ordering::Relaxed);
}

#[cfg(feature = "backtrace")]
/// An address of this process as its reader has it; `None` in another object, whose place there is
/// not known. It may be asked in a signal handler.
pub(crate) fn for_reader(address: u64) -> Option<u64> {
    if !IS_APART.load(Ordering::Acquire) {
        return Some(address);
    }
    let image = image();
    let is_known = image.contains(address);
    is_known.then(|| address.wrapping_sub(image.base).wrapping_add(READER.load(Ordering::Relaxed)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_function_is_found_by_its_offset() {
        let offset = offset_of(base as *const ()).unwrap();
        assert_eq!(function_at::<fn() -> u64>(offset)(), base());
    }

    #[test]
    fn what_is_not_in_the_executable_has_no_offset() {
        let on_the_heap = Box::new(1);
        assert_eq!(offset_of((&raw const *on_the_heap).cast()), None);
    }
}
