//! Programs of every kind start afresh, and what becomes of their file meanwhile is no matter.

use std::env;
use std::ffi::CString;
use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use nix::unistd::Uid;

use crate::support::{program, text};

/// A copy of the program, which is removed with what it left.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        Self::of(Path::new(program("afresh").get_program()), name)
    }

    fn of(program: &Path, name: &str) -> Self {
        let folder = env::temp_dir().join(format!("timeout-afresh-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        // By another process: what this one has open for writing, a child that another test forks
        // meanwhile has too, and then nobody may execute it.
        let copied = Command::new("cp").arg(program).arg(folder.join("afresh")).status();
        assert!(copied.unwrap().success());
        Self(folder)
    }

    fn path(&self) -> PathBuf {
        self.0.join("afresh")
    }

    fn run(&self, how: &str) -> Output {
        Command::new(self.path()).arg(how).output().unwrap()
    }
}

impl Drop for Copy {
    fn drop(&mut self) {
        let _ = fs::remove_dir_all(&self.0);
    }
}

#[track_caller]
fn assert_works(output: &Output) {
    let said = text(&output.stdout);
    assert!(output.status.success(), "{said}{}", text(&output.stderr));
    // The children never came to it.
    assert_eq!(said.matches("[main]").count(), 1, "{said}");
    assert!(said.ends_with("[done]\n"), "{said}");
}

#[test]
fn a_removed_or_replaced_executable_works() {
    for how in ["stay", "remove", "replace"] {
        assert_works(&Copy::new(how).run(how));
    }
}

#[test]
fn a_stripped_executable_works() {
    let copy = Copy::new("strip");
    match Command::new("strip").arg(copy.path()).status() {
        Ok(status) => assert!(status.success()),
        Err(error) => return println!("without `strip`: {error}"),
    }
    assert_works(&copy.run("stay"));
}

/// Without shared libraries, at an address of the system's choice or at a fixed one; and with them at a
/// fixed one.
#[test]
fn an_executable_of_any_linkage_works() {
    let found = Command::new("cc").arg("-print-file-name=libc.a").output();
    let has_static = found.is_ok_and(|found| text(&found.stdout).contains('/'));
    for (name, flags) in [
        ("static-pie", &["target-feature=+crt-static"][..]),
        ("static", &["target-feature=+crt-static", "relocation-model=static"]),
        ("fixed", &["relocation-model=static"]),
    ] {
        if flags[0].contains("crt-static") && !has_static {
            println!("{name}: without a static C library");
            continue;
        }
        assert_works(&Copy::of(&linked(flags), name).run("stay"));
    }
}

/// The program alone is compiled again, which takes a second.
fn linked(flags: &[&str]) -> PathBuf {
    let own = env::current_exe().unwrap();
    let profile = own.parent().and_then(Path::parent).unwrap();
    let built = Command::new(env!("CARGO"))
        .args(["rustc", "-q", "--example", "afresh_static", "--features", "static"])
        .args((!cfg!(debug_assertions)).then_some("--release"))
        .arg("--target-dir")
        .arg(profile.parent().unwrap())
        .arg("--")
        .args(flags.iter().flat_map(|flag| ["-C", flag]))
        .status();
    assert!(built.unwrap().success());
    profile.join("examples").join("afresh_static")
}

#[test]
fn a_program_that_drops_its_rights_is_served_without_them() {
    if !Uid::effective().is_root() {
        return println!("only the superuser can become another user");
    }
    assert_works(&Copy::new("drop").run("drop"));
}

#[test]
fn a_program_with_the_rights_of_two_users_is_refused_with_the_remedy() {
    if !Uid::effective().is_root() {
        return println!("only the superuser can become another user");
    }
    let output = Copy::new("effective").run("effective");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(
        said.contains("pooled_as could not be started: ") && said.contains("real user"),
        "{said}"
    );
    assert!(said.contains("use the start method `fork`"), "{said}");
    assert_eq!(said.matches("[main]").count(), 1, "{said}");
}

/// Where the file would give the children rights that the caller has given up.
#[test]
fn a_program_whose_file_gives_rights_is_refused_with_the_remedy_when_it_has_dropped_them() {
    if !Uid::effective().is_root() {
        return println!("only the superuser can give rights to a file");
    }
    for name in ["set-uid", "capable"] {
        let copy = Copy::new(name);
        if name == "set-uid" {
            fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o4755)).unwrap();
        } else {
            give_capability(&copy.path());
        }
        let output = copy.run("dropped");
        let said = text(&output.stdout);
        assert_eq!(output.status.code(), Some(125), "{name}: {said}");
        let refusal =
            "could not be started: its program file gives what is started from it other rights";
        assert_eq!(said.matches(refusal).count(), 2, "{name}: {said}");
        assert_eq!(said.matches("use the start method `fork`").count(), 2, "{name}: {said}");
        assert_eq!(said.matches("[main]").count(), 1, "{name}: {said}");
    }
}

/// That of binding to any port, effective at once: `struct vfs_cap_data` of `linux/capability.h`.
fn give_capability(path: &Path) {
    let words: [u32; 5] = [0x0200_0001, 1 << 10, 0, 0, 0];
    let bytes: Vec<u8> = words.into_iter().flat_map(u32::to_le_bytes).collect();
    let path = CString::new(path.as_os_str().as_bytes()).unwrap();
    let name = c"security.capability".as_ptr();
    // SAFETY: the names and the value live through the call, and the length is that of the value.
    let set = unsafe { libc::setxattr(path.as_ptr(), name, bytes.as_ptr().cast(), bytes.len(), 0) };
    assert_eq!(set, 0, "{}", io::Error::last_os_error());
}

/// With rights that its caller does not have.
#[test]
fn a_set_uid_program_is_refused_with_the_remedy() {
    if !Uid::effective().is_root() {
        return println!("only the superuser can give a program away");
    }
    let copy = Copy::new("set-uid");
    chown(copy.path(), Some(65_534), None).unwrap();
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o4755)).unwrap();
    // And does nothing that its environment says.
    let mut command = Command::new(copy.path());
    let output = command.arg("stay").env("TIMEOUT_RUNTIME", "nonsense").output().unwrap();
    let said = text(&output.stdout);
    assert!(!text(&output.stderr).contains("TIMEOUT_RUNTIME"), "{}", text(&output.stderr));
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("spawned could not be started: ") && said.contains("set-uid"), "{said}");
    assert!(said.contains("use the start method `fork`"), "{said}");
}
