use timeout_runtime::StartMethod;

use super::spawn::finish;
use super::{call_number, ours};
use crate::bare::{self, PingPong};
use crate::measure::{Contender, amount, interleave};
use crate::peers::python::{self, Python};
use crate::peers::{mem_isolate, process_fun, procspawn, zygote};
use crate::report::Report;

pub fn run(report: &mut Report) {
    zygote::init();
    let by = |method| move || call_number(&ours(method), 21);
    let mut ping_pong = PingPong::new();
    let pool = procspawn::pool(1);
    let mut contenders = vec![
        Contender::timed("bare fork", 5, || assert_eq!(bare::fork_number(21), 42)),
        Contender::timed("fork", 5, by(StartMethod::Fork)),
        Contender::timed("mem-isolate", 5, || assert_eq!(mem_isolate::number(21), 42)),
        Contender::new("process-fun", 5, || process_fun::number(21)),
        Contender::timed("Command /bin/true", 5, || {
            finish(&mut std::process::Command::new("/bin/true"));
        }),
        Contender::timed("spawn", 5, by(StartMethod::Spawn)),
        Contender::timed("procspawn", 5, || assert_eq!(procspawn::number(21), 42)),
        Contender::timed("ping-pong", 200, || assert_eq!(ping_pong.turn(21), 42)),
        Contender::timed("pool", 200, by(StartMethod::Pool)),
        Contender::timed("procspawn pool", 200, || assert_eq!(pool.number(21), 42)),
        Contender::timed("zygote", 200, || assert_eq!(zygote::number(21), 42)),
    ];
    for (name, turn) in python::CALLS {
        match Python::start(name) {
            Ok(mut python) => contenders.push(Contender::new(name, turn, move || python.call())),
            Err(reason) => report.notes.push(format!("{name}: {reason}")),
        }
    }
    for timings in interleave(amount(60, 10), contenders) {
        report.point("call", 0.0, &timings);
    }
}
