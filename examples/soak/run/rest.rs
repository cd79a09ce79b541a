//! The process at rest: what it holds while no call is under way and the storm is quiet.

use std::fs;

use super::descendants;
use super::tally::Tally;

pub struct Rest {
    calls: u64,
    descriptors: usize,
    threads: usize,
    children: usize,
    zombies: usize,
    descendants: usize,
    /// Bytes that the program has from the allocator,
    heap: i64,
    /// and of memory that is no file's. The pages of its own symbols come and go.
    resident: i64,
}

/// A change of memory beyond this is a broken law,
const MOST_GROWTH: i64 = 1 << 20;
/// if the process had made so many calls before.
const WARM: u64 = 2_000;

impl Rest {
    pub fn now(tally: &Tally) -> Self {
        descendants::end_escaped();
        let children = children();
        let is_zombie = |pid: &&String| descendants::state(pid).is_some_and(|state| state == 'Z');
        let (heap, resident) = memory();
        Self {
            calls: tally.calls(),
            descriptors: fs::read_dir("/proc/self/fd").map_or(0, Iterator::count),
            threads: fs::read_dir("/proc/self/task").map_or(0, Iterator::count),
            zombies: children.iter().filter(is_zombie).count(),
            children: children.len(),
            descendants: descendants::marked().len(),
            heap,
            resident,
        }
    }

    pub fn lines(&self) -> [(&'static str, String); 8] {
        let mebibytes = |bytes: i64| format!("{:.2} MiB", bytes as f64 / f64::from(1 << 20));
        [
            ("calls", self.calls.to_string()),
            ("descriptors", self.descriptors.to_string()),
            ("threads", self.threads.to_string()),
            ("children", self.children.to_string()),
            ("zombies", self.zombies.to_string()),
            ("descendants", self.descendants.to_string()),
            ("heap in use", mebibytes(self.heap)),
            ("resident, anonymous", mebibytes(self.resident)),
        ]
    }

    /// The laws that were broken since then.
    pub fn compare(&self, before: &Self) -> Vec<String> {
        let grew = |is: i64, was: i64| before.calls >= WARM && (is - was) > MOST_GROWTH;
        let laws = [
            (self.descriptors != before.descriptors, "the number of descriptors changed"),
            (self.threads != before.threads, "the number of threads changed"),
            (self.children + before.children > 0, "children were left"),
            (self.descendants + before.descendants > 0, "descendants still ran"),
            (grew(self.heap, before.heap), "the heap grew"),
            (grew(self.resident, before.resident), "the resident memory grew"),
        ];
        let broken = laws.into_iter().filter(|(is_broken, _)| *is_broken);
        broken.map(|(_, law)| format!("at rest: {law}: see the table")).collect()
    }
}

pub fn children() -> Vec<String> {
    let Ok(threads) = fs::read_dir("/proc/self/task") else { return Vec::new() };
    let lists = threads.flatten().map(|thread| fs::read_to_string(thread.path().join("children")));
    let list: String = lists.map(Result::unwrap_or_default).collect::<Vec<_>>().join(" ");
    list.split_whitespace().map(str::to_owned).collect()
}

/// Of the heap and of the whole process, in bytes, with what the allocator only keeps given back.
pub fn memory() -> (i64, i64) {
    // SAFETY: integers go in and come out.
    let heap = unsafe {
        libc::malloc_trim(0);
        let info = libc::mallinfo2();
        info.uordblks + info.hblkhd
    };
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap_or_default();
    let kibibytes = line.split_whitespace().next().and_then(|number| number.parse::<i64>().ok());
    (heap as i64, kibibytes.unwrap_or_default() << 10)
}

/// Large blocks go back to the system at once, however many there were: otherwise the allocator
/// keeps more and more of them, in each thread's arena, and a leak could not be seen.
pub fn keep_no_memory() {
    // SAFETY: integers. No thread was started yet.
    unsafe {
        libc::mallopt(libc::M_MMAP_THRESHOLD, 128 << 10);
        libc::mallopt(libc::M_TRIM_THRESHOLD, 128 << 10);
    }
}

/// The bodies crash by the thousand.
pub fn write_no_core_dumps() {
    let none = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    // SAFETY: the limit lives through the call.
    unsafe { libc::setrlimit(libc::RLIMIT_CORE, &raw const none) };
}
