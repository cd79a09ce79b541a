//! What is said of a run: on the terminal, and as docs/benchmarks.md.

use std::path::Path;
use std::{fmt::Write as _, fs, io};

use crate::format::{bar, bytes, quantity, seconds, throughput};
use crate::machine::Machine;
use crate::parts::Run;
use crate::plot;
use crate::report::{Point, Quantity, Series};
use crate::table::Table;

/// Where the page and its plots go.
const FOLDER: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../docs");

struct Section {
    title: &'static str,
    text: &'static str,
    table: Option<Table>,
    plot: Option<(&'static str, String)>,
}

pub fn to_text(run: &Run) -> String {
    let mut text = machine_line(&run.machine, run.quick) + "\n";
    for section in sections(run) {
        let _ = write!(text, "\n{}\n\n", section.title);
        if let Some(table) = section.table {
            text.push_str(&table.to_text());
        }
    }
    for note in notes(run) {
        let _ = write!(text, "\n{note}");
    }
    text + "\n"
}

pub fn write(run: &Run) -> io::Result<()> {
    let folder = Path::new(FOLDER);
    let mut page = format!(
        "# Benchmarks\n\n\
         What a call costs, against bare system calls and against other libraries that run a function \
         in a process or under a time limit. All of this page, its figures and its plots, is written \
         by one run of\n\n\
         ```sh\ncargo run --release -p timeout-benches -- --write{}\n```\n\n\
         Those that are compared take turns within the run (A, B, A, B, ...), after a turn that is not \
         counted, each part in a process of its own. Figures are medians; ratios tell more than times, \
         which are this machine's.\n\n{}\n",
        if run.quick { " --quick" } else { "" },
        machine_line(&run.machine, run.quick)
    );
    for section in sections(run) {
        let _ = write!(page, "\n## {}\n\n{}\n", section.title, section.text);
        if let Some(table) = section.table {
            let _ = write!(page, "\n{}", table.to_markdown());
        }
        if let Some((name, svg)) = section.plot {
            let _ = writeln!(page, "\n![{}](benchmarks-{name}.svg)", section.title);
            fs::write(folder.join(format!("benchmarks-{name}.svg")), svg)?;
        }
    }
    let notes = notes(run);
    if !notes.is_empty() {
        page.push_str("\n## Missing\n\n");
        for note in notes {
            let _ = writeln!(page, "- {note}");
        }
    }
    fs::write(folder.join("benchmarks.md"), page)
}

fn machine_line(machine: &Machine, quick: bool) -> String {
    #[expect(clippy::cast_precision_loss)]
    let memory = bytes((machine.memory >> 30 << 30) as f64);
    format!(
        "On {} processors ({}), {memory} and more of memory (huge pages: {}), Linux {}, {}, {} build; \
         load average {} at the start and {} at the end{}.",
        machine.processors,
        machine.model,
        machine.huge_pages,
        machine.kernel,
        machine.compiler,
        machine.build,
        machine.load_at_start,
        machine.load_at_end,
        if quick { "; a quick run, with few samples behind each figure" } else { "" }
    )
}

fn notes(run: &Run) -> Vec<&str> {
    run.reports.iter().flat_map(|(_, report)| &report.notes).map(String::as_str).collect()
}

fn sections(run: &Run) -> Vec<Section> {
    let all = [
        Section {
            title: "The bars",
            text: "What the design says that a call may cost, and what it costs.",
            table: verdicts(run),
            plot: None,
        },
        Section {
            title: "A call, by start method and library",
            text: "It returns a `u64`; the caller is small. \"Bare\" is what the kernel charges. What \
                   each does when the limit has come is in the table of what each can do. \
                   process-fun does not wait for the end of its child, and that is not counted.",
            table: medians(run, "call"),
            plot: plot::calls(&series(run, "call")).map(|svg| ("calls", svg)),
        },
        against(
            run,
            "memory",
            "A call, against the memory of the caller",
            "The caller holds so many bytes, each page touched.",
            bytes,
            |point| seconds(point.median),
        ),
        against(
            run,
            "throughput",
            "Results, by their length",
            "A `String` of so many bytes, its making and the whole call included.",
            bytes,
            |point| throughput(point.x / point.median),
        ),
        Section {
            title: "A `Vec<u8>` of 64 MiB",
            text: "To serde it is a sequence of numbers, and so the peers read and write it; that \
                   serde_bytes is faster a user has to know.",
            table: medians(run, "vector"),
            plot: None,
        },
        Section {
            title: "Late, after the deadline",
            text: "From the deadline to the return of a call whose body sleeps and honours SIGTERM, \
                   at a limit of 20 ms. \"Bare\" is a process that is sent SIGTERM and reaped. \
                   process-fun and procspawn send SIGKILL, and process-fun does not wait for the end. \
                   `fork` and `pool` also ask the body where it is, before SIGTERM.",
            table: overshoot(run),
            plot: plot::overshoot(&series(run, "overshoot")).map(|svg| ("overshoot", svg)),
        },
        against(
            run,
            "threads",
            "Calls a second, by threads that call at once",
            "As many threads as said, each calling in a loop.",
            |threads| format!("{threads}"),
            |point| quantity(Quantity::PerSecond(point.median)),
        ),
        Section {
            title: "The caller's memory",
            text: "What the caller needs at its peak for a `String` of 256 MiB, beyond the string \
                   itself and what it had before.",
            table: peak(run),
            plot: None,
        },
        Section {
            title: "What each can do",
            text: "Each cell is what a program did, that was run for it; the limit is 1 s. What is \
                   stuck for 6 s never returns.",
            table: cells(run, "can"),
            plot: None,
        },
        Section {
            title: "What it costs to use",
            text: "A program with one function under a limit, of each library: a clean build with all \
                   that it depends on, and what is added to the program without one.",
            table: cells(run, "use"),
            plot: None,
        },
    ];
    all.into_iter().filter(|section| section.table.is_some()).collect()
}

fn series<'a>(run: &'a Run, plot: &str) -> Vec<&'a Series> {
    let all = run.reports.iter().flat_map(|(_, report)| &report.series);
    all.filter(|series| series.plot == plot).collect()
}

