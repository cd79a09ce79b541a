//! What is refused is one error, at the user's code, that says what to write instead.
//!
//! The files beside the sources in `tests/ui` hold what the compiler says, word for word. Words
//! change between compilers, so they are compared under one; the macro's own tests check what it
//! says itself under all.

use std::fs;
use std::path::Path;
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

/// Each is the whole of what the compiler says, at the place in the line where it says so.
const WITHOUT_FEATURES: [(&str, &str, &str); 4] = [
    (
        "start = \"pool\")] fn f(text: &str, seen: &mut u8) -> usize { text.len() }",
        "\"pool\"",
        "pool",
    ),
    ("start = \"spawn\")] fn f() -> Result<(), std::io::Error> { Ok(()) }", "\"spawn\"", "pool"),
    ("start = \"pool\")] async fn f(text: String) -> usize { text.len() }", "\"pool\"", "pool"),
    ("grace = 1, start = \"fork\")] async fn f() -> u8 { 1 }", "async", "tokio"),
];

#[test]
fn a_feature_that_is_off_is_one_error_that_names_it() {
    let own = Path::new(env!("CARGO_MANIFEST_DIR"));
    let project = Path::new(env!("CARGO_TARGET_TMPDIR")).join("without-features");
    fs::create_dir_all(project.join("src/bin")).unwrap();
    let manifest = format!(
        "[package]\nname = \"without-features\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\ntimeout-runtime = {{ path = {:?}, default-features = false }}\n",
        own.join("timeout-runtime")
    );
    fs::write(project.join("Cargo.toml"), manifest).unwrap();
    fs::copy(own.join("Cargo.lock"), project.join("Cargo.lock")).unwrap();
    for (number, (code, at, feature)) in WITHOUT_FEATURES.into_iter().enumerate() {
        let code = format!("#[timeout_runtime::timeout(1, {code}\nfn main() {{}}\n");
        fs::write(project.join("src/bin/without.rs"), &code).unwrap();
        let output = Command::new(env!("CARGO"))
            .args(["check", "-q", "--offline", "--message-format=short", "--target-dir"])
            .arg(project.join("target"))
            .current_dir(&project)
            .env_remove("RUSTFLAGS")
            .output()
            .unwrap();
        let said = text(&output.stderr);
        let mut lines = said.lines().filter(|line| line.contains("error"));
        let column = code.find(at).unwrap() + 1;
        let place = format!("src/bin/without.rs:1:{column}: error: ");
        let error = lines.next().unwrap_or_default();
        assert!(error.starts_with(&place), "{number}: {place}:\n{said}");
        assert!(error.contains(&format!("enable the feature `{feature}`")), "{number}:\n{said}");
        // And that it could not be compiled.
        assert_eq!(lines.count(), 1, "{number}:\n{said}");
    }
}
