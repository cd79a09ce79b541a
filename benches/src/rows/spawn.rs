use std::process::{Command, Stdio};

use timeout_runtime::StartMethod;

use super::{call_number, ours};
use crate::measure::{Contender, amount, interleave};
use crate::process;
use crate::report::{Report, Verdict};

pub fn run(report: &mut Report) {
    let timeout = ours(StartMethod::Spawn);
    let timings = interleave(
        amount(400, 60),
        vec![
            Contender::timed("spawn", 1, || call_number(&timeout, 21)),
            Contender::timed("Command /bin/true", 1, || finish(&mut Command::new("/bin/true"))),
            Contender::timed("Command, this program", 1, || finish(&mut process::nothing())),
        ],
    );
    let measure = "`spawn` call after another, against `Command` with `/bin/true` and a pipe";
    report.verdicts.push(Verdict::ratio(measure, &timings[0], &timings[1], Some(1.2)));
    let measure = "the same, against `Command` with this program, which returns at once";
    report.verdicts.push(Verdict::ratio(measure, &timings[0], &timings[2], None));
}

pub fn finish(command: &mut Command) {
    let child = command.stdout(Stdio::piped()).spawn().expect("it starts");
    let output = child.wait_with_output().expect("it ends");
    assert!(output.status.success(), "{output:?}");
}