fn verdicts(run: &Run) -> Option<Table> {
    let mut table = Table::new(["measure", "here", "bare", "value", "bar", "met"]);
    for verdict in run.reports.iter().flat_map(|(_, report)| &report.verdicts) {
        let dash = || "-".to_owned();
        table.row([
            verdict.measure.clone(),
            quantity(verdict.ours),
            verdict.bare.map_or_else(dash, quantity),
            quantity(verdict.value),
            verdict.bar.map_or_else(dash, bar),
            verdict.is_met().map_or_else(dash, |met| if met { "yes" } else { "NO" }.to_owned()),
        ]);
    }
    (!table.rows.is_empty()).then_some(table)
}

fn medians(run: &Run, plot: &str) -> Option<Table> {
    let mut table = Table::new(["a call", "median", "99th percentile", "samples"]);
    for series in series(run, plot) {
        for point in &series.points {
            table.row([
                series.name.clone(),
                seconds(point.median),
                seconds(point.p99),
                point.samples.to_string(),
            ]);
        }
    }
    (!table.rows.is_empty()).then_some(table)
}

/// A table with a column for each contender and a row for each `x`.
fn against(
    run: &Run,
    name: &'static str,
    title: &'static str,
    text: &'static str,
    label: fn(f64) -> String,
    cell: fn(&Point) -> String,
) -> Section {
    let series = series(run, name);
    let mut table = Table { head: vec![String::new()], rows: Vec::new() };
    table.head.extend(series.iter().map(|series| series.name.clone()));
    let longest = series.iter().max_by_key(|series| series.points.len());
    for x in longest.map_or(&[][..], |series| &series.points).iter().map(|point| point.x) {
        #[expect(clippy::float_cmp)]
        let at_x = |series: &&Series| {
            series.points.iter().find(|point| point.x == x).map_or_else(|| "-".to_owned(), cell)
        };
        let mut row = vec![label(x)];
        row.extend(series.iter().map(at_x));
        table.rows.push(row);
    }
    let plot = match name {
        "memory" => plot::memory(&series),
        "throughput" => plot::throughput(&series),
        _ => plot::threads(&series),
    };
    let table = (!table.rows.is_empty()).then_some(table);
    Section { title, text, table, plot: plot.map(|svg| (name, svg)) }
}

fn overshoot(run: &Run) -> Option<Table> {
    const QUANTILES: [usize; 4] = [10, 50, 90, 99];

    let mut table = Table::new(["", "10 %", "median", "90 %", "99 %"]);
    for series in series(run, "overshoot") {
        let at = |percent: usize| series.points.get(percent).map_or(f64::NAN, |point| point.median);
        let [low, median, high, highest] = QUANTILES.map(|percent| seconds(at(percent)));
        table.row([series.name.clone(), low, median, high, highest]);
    }
    (!table.rows.is_empty()).then_some(table)
}

fn peak(run: &Run) -> Option<Table> {
    let mut table = Table::new(["", "beyond the result"]);
    for series in series(run, "peak") {
        for point in &series.points {
            table.row([series.name.clone(), bytes(point.median)]);
        }
    }
    (!table.rows.is_empty()).then_some(table)
}

/// A row for each question, a column for each library.
fn cells(run: &Run, part: &str) -> Option<Table> {
    let cells = &run.reports.iter().find(|(name, _)| *name == part)?.1.cells;
    let mut table = Table { head: vec![String::new()], rows: Vec::new() };
    for cell in cells {
        if !table.head.contains(&cell.library) {
            table.head.push(cell.library.clone());
        }
    }
    for cell in cells {
        let place = table.head.iter().position(|library| *library == cell.library)?;
        if !table.rows.iter().any(|row| row[0] == cell.question) {
            let mut row = vec!["-".to_owned(); table.head.len()];
            row[0].clone_from(&cell.question);
            table.rows.push(row);
        }
        let row = table.rows.iter_mut().find(|row| row[0] == cell.question)?;
        row[place].clone_from(&cell.answer);
    }
    (!table.rows.is_empty()).then_some(table)
}
