//! Against what the caller holds.

use timeout_runtime::StartMethod;

use super::{call_number, ours};
use crate::bare;
use crate::machine::available_memory;
use crate::measure::{Contender, amount, interleave, progress};
use crate::peers::{mem_isolate, process_fun, procspawn, zygote};
use crate::report::Report;

/// In MiB.
const SIZES: [usize; 8] = [0, 64, 128, 256, 512, 1024, 2048, 4096];

pub fn run(report: &mut Report) {
    zygote::init();
    let pool = procspawn::pool(1);
    for size in SIZES.map(|size| size << 20) {
        let in_quick_run = size <= 1 << 30;
        if !amount(true, in_quick_run) {
            break;
        }
        if available_memory() < 2 * size as u64 + (1 << 30) {
            report.notes.push(format!("against memory: too little for {} MiB", size >> 20));
            break;
        }
        progress(&format!("memory: {} MiB", size >> 20));
        let held = vec![1_u8; size];
        let by = |method| move || call_number(&ours(method), 21);
        let contenders = vec![
            Contender::timed("bare fork", 1, || assert_eq!(bare::fork_number(21), 42)),
            Contender::timed("fork", 1, by(StartMethod::Fork)),
            Contender::timed("spawn", 1, by(StartMethod::Spawn)),
            Contender::timed("pool", 50, by(StartMethod::Pool)),
            Contender::timed("mem-isolate", 1, || assert_eq!(mem_isolate::number(21), 42)),
            Contender::new("process-fun", 1, || process_fun::number(21)),
            Contender::timed("procspawn", 1, || assert_eq!(procspawn::number(21), 42)),
            Contender::timed("procspawn pool", 50, || assert_eq!(pool.number(21), 42)),
            Contender::timed("zygote", 50, || assert_eq!(zygote::number(21), 42)),
        ];
        for timings in interleave(amount(21, 5), contenders) {
            #[expect(clippy::cast_precision_loss)]
            report.point("memory", size as f64, &timings);
        }
        drop(std::hint::black_box(held));
    }
}
