use std::time::Duration;

use timeout_runtime::StartMethod;

use super::ours;
use crate::machine::own_memory;
use crate::peers::{mem_isolate, process_fun, procspawn, work, zygote};
use crate::process;
use crate::report::{Bar, Point, Quantity, Report, Verdict};

const LENGTH: usize = 256 << 20;

type Takes = fn(usize) -> String;

/// Each in a process of its own, for a process has one peak.
const TAKERS: [(&str, Takes); 6] = [
    ("fork", |length| ours(StartMethod::Fork).run(|| work::text(length)).expect("it arrives")),
    ("pool", |length| ours(StartMethod::Pool).call(work::text, (length,)).expect("it arrives")),
    ("mem-isolate", mem_isolate::text),
    ("process-fun", |length| process_fun::text(length).1),
    ("procspawn", procspawn::text),
    ("zygote", zygote::text),
];

pub fn run(report: &mut Report) {
    for (name, _) in TAKERS {
        match beyond(name) {
            Ok((peak, beyond)) => {
                if name == "fork" {
                    report.verdicts.push(Verdict {
                        measure: "peak memory of the caller for a 256 MiB `String`, beyond it and \
                                  what the caller had before"
                            .to_owned(),
                        ours: Quantity::Bytes(peak),
                        bare: None,
                        value: Quantity::Bytes(beyond),
                        bar: Some(Bar::AtMost(Quantity::Bytes(f64::from(8 << 20)))),
                    });
                }
                let point = Point { x: 0.0, median: beyond, p99: beyond, samples: 1 };
                report.add_point("peak", name, point);
            }
            Err(reason) => report.notes.push(format!("peak memory with {name}: {reason}")),
        }
    }
}

#[expect(clippy::cast_precision_loss)]
fn beyond(name: &str) -> Result<(f64, f64), String> {
    let answer = process::send(&format!("peak/{name}"), Duration::from_secs(60), true)?;
    let figures: Vec<u64> = answer.split(' ').filter_map(|word| word.parse().ok()).collect();
    let [before, peak] = figures[..] else { return Err("no figures".to_owned()) };
    Ok((peak as f64, peak as f64 - before as f64 - LENGTH as f64))
}

/// The other process: what it had before, and its peak.
pub fn answer(name: &str) -> Option<String> {
    let (_, take) = TAKERS.iter().find(|(known, _)| *known == name)?;
    if name == "zygote" {
        zygote::init();
    }
    let before = own_memory("VmRSS:");
    let text = take(LENGTH);
    assert_eq!(text.len(), LENGTH, "a whole result");
    Some(format!("{before} {}", own_memory("VmHWM:")))
}
