//! Children of `spawn` that are born of a nursery: they are as those that are started.

use std::collections::BTreeSet;
use std::fs::{self, File};
use std::os::fd::AsFd;
use std::process::{self, Command, Stdio};
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};
use std::{env, thread};

use nix::sys::signal::{SigSet, Signal, kill};
use nix::unistd::{Pid, Uid, getppid, gettid};
use timeout_runtime::{ErrorKind, StartMethod, Timeout, pool, timeout};

use crate::family::Register;
use crate::support::{LONG, Traces, alone, eventually, is_running, isolated, spin, text};

fn spawn() -> Timeout {
    Timeout::new(LONG).start_method(StartMethod::Spawn)
}

/// Of a child that was started, the body has a thread of its own beside the first.
fn is_born() -> bool {
    fs::read_dir("/proc/self/task").unwrap().count() == 1
}

/// The children of this process, whichever of its threads has started them.
fn children() -> Vec<u32> {
    let tasks = fs::read_dir("/proc/self/task").unwrap().flatten();
    let lists = tasks.filter_map(|task| fs::read_to_string(task.path().join("children")).ok());
    lists
        .flat_map(|list| {
            list.split_whitespace().map(|pid| pid.parse().unwrap()).collect::<Vec<_>>()
        })
        .collect()
}

/// Calls until there is a nursery, which is then the only child.
#[track_caller]
fn nursery() -> u32 {
    for _ in 0..2 {
        spawn().call(is_born, ()).unwrap();
    }
    let children = children();
    assert_eq!(children.len(), 1, "{children:?}");
    assert!(spawn().call(is_born, ()).unwrap());
    children[0]
}

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

