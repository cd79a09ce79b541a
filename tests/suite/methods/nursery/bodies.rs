//! Whose child it is, and what a body in it may do.

use std::fs;
use std::process::{self, Command};
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::Duration;

use nix::unistd::{Uid, getppid, gettid};
use timeout_runtime::{ErrorKind, StartMethod, Timeout, timeout};

use super::{children, is_born, nursery, spawn};
use crate::support::{isolated, spin, text};

type Family = (u32, u32, u32, i32);

fn family() -> Family {
    let stat = fs::read_to_string("/proc/self/stat").unwrap();
    let parent = stat.rsplit(')').next().unwrap().split(' ').nth(2).unwrap().parse().unwrap();
    // SAFETY: a plain system call.
    let group = unsafe { libc::getpgrp() };
    (process::id(), getppid().as_raw().unsigned_abs(), parent, group)
}

#[test]
fn a_child_is_the_callers_own() {
    isolated(|| {
        let nursery = nursery();
        for _ in 0..3 {
            let (child, parent, listed, group) = spawn().call(family, ()).unwrap();
            assert_eq!((parent, listed), (process::id(), process::id()));
            assert_ne!(child, nursery);
            assert_eq!(group.unsigned_abs(), child);
            assert_eq!(children(), [nursery]);
        }
    });
}

#[timeout(60, start = "spawn")]
fn decorated() -> bool {
    is_born()
}

#[timeout(60, start = "spawn")]
async fn awaited() -> bool {
    tokio::time::sleep(Duration::from_millis(1)).await;
    is_born()
}

#[test]
fn calls_of_every_kind_are_served() {
    isolated(|| {
        nursery();
        assert!(decorated().unwrap());
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        assert!(runtime.block_on(awaited()).unwrap());
    });
}

static COUNT: AtomicU32 = AtomicU32::new(0);

pub fn counts() -> (u32, bool) {
    (COUNT.fetch_add(1, Ordering::Relaxed), is_born())
}

#[test]
fn each_body_begins_with_the_statics_of_a_program() {
    isolated(|| {
        COUNT.store(7, Ordering::Relaxed);
        nursery();
        for _ in 0..3 {
            assert_eq!(spawn().call(counts, ()).unwrap(), (0, true));
        }
    });
}

fn panics() -> u8 {
    panic!("as told")
}

fn crashes() -> u8 {
    process::abort()
}

fn overflows(depth: u64) -> u64 {
    let room = std::hint::black_box([depth; 1 << 10]);
    if depth == u64::MAX { 0 } else { overflows(depth + 1) + room[7] }
}

fn hangs() -> u8 {
    assert!(is_born());
    spin()
}

#[test]
fn every_end_is_told() {
    isolated(|| {
        nursery();
        let error = spawn().call(panics, ()).unwrap_err();
        assert!(
            matches!(error.kind(), ErrorKind::Panicked { message, .. } if message == "as told"),
            "{error:?}"
        );
        let error = spawn().call(crashes, ()).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Signaled { signal: 6, .. }), "{error:?}");
        let names = format!("{:#?}", error.trace());
        assert!(names.contains("crashes"), "{names}");
        let error = spawn().call(overflows, (1,)).unwrap_err();
        assert!(matches!(error.kind(), ErrorKind::Signaled { signal: 6, .. }), "{error:?}");
        let timeout = Timeout::new(2).grace(0.5).start_method(StartMethod::Spawn);
        let error = timeout.call(hangs, ()).unwrap_err();
        assert!(error.is_timeout(), "{error:?}");
        let trace = error.trace().unwrap();
        assert_eq!(trace.threads().len(), 1);
        assert_eq!(trace.threads()[0].name.as_deref(), Some("main"));
        assert!(trace.frames().iter().any(|frame| frame.function.ends_with("hangs")), "{trace:?}");
        assert!(spawn().call(is_born, ()).unwrap());
    });
}

static REACHED: AtomicU32 = AtomicU32::new(0);

extern "C" fn note(_: i32) {
    REACHED.store(gettid().as_raw().unsigned_abs(), Ordering::Relaxed);
}

/// What a thread's number is for: who a signal reaches, and who owns a lock.
fn numbers() -> (u32, Vec<u32>, i32) {
    // SAFETY: the handler stores to an atomic; the lock is initialized before it is used.
    unsafe {
        libc::signal(libc::SIGUSR1, note as *const () as libc::sighandler_t);
        libc::raise(libc::SIGUSR1);
        let raised = REACHED.swap(0, Ordering::Relaxed);
        libc::pthread_kill(libc::pthread_self(), libc::SIGUSR1);
        let killed = REACHED.swap(0, Ordering::Relaxed);
        let mut kind = std::mem::zeroed();
        libc::pthread_mutexattr_init(&mut kind);
        libc::pthread_mutexattr_settype(&mut kind, libc::PTHREAD_MUTEX_ERRORCHECK);
        let mut lock = std::mem::zeroed();
        libc::pthread_mutex_init(&mut lock, &kind);
        libc::pthread_mutex_lock(&mut lock);
        let owner = lock_owner(&lock);
        let again = libc::pthread_mutex_lock(&mut lock);
        (process::id(), vec![gettid().as_raw().unsigned_abs(), raised, killed, owner], again)
    }
}

/// Where glibc has it: behind the lock's word and its count.
fn lock_owner(lock: &libc::pthread_mutex_t) -> u32 {
    // SAFETY: a lock is longer than three words, and aligned as they are.
    unsafe { (&raw const *lock).cast::<u32>().add(2).read() }
}

#[test]
fn the_c_library_knows_the_bodys_thread() {
    isolated(|| {
        nursery();
        let (process, numbers, again) = spawn().call(numbers, ()).unwrap();
        assert_eq!(numbers, [process; 4]);
        assert_eq!(again, libc::EDEADLK);
    });
}

/// What else a body does to its process.
fn does_much() -> Vec<String> {
    let mut said = vec![format!("{:?}", thread::current().name())];
    let squares: u64 = thread::scope(|scope| {
        let threads: Vec<_> = (0..8u64).map(|n| scope.spawn(move || n * n)).collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    said.push(squares.to_string());
    said.push(text(&Command::new("echo").arg("-n").arg("out").output().unwrap().stdout));
    let pool = rayon::ThreadPoolBuilder::new().num_threads(2).build().unwrap();
    said.push(pool.install(|| "in a pool".to_owned()));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    said.push(runtime.block_on(async { tokio::spawn(async { "awaited" }).await.unwrap() }).into());
    // All threads of the process are told of it by the C library, one after the other.
    let beside = thread::spawn(|| thread::sleep(Duration::from_millis(10)));
    if Uid::effective().is_root() {
        nix::unistd::setuid(Uid::from_raw(65_534)).unwrap();
    }
    beside.join().unwrap();
    said
}

#[test]
fn a_body_may_do_whatever_a_program_may() {
    isolated(|| {
        nursery();
        let said = spawn().call(does_much, ()).unwrap();
        assert_eq!(said, [r#"Some("main")"#, "140", "out", "in a pool", "awaited"]);
    });
}

fn calls_deeper(depth: u32) -> u32 {
    if depth == 0 { 0 } else { 1 + spawn().call(calls_deeper, (depth - 1,)).unwrap() }
}

#[test]
fn calls_nest() {
    isolated(|| {
        let first = nursery();
        for _ in 0..3 {
            assert_eq!(spawn().call(calls_deeper, (3,)).unwrap(), 3);
        }
        assert_eq!(children(), [first]);
    });
}
