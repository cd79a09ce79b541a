//! What a child has of its caller is what one that is started would have.

use std::collections::BTreeSet;
use std::env;
use std::fs::{self, File};
use std::os::fd::AsFd;

use nix::sys::signal::SigSet;
use nix::unistd::{Pid, Uid, getppid};

use super::{children, is_born, nursery, spawn};
use crate::support::{is_running, isolated};

/// Not in all headers.
const PR_SET_MDWE: libc::c_int = 65;
const PR_GET_MDWE: libc::c_int = 66;
const PR_SET_MEMORY_MERGE: libc::c_int = 67;
const PR_GET_MEMORY_MERGE: libc::c_int = 68;

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
    let numbers = unsafe {
        [
            libc::getpriority(0, 0),
            libc::getsid(0),
            libc::prctl(libc::PR_GET_TIMERSLACK),
            libc::prctl(PR_GET_MDWE, 0, 0, 0, 0),
            libc::prctl(PR_GET_MEMORY_MERGE, 0, 0, 0, 0),
        ]
    };
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
const CHANGES: [(&str, Change); 18] = [
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
    // Where the kernel knows them.
    ("no code that was written", || {
        // SAFETY: a plain system call.
        unsafe { libc::prctl(PR_SET_MDWE, 1, 0, 0, 0) };
    }),
    ("pages that are merged", || {
        // SAFETY: a plain system call.
        unsafe { libc::prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0) };
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
