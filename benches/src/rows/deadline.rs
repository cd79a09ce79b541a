use std::time::{Duration, Instant};

use timeout_runtime::{StartMethod, Timeout};

use crate::bare;
use crate::measure::{Contender, amount, interleave};
use crate::peers::{process_fun, procspawn, work};
use crate::report::{Bar, Point, Quantity, Report, Verdict};

const LIMIT: Duration = Duration::from_millis(20);

pub fn run(report: &mut Report) {
    let by = |method| Timeout::new(LIMIT).start_method(method);
    let (fork, pool) = (by(StartMethod::Fork), by(StartMethod::Pool));
    let timings = interleave(
        amount(500, 60),
        vec![
            Contender::new("fork", 1, || late(|| fork.call(work::sleep, (60,)).is_err())),
            Contender::new("pool", 1, || late(|| pool.call(work::sleep, (60,)).is_err())),
            Contender::new("bare SIGTERM", 1, || bare::overshoot(LIMIT)),
            Contender::new("process-fun", 1, || process_fun::overshoot(LIMIT)),
            Contender::new("procspawn", 1, || late(|| procspawn::times_out(LIMIT))),
        ],
    );
    for timings in &timings {
        for percent in 0..=100 {
            let quantile = f64::from(percent) / 100.0;
            let at = timings.quantile(quantile);
            let point = Point { x: quantile, median: at, p99: at, samples: 1 };
            report.add_point("overshoot", &timings.name, point);
        }
    }
    for (method, index) in [("fork", 0), ("pool", 1)] {
        for (name, quantile, bar) in [("median", 0.5, 0.5e-3), ("99th percentile", 0.99, 3e-3)] {
            let ours = Quantity::Seconds(timings[index].quantile(quantile));
            report.verdicts.push(Verdict {
                measure: format!("from deadline to return, `{method}`, SIGTERM honoured: {name}"),
                ours,
                bare: Some(Quantity::Seconds(timings[2].quantile(quantile))),
                value: ours,
                bar: Some(Bar::AtMost(Quantity::Seconds(bar))),
            });
        }
    }
}

fn late(call: impl FnOnce() -> bool) -> Duration {
    let start = Instant::now();
    let timed_out = call();
    let elapsed = start.elapsed();
    assert!(timed_out, "the body sleeps for longer");
    elapsed.saturating_sub(LIMIT)
}