#[test]
fn a_program_that_calls_once_has_no_nursery() {
    isolated(|| {
        let before = Traces::now();
        assert!(!spawn().call(is_born, ()).unwrap());
        before.assert_unchanged();
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

fn counts() -> (u32, bool) {
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

/// What is inherited, as a program sees it.
fn view() -> Vec<String> {
    let status = fs::read_to_string("/proc/thread-self/status").unwrap();
    let lines = ["Umask", "Uid", "Gid", "Groups", "Cap", "NoNewPrivs", "Cpus_allowed:"];
    let mut view: Vec<_> = status
        .lines()
        .filter(|line| lines.iter().any(|name| line.starts_with(name)))
        .map(str::to_owned)
        .collect();
    let ignored = [libc::SIGHUP, libc::SIGINT, libc::SIGQUIT, libc::SIGPIPE]
        .map(|signal| crate::support::disposition(signal) == libc::SIG_IGN);
    let link = |path: &str| fs::read_link(path).ok();
    let standard = ["0", "1", "2"].map(|number| link(&format!("/proc/self/fd/{number}")));
    let flags = [0, 1, 2].map(|number| {
        // SAFETY: it asks, whether or not it is open.
        let descriptor = unsafe { std::os::fd::BorrowedFd::borrow_raw(number) };
        nix::fcntl::fcntl(descriptor, nix::fcntl::FcntlArg::F_GETFL)
    });
    let namespaces = ["net", "uts"].map(|name| link(&format!("/proc/thread-self/ns/{name}")));
    let mut variables: Vec<_> = env::vars_os().collect();
    variables.sort();
    // SAFETY: plain system calls.
    let numbers =
        unsafe { [libc::getpriority(0, 0), libc::getsid(0), libc::prctl(libc::PR_GET_TIMERSLACK)] };
    view.push(format!("{ignored:?} {numbers:?}"));
    view.push(format!("{standard:?} {flags:?}"));
    view.push(format!("{variables:?} {namespaces:?} {:?}", link("/proc/self/cwd")));
    view.push(fs::read_to_string("/proc/self/limits").unwrap());
    view.push(fs::read_to_string("/proc/self/oom_score_adj").unwrap());
    view
}

fn viewed() -> (Vec<String>, bool) {
    (view(), is_born())
}

type Change = fn();

/// Each in a process of its own, so that one does not hide the other.
const CHANGES: [(&str, Change); 16] = [
    ("nothing", || {}),
    ("umask", || {
        nix::sys::stat::umask(nix::sys::stat::Mode::from_bits_truncate(0o027));
    }),
    ("limit", || {
        let (soft, hard) =
            nix::sys::resource::getrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE).unwrap();
        nix::sys::resource::setrlimit(nix::sys::resource::Resource::RLIMIT_NOFILE, soft - 1, hard)
            .unwrap();
    }),
    ("folder", || env::set_current_dir("/").unwrap()),
    // SAFETY: nobody else looks at the environment.
    ("variable", || unsafe { env::set_var("TIMEOUT_TEST_NURSERY", "1") }),
    // SAFETY: no handler is installed.
    ("ignored", || unsafe {
        libc::signal(libc::SIGINT, libc::SIG_IGN);
    }),
    // SAFETY: no handler is installed.
    ("not ignored", || unsafe {
        libc::signal(libc::SIGPIPE, libc::SIG_DFL);
    }),
    ("stdout", || {
        let file = File::options().append(true).open("/dev/null").unwrap();
        nix::unistd::dup2_stdout(file).unwrap();
    }),
    ("no stdin", || {
        nix::unistd::close(0).unwrap();
    }),
    ("stdin that closes", close_stdin_on_exec),
    ("niceness", || {
        // SAFETY: a plain system call.
        unsafe { libc::setpriority(libc::PRIO_PROCESS, 0, 5) };
    }),
    ("slack", || {
        // SAFETY: a plain system call.
        unsafe { libc::prctl(libc::PR_SET_TIMERSLACK, 70_000) };
    }),
    ("privileges", || {
        // SAFETY: a plain system call.
        unsafe { libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) };
    }),
    ("processors", || {
        // SAFETY: zero is an empty set, which has room for the first.
        unsafe {
            let mut one: libc::cpu_set_t = std::mem::zeroed();
            libc::CPU_SET(0, &mut one);
            libc::sched_setaffinity(0, size_of_val(&one), &one);
        }
    }),
    ("the first to go", || fs::write("/proc/self/oom_score_adj", "700").unwrap()),
    ("session", || {
        // Who leads a group cannot.
        let group = nix::unistd::getpgid(Some(getppid())).unwrap();
        nix::unistd::setpgid(Pid::from_raw(0), group).unwrap();
        nix::unistd::setsid().unwrap();
    }),
];

/// What the caller's own view is, seen by a program that it starts: what closes on exec is not there.
fn expected(change: &str) -> Vec<String> {
    if change != "stdin that closes" {
        return view();
    }
    let aside = std::io::stdin().as_fd().try_clone_to_owned().unwrap();
    nix::unistd::close(0).unwrap();
    let view = view();
    nix::unistd::dup2_stdin(&aside).unwrap();
    drop(aside);
    close_stdin_on_exec();
    view
}

fn close_stdin_on_exec() {
    let flags = nix::fcntl::FcntlArg::F_SETFD(nix::fcntl::FdFlag::FD_CLOEXEC);
    nix::fcntl::fcntl(std::io::stdin(), flags).unwrap();
}

#[test]
fn what_is_inherited_is_that_of_the_call() {
    for (name, change) in CHANGES {
        isolated(|| {
            let first = nursery();
            change();
            let (seen, _) = spawn().call(viewed, ()).unwrap();
            assert_eq!(seen, expected(name), "{name}");
            // And those of the nursery that comes after the change, if one has to.
            for _ in 0..2 {
                assert_eq!(spawn().call(viewed, ()).unwrap().0, expected(name), "{name}");
            }
            let (seen, is_born) = spawn().call(viewed, ()).unwrap();
            assert_eq!(seen, expected(name), "{name}");
            assert!(is_born, "{name}");
            let stays = ["nothing", "folder", "stdout", "no stdin", "stdin that closes"];
            assert_eq!(children() == [first], stays.contains(&name), "{name}");
        });
    }
}

#[test]
fn rights_that_were_given_up_are_not_the_childs() {
    if !Uid::effective().is_root() {
        return println!("only the superuser can become another user");
    }
    isolated(|| {
        let first = nursery();
        nix::unistd::setgroups(&[]).unwrap();
        nix::unistd::setgid(nix::unistd::Gid::from_raw(65_534)).unwrap();
        nix::unistd::setuid(Uid::from_raw(65_534)).unwrap();
        for _ in 0..4 {
            assert_eq!(spawn().call(user, ()).unwrap(), 65_534);
        }
        assert!(!is_running(first));
    });
}

/// Another one, for what is started from now on.
#[test]
fn the_namespaces_are_those_of_the_call() {
    isolated(|| {
        let first = nursery();
        // SAFETY: a plain system call.
        if unsafe { libc::unshare(libc::CLONE_NEWUTS) } != 0 {
            return println!("only the superuser can have another one");
        }
        for _ in 0..4 {
            assert_eq!(spawn().call(viewed, ()).unwrap().0, view());
        }
        assert!(!is_running(first));
    });
}

fn user() -> u32 {
    Uid::effective().as_raw()
}

/// Of which no file tells.
#[test]
fn a_domain_that_the_caller_has_entered_is_the_childs() {
    isolated(|| {
        let first = nursery();
        if !forbid_all_writing() {
            return println!("without Landlock");
        }
        for _ in 0..4 {
            assert!(spawn().call(may_not_write, ()).unwrap());
        }
        assert_ne!(children(), [first]);
    });
}

fn may_not_write() -> bool {
    File::create(env::temp_dir().join("timeout-nursery-landlock")).is_err()
}

/// By `landlock(7)`. `no_new_privs` is left alone, which would be seen.
fn forbid_all_writing() -> bool {
    const CREATE: libc::c_long = 444;
    const RESTRICT: libc::c_long = 446;

    // That of making a regular file, and of writing to one.
    let handled: u64 = 1 << 8 | 1 << 1;
    // SAFETY: the attributes live through the calls.
    unsafe {
        let rules = libc::syscall(CREATE, &handled, size_of_val(&handled), 0);
        rules >= 0 && libc::syscall(RESTRICT, rules, 0) == 0
    }
}

#[test]
fn a_nursery_that_was_killed_is_replaced() {
    isolated(|| {
        for _ in 0..3 {
            let first = nursery();
            kill(Pid::from_raw(first.cast_signed()), Signal::SIGKILL).unwrap();
            assert_eq!(spawn().call(counts, ()).unwrap().0, 0);
            assert!(!is_running(first));
        }
    });
}

#[test]
fn a_nursery_that_was_stopped_delays_a_call_by_a_moment_and_no_further() {
    isolated(|| {
        let first = nursery();
        let stop = |nursery: u32| kill(Pid::from_raw(nursery.cast_signed()), Signal::SIGSTOP);
        stop(first).unwrap();
        let start = Instant::now();
        assert_eq!(spawn().call(counts, ()).unwrap().0, 0);
        assert!(start.elapsed() >= Duration::from_millis(900) && start.elapsed() < LONG / 2);
        assert!(!is_running(first));
        let second = nursery();
        stop(second).unwrap();
        let error =
            Timeout::new(0.1).start_method(StartMethod::Spawn).call(counts, ()).unwrap_err();
        assert!(error.is_timeout() && error.elapsed() < Duration::from_millis(800), "{error:?}");
        assert!(!is_running(second));
        assert_eq!(children().len(), 0);
    });
}

/// One that hears of the request when the caller has given up: nothing comes of it.
#[test]
fn what_was_born_too_late_is_ended() {
    isolated(|| {
        for _ in 0..20 {
            let first = Pid::from_raw(nursery().cast_signed());
            kill(first, Signal::SIGSTOP).unwrap();
            let goes_on = thread::spawn(move || {
                thread::sleep(Duration::from_millis(20));
                let _ = kill(first, Signal::SIGCONT);
            });
            let timeout = Timeout::new(0.0201).start_method(StartMethod::Spawn);
            match timeout.call(counts, ()) {
                Ok((count, _)) => assert_eq!(count, 0),
                Err(error) => assert!(error.is_timeout(), "{error:?}"),
            }
            goes_on.join().unwrap();
            pool::shut_down();
            assert_eq!(children().len(), 0);
        }
    });
}

#[test]
fn threads_may_call_at_once() {
    isolated(|| {
        let before = Traces::now();
        thread::scope(|scope| {
            for number in 0..16u64 {
                scope.spawn(move || {
                    for step in 0..10 {
                        assert_eq!(spawn().call(sum, (number, step)).unwrap(), number + step);
                    }
                });
            }
        });
        assert!(children().len() <= 1);
        pool::shut_down();
        before.assert_unchanged();
    });
}

fn sum(a: u64, b: u64) -> u64 {
    a + b
}

#[test]
fn shutting_down_leaves_nothing() {
    isolated(|| {
        let before = Traces::now();
        for _ in 0..3 {
            let first = nursery();
            pool::shut_down();
            assert!(!is_running(first));
            before.assert_unchanged();
        }
    });
}

#[test]
fn an_idle_one_ends() {
    isolated(|| {
        let before = Traces::now();
        let first = nursery();
        pool::Settings::new().idle(0.2).apply();
        eventually("the end of the nursery", || !is_running(first));
        eventually("the end of its keeper", || children().is_empty());
        pool::shut_down();
        before.assert_unchanged();
        // And for a program that wants none there is none.
        pool::Settings::new().idle(0).apply();
        for _ in 0..4 {
            assert!(!spawn().call(is_born, ()).unwrap());
        }
        before.assert_unchanged();
    });
}

const REGISTER: &str = "TIMEOUT_TEST_NURSERY_REGISTER";

/// The caller, in a process of its own. By itself it does nothing.
#[test]
fn a_caller_that_is_to_end() {
    let Ok(path) = env::var(REGISTER) else { return };
    let register = std::mem::ManuallyDrop::new(Register::at(path));
    let pid = thread::spawn(nursery_of_thread).join().unwrap();
    // It has a copy of all that this process holds, and outlives it.
    // SAFETY: the child sleeps, and ends.
    let bystander = unsafe { libc::fork() };
    if bystander == 0 {
        thread::sleep(LONG);
        process::exit(0);
    }
    register.write_down(bystander.unsigned_abs());
    register.write_down(pid);
    spin()
}

/// The kernel tells the nursery of the end of the thread that started it.
fn nursery_of_thread() -> u32 {
    nursery()
}

#[test]
fn it_ends_with_its_caller() {
    let register = Register::new("nursery killed");
    let mut command = Command::new(env::current_exe().unwrap());
    command.args(["--exact", "--nocapture", "methods::nursery::a_caller_that_is_to_end"]);
    command.env(REGISTER, register.path()).stdin(Stdio::null());
    let mut caller = command.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
    eventually("a nursery", || register.pids().len() == 2);
    let pids = register.pids();
    // It stays when the thread that started it has ended.
    thread::sleep(Duration::from_millis(50));
    assert!(is_running(pids[1]));
    caller.kill().unwrap();
    caller.wait().unwrap();
    eventually("its end", || !is_running(pids[1]));
    assert!(is_running(pids[0]));
    kill(Pid::from_raw(pids[0].cast_signed()), Signal::SIGKILL).unwrap();
    eventually("the end of all", || register.living().is_empty());
}

#[test]
fn a_forked_child_has_one_of_its_own() {
    isolated(|| {
        let ours = nursery();
        let theirs = Timeout::new(LONG).run(nursery).unwrap();
        assert_ne!(ours, theirs);
        assert!(!is_running(theirs));
        // SAFETY: the child makes calls, and ends.
        let child = unsafe { libc::fork() };
        if child == 0 {
            let is_own = nursery() != ours;
            pool::shut_down();
            // SAFETY: it ends the process.
            unsafe { libc::_exit(if is_own { 7 } else { 1 }) };
        }
        let child = Pid::from_raw(child);
        let status = nix::sys::wait::waitpid(child, None).unwrap();
        assert_eq!(status, nix::sys::wait::WaitStatus::Exited(child, 7));
        assert!(spawn().call(is_born, ()).unwrap());
        assert_eq!(children(), [ours]);
    });
}

/// A program that reaps whatever it can.
#[test]
fn statuses_may_be_stolen_or_ignored() {
    isolated(|| {
        nursery();
        // SAFETY: no handler is installed.
        unsafe { libc::signal(libc::SIGCHLD, libc::SIG_IGN) };
        for _ in 0..5 {
            assert_eq!(spawn().call(counts, ()).unwrap(), (0, true));
        }
        assert!(matches!(spawn().call(exits, ()).unwrap_err().kind(), ErrorKind::Exited(3)));
        pool::shut_down();
        assert_eq!(children().len(), 0);
    });
}

fn exits() -> u8 {
    process::exit(3)
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

/// What is open above the standard streams.
fn open() -> BTreeSet<String> {
    let open = fs::read_dir("/proc/self/fd").unwrap().flatten();
    let links = open.filter_map(|link| fs::read_link(link.path()).ok());
    links.map(|link| link.display().to_string()).filter(|link| !link.starts_with("/proc")).collect()
}

#[test]
fn nothing_of_the_nursery_is_in_its_children() {
    isolated(|| {
        nursery();
        let (reader, writer) = nix::unistd::pipe().unwrap();
        // Nobody waits for its end because of the nursery: it holds no stream of the caller's.
        nix::unistd::dup2_stdout(&writer).unwrap();
        drop(writer);
        let open = spawn().call(open, ()).unwrap();
        assert!(open.iter().all(|link| !link.contains("socket:")), "{open:?}");
        nix::unistd::close(1).unwrap();
        assert_eq!(nix::unistd::read(&reader, &mut [0; 8]), Ok(0));
    });
}

fn held_back() -> (bool, bool) {
    (SigSet::thread_get_mask().unwrap() == SigSet::empty(), is_born())
}

#[test]
fn no_signal_is_held_back() {
    isolated(|| {
        nursery();
        SigSet::all().thread_block().unwrap();
        assert_eq!(spawn().call(held_back, ()).unwrap(), (true, true));
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

fn calls_thrice() -> u32 {
    for _ in 0..3 {
        assert_eq!(spawn().call(sum, (1, 2)).unwrap(), 3);
    }
    process::id()
}

/// It would be a process that the body has left behind.
#[test]
fn a_worker_has_no_nursery_and_is_kept() {
    isolated(|| {
        let pool = Timeout::new(LONG).start_method(StartMethod::Pool);
        let worker = pool.call(calls_thrice, ()).unwrap();
        assert_eq!(pool.call(calls_thrice, ()).unwrap(), worker);
    });
}

/// The processes that the nursery itself takes are not what a call fails for want of.
#[test]
fn a_shortage_of_processes_is_none_while_one_can_be_started() {
    alone("methods::nursery::a_shortage_of_processes_is_none_while_one_can_be_started", || {
        isolated(|| {
            crate::support::bound_processes(3);
            for _ in 0..6 {
                assert_eq!(spawn().call(counts, ()).unwrap().0, 0);
            }
            pool::shut_down();
        });
    });
}
