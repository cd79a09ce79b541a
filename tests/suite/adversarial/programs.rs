//! Bodies that become another program.

use std::os::unix::process::CommandExt;
use std::process::Command;

use timeout_runtime::{Error, ErrorKind, Timeout, error::StoppedBy};

use super::{null, run, run_out, run_out_of_grace, traceless};
use crate::support::{LONG, pipes};

#[test]
fn a_body_that_becomes_another_program_ends_as_that_does() {
    fn become_program(program: &str, arguments: &[&str]) -> String {
        Command::new(program).args(arguments).exec().to_string()
    }
    traceless(|| {
        let error = run(|| become_program("sh", &["-c", "exit 3"]));
        assert_kind!(error, ErrorKind::Exited(3));
        let error = run(|| become_program("true", &[]));
        assert_kind!(error, ErrorKind::Exited(0));
        let error = run(|| become_program("sh", &["-c", "kill -SEGV $$"]));
        assert_kind!(error, ErrorKind::Signaled { signal: libc::SIGSEGV, .. });
        let error = run_out(|| become_program("sleep", &["600"]));
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigterm });
        assert!(error.trace().is_none());
        let error = run_out_of_grace(|| become_program("sh", &["-c", "trap '' TERM; sleep 600"]));
        assert_kind!(error, ErrorKind::TimedOut { stopped_by: StoppedBy::Sigkill });
        // What could not be started is for the body to say.
        let said = Timeout::new(LONG).run(|| become_program("/nonexistent", &[]));
        assert!(said.unwrap().contains("No such file"));
    });
}

#[test]
fn a_program_that_writes_to_an_inherited_result_pipe_gives_no_value() {
    traceless(|| {
        let before = pipes();
        let error = run(|| {
            let mut program = Command::new("bash");
            let script =
                "for number; do echo 'garbage out of a program' >&$number; done; sleep 600";
            program.args(["-c", script, "bash"]);
            for descriptor in pipes().into_iter().filter(|pipe| !before.contains(pipe)) {
                // SAFETY: numbers. From now on it stays open in other programs.
                unsafe { libc::fcntl(descriptor, libc::F_SETFD, 0) };
                program.arg(descriptor.to_string());
            }
            program.stderr(null()).exec().to_string()
        });
        assert_kind!(error, ErrorKind::Decode(_));
    });
}
