use timeout_runtime::StartMethod;

use super::{call_number, ours};
use crate::bare;
use crate::measure::{Contender, amount, interleave};
use crate::report::{Report, Verdict};

pub fn run(report: &mut Report) {
    let timeout = ours(StartMethod::Fork);
    let timings = interleave(
        amount(2000, 300),
        vec![
            Contender::timed("fork", 1, || call_number(&timeout, 21)),
            Contender::timed("bare fork", 1, || assert_eq!(bare::fork_number(21), 42)),
        ],
    );
    let measure =
        "`fork` call that returns a `u64`, against pipe, fork, write, `_exit`, read, wait";
    report.verdicts.push(Verdict::ratio(measure, &timings[0], &timings[1], Some(1.15)));
}
