//! What is refused is one error, at the user's code, that says what to write instead.
//!
//! The files beside the sources in `tests/ui` hold what the compiler says, word for word. Words
//! change between compilers, so they are compared under one; the macro's own tests check what it
//! says itself under all.

use std::fs;
use std::process::Command;

use crate::support::text;

const PINNED: &str = "rustc 1.95.";

#[test]
fn every_refused_form_is_one_error_in_the_users_code() {
    for entry in fs::read_dir("tests/ui").unwrap() {
        let path = entry.unwrap().path();
        if path.extension().is_some_and(|extension| extension == "stderr") {
            let said = fs::read_to_string(&path).unwrap();
            let errors = said.lines().filter(|line| line.starts_with("error")).count();
            assert_eq!(errors, 1, "{}:\n{said}", path.display());
        }
    }
    let compiler = Command::new("rustc").arg("--version").output().unwrap();
    let compiler = text(&compiler.stdout);
    if compiler.starts_with(PINNED) {
        trybuild::TestCases::new().compile_fail("tests/ui/*.rs");
    } else {
        println!("the words of {compiler} are not compared with those of {PINNED}");
    }
}
