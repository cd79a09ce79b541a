//! A `Vec<u8>`, which to serde is a sequence of numbers.

use std::hint::black_box;

use timeout_runtime::StartMethod;

use super::ours;
use crate::bare;
use crate::measure::{Contender, amount, interleave, progress};
use crate::peers::{mem_isolate, process_fun, procspawn, work, zygote};
use crate::report::Report;

const LENGTH: usize = 64 << 20;

pub fn run(report: &mut Report) {
    zygote::init();
    let pool = procspawn::pool(1);
    progress("vector");
    let by = |method| move || ours(method).call(work::bytes, (LENGTH,)).expect("it arrives");
    let contenders = vec![
        Contender::timed("bare pipe", 1, || black_box(bare::fork_bytes(LENGTH, work::bytes))),
        Contender::timed("fork", 1, by(StartMethod::Fork)),
        Contender::timed("pool", 1, by(StartMethod::Pool)),
        Contender::timed("mem-isolate", 1, || mem_isolate::bytes(LENGTH)),
        Contender::new("process-fun", 1, || process_fun::bytes(LENGTH).0),
        Contender::timed("procspawn pool", 1, || pool.bytes(LENGTH)),
        Contender::timed("zygote", 1, || zygote::bytes(LENGTH)),
    ];
    for timings in interleave(amount(9, 3), contenders) {
        report.point("vector", 0.0, &timings);
    }
}
