use timeout_runtime::{StartMethod, Timeout};

use super::{call_number, ours};
use crate::bare::{PingPong, pin_to_one_processor};
use crate::machine::available_memory;
use crate::measure::{Contender, Timings, amount, interleave, time};
use crate::report::{Report, Verdict};

const GIBIBYTE: usize = 1 << 30;

pub fn free(report: &mut Report) {
    against_ping_pong(report, "warm `pool` call, against a ping-pong over two pipes");
}

pub fn pinned(report: &mut Report) {
    pin_to_one_processor();
    against_ping_pong(report, "the same, all on one processor");
}

fn against_ping_pong(report: &mut Report, measure: &str) {
    let timeout = ours(StartMethod::Pool);
    let mut ping_pong = PingPong::new();
    let timings = interleave(
        amount(40, 10),
        vec![
            Contender::timed("pool", 500, || call_number(&timeout, 21)),
            Contender::timed("ping-pong", 500, || assert_eq!(ping_pong.turn(21), 42)),
        ],
    );
    report.verdicts.push(Verdict::ratio(measure, &timings[0], &timings[1], Some(2.0)));
}

/// The caller holds a gibibyte in every other round.
pub fn beside_memory(report: &mut Report) {
    if available_memory() < 3 * GIBIBYTE as u64 {
        report.notes.push("pool beside 1 GiB: too little memory".to_owned());
        return;
    }
    let timeout = ours(StartMethod::Pool);
    let (mut small, mut large) = (Vec::new(), Vec::new());
    for round in 0..amount(9, 4) {
        let without = calls(&timeout);
        let held = vec![1_u8; GIBIBYTE];
        let with = calls(&timeout);
        drop(std::hint::black_box(held));
        if round > 0 {
            small.extend(without);
            large.extend(with);
        }
    }
    let [large, small] = [Timings::new("large", large), Timings::new("small", small)];
    let measure = "`pool` call beside 1 GiB touched in the caller, against a small caller";
    report.verdicts.push(Verdict::ratio(measure, &large, &small, Some(1.1)));
}

fn calls(timeout: &Timeout) -> Vec<f64> {
    (0..200).for_each(|_| call_number(timeout, 21));
    (0..2000).map(|_| time(|| call_number(timeout, 21)).as_secs_f64()).collect()
}
