//! Programs of every kind start afresh, and what becomes of their file meanwhile is no matter.

use std::env;
use std::fs;
use std::os::unix::fs::{PermissionsExt, chown};
use std::path::PathBuf;
use std::process::{Command, Output};

use nix::unistd::Uid;

use crate::support::{program, text};

/// A copy of the program, which is removed with what it left.
struct Copy(PathBuf);

impl Copy {
    fn new(name: &str) -> Self {
        let folder = env::temp_dir().join(format!("timeout-afresh-{}-{name}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        fs::set_permissions(&folder, fs::Permissions::from_mode(0o755)).unwrap();
        // By another process: what this one has open for writing, a child that another test forks
        // meanwhile has too, and then nobody may execute it.
        let copied = Command::new("cp").arg(program("afresh").get_program()).arg(&folder).status();
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

/// With rights that its caller does not have.
#[test]
fn a_set_uid_program_is_refused_with_the_remedy() {
    if !Uid::effective().is_root() {
        return println!("only the superuser can give a program away");
    }
    let copy = Copy::new("set-uid");
    chown(copy.path(), Some(65_534), None).unwrap();
    fs::set_permissions(copy.path(), fs::Permissions::from_mode(0o4755)).unwrap();
    let output = copy.run("stay");
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(125), "{said}");
    assert!(said.contains("spawned could not be started: ") && said.contains("set-uid"), "{said}");
    assert!(said.contains("use the start method `fork`"), "{said}");
}
