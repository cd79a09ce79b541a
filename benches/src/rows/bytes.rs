use std::hint::black_box;

use serde::{Serialize, de::DeserializeOwned};
use timeout_runtime::StartMethod;

use super::ours;
use crate::bare;
use crate::measure::{Contender, amount, interleave, progress};
use crate::peers::work;
use crate::report::{Report, Verdict};

const LENGTH: usize = 64 << 20;

pub fn run(report: &mut Report) {
    against_pipe(report, "`String`", 1.15, work::text);
    against_pipe(report, "byte string (serde_bytes)", 1.15, work::byte_string);
    against_pipe(report, "`Vec<u8>`", 1.5, work::bytes);
    against_pipe(report, "`Vec<f64>`", 1.5, work::floats);
}

fn against_pipe<T>(report: &mut Report, kind: &str, bar: f64, make: fn(usize) -> T)
where
    T: Serialize + DeserializeOwned,
{
    progress(&format!("bytes: {kind}"));
    let timeout = ours(StartMethod::Fork);
    let timings = interleave(
        amount(25, 7),
        vec![
            Contender::timed("fork", 1, || timeout.run(|| make(LENGTH)).expect("it arrives")),
            Contender::timed("bare pipe", 1, || black_box(bare::fork_bytes(LENGTH, work::bytes))),
        ],
    );
    let measure = format!("64 MiB as {kind}, against the same bytes over a bare pipe");
    report.verdicts.push(Verdict::ratio(&measure, &timings[0], &timings[1], Some(bar)));
}
