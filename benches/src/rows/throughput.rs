//! Against the length of a `String` that is returned.

use std::hint::black_box;

use timeout_runtime::StartMethod;

use super::ours;
use crate::bare;
use crate::machine::available_memory;
use crate::measure::{Contender, amount, interleave, progress};
use crate::peers::{mem_isolate, process_fun, procspawn, work, zygote};
use crate::report::Report;

/// From 64 B to 256 MiB, in steps of 4.
const LENGTHS: [u32; 12] = [6, 8, 10, 12, 14, 16, 18, 20, 22, 24, 26, 28];

pub fn run(report: &mut Report) {
    zygote::init();
    let pool = procspawn::pool(1);
    for length in LENGTHS.map(|power| 1_usize << power) {
        if available_memory() < 8 * length as u64 {
            report.notes.push(format!("throughput: too little memory for {length} bytes"));
            break;
        }
        progress(&format!("throughput: {length} bytes"));
        let by = |method| move || ours(method).call(work::text, (length,)).expect("it arrives");
        let contenders = vec![
            Contender::timed("bare pipe", 1, || black_box(bare::fork_bytes(length, work::bytes))),
            Contender::timed("fork", 1, by(StartMethod::Fork)),
            Contender::timed("pool", 1, by(StartMethod::Pool)),
            Contender::timed("mem-isolate", 1, || mem_isolate::text(length)),
            Contender::new("process-fun", 1, || process_fun::text(length).0),
            Contender::timed("procspawn pool", 1, || pool.text(length)),
            Contender::timed("zygote", 1, || zygote::text(length)),
        ];
        let rounds = match length {
            0..=0xf_ffff => amount(60, 10),
            0x10_0000..=0x1ff_ffff => amount(15, 4),
            _ => amount(5, 2),
        };
        for timings in interleave(rounds, contenders) {
            #[expect(clippy::cast_precision_loss)]
            report.point("throughput", length as f64, &timings);
        }
    }
}
