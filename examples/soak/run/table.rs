//! What is said at the end.

use std::fmt::Write;
use std::time::Duration;

use super::Run;
use super::ends::ALL;
use super::rest::Rest;

pub fn render(run: &Run, before: &Rest, after: &Rest) -> String {
    let mut text = format!(
        "{:24} {:30} {:>8} {:>10} {:>10} {:>7}\n",
        "end", "expected", "calls", "median", "worst", "waited"
    );
    for (row, end) in run.tally.rows().iter().zip(ALL) {
        let _ = writeln!(
            text,
            "{:24} {:30} {:>8} {:>10} {:>10} {:>7}",
            end.name,
            end.expected,
            row.calls,
            milliseconds(row.median()),
            milliseconds(row.worst),
            if end.may_wait { row.waited.to_string() } else { "-".to_owned() },
        );
    }
    text += "median, worst: the time over limit and grace; waited: for a lock lost at the fork\n\n";
    let _ = writeln!(text, "{:24} {:>12} {:>12}", "process", "before", "after");
    for ((what, before), (_, after)) in before.lines().iter().zip(after.lines()) {
        let _ = writeln!(text, "{what:24} {before:>12} {after:>12}");
    }
    let seconds = run.started.elapsed().as_secs_f64();
    let (calls, broken) = (run.tally.calls(), run.tally.laws_broken());
    let _ = writeln!(
        text,
        "\n{calls} calls in {seconds:.0} s ({:.0}/s), seed {}, {} threads: {broken} laws broken",
        calls as f64 / seconds,
        run.arguments.seed,
        run.arguments.threads,
    );
    for law in run.tally.first_laws() {
        let _ = writeln!(text, "  {law}");
    }
    text
}

pub fn milliseconds(time: Option<Duration>) -> String {
    time.map_or("-".to_owned(), |time| format!("{:.2} ms", time.as_secs_f64() * 1e3))
}
