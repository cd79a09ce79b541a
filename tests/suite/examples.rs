//! The examples do what the README says of them.

use std::time::{Duration, Instant};

#[cfg(all(target_os = "linux", target_env = "gnu", not(timeout_portable)))]
use crate::support::outside;
use crate::support::{LONG, program, text};

#[test]
fn might_get_stuck_returns_its_argument() {
    let output = program("might_get_stuck").args(["hello", "0"]).output().unwrap();
    assert_eq!(text(&output.stdout), "hello\n");
    assert_eq!(output.status.code(), Some(0));
}

#[test]
fn might_get_stuck_times_out() {
    let started = Instant::now();
    let output = program("might_get_stuck").arg("hello").output().unwrap();
    let elapsed = started.elapsed();
    let said = text(&output.stderr);
    assert!(said.starts_with("might_get_stuck timed out after 2 s (stopped by SIGTERM"), "{said}");
    assert_eq!(output.status.code(), Some(124));
    assert_eq!(text(&output.stdout), "");
    assert!(elapsed >= Duration::from_secs(2) && elapsed < LONG, "{elapsed:?}");
}

#[test]
fn might_get_stuck_says_how_it_is_used() {
    for arguments in [&[][..], &["hello", "long"], &["hello", "1", "2"]] {
        let output = program("might_get_stuck").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("usage: might_get_stuck ARG [SECONDS]"));
    }
}

#[cfg(all(target_os = "linux", not(timeout_portable)))]
#[test]
fn hang_report_shows_each_end_and_what_it_was() {
    let output = program("hang_report").output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    let reports: Vec<_> = said.split("== ").skip(1).collect();
    let expected: [&[&str]; 7] = [
        &["match_word timed out after 1 s (stopped by SIGTERM; "],
        &["look_up timed out after 1 s", "it waited for a lock that was held since the fork"],
        &["read_answer timed out after 1 s", "it waited in read on a pipe"],
        &["checksum was ended by SIGSEGV"],
        &["parse was ended by SIG"],
        &["unpack needed more memory than the 64 MiB it may take"],
        &["solve used up its CPU limit of 0.5 s"],
    ];
    assert_eq!(reports.len(), expected.len(), "{said}");
    // Nothing of what runs the bodies is in their traces, nor of how memory comes to its end.
    for stranger in ["timeout_runtime::", "rust_oom"] {
        assert!(!said.contains(stranger), "{said}");
    }
    for (report, parts) in reports.iter().zip(expected) {
        assert!(parts.iter().all(|part| report.contains(part)), "{parts:?} in {report}");
    }
}

#[test]
fn external_programs_end_with_the_call() {
    let output = program("external_programs").output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("timed out after 1 s"), "{said}");
    assert!(said.contains("none of the 4 programs runs any more"), "{said}");
}

#[test]
fn match_regex_reports_lines_that_explode_and_goes_on() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/examples/lines.txt");
    let output = program("match_regex").args([r"^(a|aa)+\1c$", file]).output().unwrap();
    let said = text(&output.stdout);
    let complaints = text(&output.stderr);
    assert_eq!(
        said.lines().collect::<Vec<_>>(),
        ["aaac", "aaaaaaaaaaaaaaaaaaaaaaaac", "aac"],
        "{complaints}"
    );
    let numbers: Vec<_> = complaints.lines().filter_map(|line| line.split(':').nth(1)).collect();
    assert_eq!(numbers, ["4", "7"], "{complaints}");
    assert!(complaints.contains("timed out after 0.5 s"), "{complaints}");
    assert_eq!(output.status.code(), Some(1));
}

#[test]
fn line_server_answers_everyone() {
    let started = Instant::now();
    let output = program("line_server").output().unwrap();
    let said = text(&output.stdout);
    let expected = [
        "good  > 27",
        "good  > ten",
        "good  > 97",
        "good  < 111 steps",
        "good  < \"ten\" is no number",
        "good  < 118 steps",
        "slow  > 2",
        "slow  < too slow, goodbye",
        "stuck > 0",
        "stuck > 6",
        "stuck < that takes too long",
        "stuck < 8 steps",
        "large > 18446744073709551615",
        "large > 7",
        "large < sorry: it grows too large",
        "large < 16 steps",
    ];
    assert_eq!(said.lines().collect::<Vec<_>>(), expected, "{}", text(&output.stderr));
    assert!(started.elapsed() >= Duration::from_secs(1) && started.elapsed() < LONG);
}

// The portable path promises less: see "Platforms" in the documentation of the crate.
#[cfg(all(target_os = "linux", target_env = "gnu", not(timeout_portable)))]
#[test]
fn soak_goes_through_every_end_and_breaks_no_law() {
    let arguments = ["--seconds", "3", "--seed", "1", "--threads", "4"];
    let output = program("soak").args(arguments).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("seed 1, 4 threads: 0 laws broken"), "{said}");
    // The first column has the names, the third the calls.
    let rows: Vec<_> =
        said.lines().skip(1).take_while(|line| !line.starts_with("median")).collect();
    assert!(rows.len() > 50, "{said}");
    for row in rows {
        let calls: String = row.chars().skip(55).take(9).collect();
        assert!(calls.trim().parse::<u64>().unwrap() > 0, "{row}");
    }
}

// As above.
#[cfg(all(target_os = "linux", target_env = "gnu", not(timeout_portable)))]
#[test]
fn soak_hangs_in_every_way_and_is_told_where() {
    let output = program("soak").args(["--hangs", "--calls", "18"]).output().unwrap();
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
    assert!(said.contains("traced: "), "{said}");
}

/// A program without debug information, in which the optimizer has made one of many functions.
#[cfg(all(target_os = "linux", target_env = "gnu", not(timeout_portable)))]
#[test]
fn an_optimized_program_is_told_where_it_hung() {
    let needs = "features = [\"pool\", \"tokio\"]\n\
                 [dependencies]\nlibc = \"*\"\nnix = { version = \">=0.31\", features = [\"time\"] }\n\
                 serde = { version = \"*\", features = [\"derive\"] }\n\
                 tokio = { version = \"*\", features = [\"net\", \"rt\", \"time\"] }\n";
    let hangs = ["--hangs", "--calls", "36"];
    let output = outside("optimized", "examples/soak/main.rs", needs, &hangs);
    let said = text(&output.stdout);
    assert_eq!(output.status.code(), Some(0), "{said}{}", text(&output.stderr));
}

#[cfg(all(target_os = "linux", target_env = "gnu"))]
#[test]
fn soak_says_how_it_is_used() {
    let wrong = [&["10"][..], &["--seconds"], &["--seed", "x"], &["--threads", "0"]];
    for arguments in wrong.into_iter().chain([&["--calls", "1", "--seconds", "1"][..]]) {
        let output = program("soak").args(arguments).output().unwrap();
        assert_eq!(output.status.code(), Some(2), "{arguments:?}");
        assert!(text(&output.stderr).contains("usage: soak "), "{arguments:?}");
        assert_eq!(text(&output.stdout), "");
    }
    let output = program("soak").arg("--help").output().unwrap();
    assert_eq!(output.status.code(), Some(0));
    assert!(text(&output.stdout).contains("--thief"));
}
