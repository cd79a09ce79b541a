//! What is printed is printed once.

use crate::support::{program, text};

#[track_caller]
fn printed(arguments: &[&str], code: i32) -> String {
    let output = program("behave").args(arguments).output().unwrap();
    assert_eq!(output.status.code(), Some(code), "{}", text(&output.stderr));
    text(&output.stdout)
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn unflushed_output_of_both_sides_is_printed_once() {
    for arguments in [&["print"][..], &["print", "--threads"], &["print", "--c-held"]] {
        let said = printed(arguments, 0);
        for part in [
            "[caller, unflushed]",
            "[caller C, unflushed]",
            "[child, unflushed]",
            "[child C, unflushed]",
            "[caller, after]",
            "[at exit]",
        ] {
            assert_eq!(said.matches(part).count(), 1, "{part} in {said} of {arguments:?}");
        }
    }
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn with_one_thread_it_is_printed_in_order() {
    let said = printed(&["print"], 0);
    let place = |part: &str| said.find(part).unwrap();
    assert!(place("[caller, unflushed]") < place("[child, unflushed]"), "{said}");
    assert!(place("[child, unflushed]") < place("[caller, after]"), "{said}");
}

// Not promised by the portable path: see "Platforms" in the documentation of the crate.
#[cfg(not(timeout_portable))]
#[test]
fn an_exit_in_the_child_runs_no_handler_and_prints_nothing_of_the_callers() {
    for arguments in [&["exit"][..], &["exit", "--threads"]] {
        let said = printed(arguments, 7);
        for part in
            ["[at exit]", "[caller, unflushed]", "[caller C, unflushed]", "[child, unflushed]"]
        {
            assert_eq!(said.matches(part).count(), 1, "{part} in {said} of {arguments:?}");
        }
    }
}

#[test]
fn a_panic_prints_once_and_has_its_exit_code() {
    let output = program("behave").arg("panic").output().unwrap();
    assert_eq!(output.status.code(), Some(101));
    let said = text(&output.stderr);
    assert_eq!(said.matches("as told").count(), 1, "{said}");
}
