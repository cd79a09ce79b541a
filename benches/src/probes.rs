//! What each library can do: each cell of the table is what a program did that was started for it.

mod bodies;
mod libraries;

use std::path::Path;
use std::time::{Duration, Instant};
use std::{fs, thread};

use crate::machine::own_memory;
use crate::measure::progress;
use crate::process::{self, Folder};
use crate::report::{Cell, Report};
use libraries::{LIBRARIES, Library};

/// Of the calls that are meant to run out of it.
const LIMIT: Duration = Duration::from_secs(1);

struct Question {
    name: &'static str,
    text: &'static str,
    ask: fn(Library, &Path) -> String,
}

static QUESTIONS: [Question; 9] = [
    Question { name: "value", text: "gives the value", ask: value },
    Question { name: "returns", text: "returns at the limit", ask: returns },
    Question { name: "ends", text: "the body ends at the limit", ask: body_ends },
    Question { name: "descendants", text: "programs it started end too", ask: descendants_end },
    Question { name: "reaped", text: "leaves no zombie", ask: leaves_no_zombie },
    Question { name: "where", text: "tells where it hung", ask: tells_where },
    Question { name: "panic", text: "survives a panic, and tells its message", ask: panics },
    Question { name: "abort", text: "survives an abort, and tells the signal", ask: aborts },
    Question { name: "memory", text: "what the body leaks is not the caller's", ask: leaks },
];

/// The libraries at once, for most of it is waiting.
pub fn run(report: &mut Report) {
    progress("can: the probes");
    thread::scope(|scope| {
        let asked: Vec<_> =
            LIBRARIES.iter().map(|(library, _)| scope.spawn(|| ask_all(library))).collect();
        for cells in asked {
            report.cells.extend(cells.join().unwrap_or_default());
        }
    });
}

fn ask_all(library: &str) -> Vec<Cell> {
    let ask = |question: &Question| {
        let errand = format!("probe/{library}/{}", question.name);
        let answer = process::send(&errand, Duration::from_secs(6), true);
        Cell {
            library: library.to_owned(),
            question: question.text.to_owned(),
            answer: answer.unwrap_or_else(|reason| format!("no: {reason}")),
        }
    };
    QUESTIONS.iter().map(ask).collect()
}

/// The other process.
pub fn answer(probe: &str) -> Option<String> {
    let (library, question) = probe.split_once('/')?;
    let (_, library) = LIBRARIES.iter().find(|(name, _)| *name == library)?;
    let question = QUESTIONS.iter().find(|known| known.name == question)?;
    let folder = Folder::new().ok()?;
    Some((question.ask)(*library, &folder.0))
}

fn value(library: Library, folder: &Path) -> String {
    yes_if(library("value", folder) == Ok(42))
}

fn returns(library: Library, folder: &Path) -> String {
    let start = Instant::now();
    match library("hang", folder) {
        Err(_) if start.elapsed() >= LIMIT / 2 => "yes".to_owned(),
        other => format!("no: {other:?}"),
    }
}

/// The body writes on and on.
fn body_ends(library: Library, folder: &Path) -> String {
    let _ = library("write", folder);
    let length = || fs::metadata(folder.join("written")).map_or(0, |file| file.len());
    // One that was sent a signal may need a moment.
    thread::sleep(Duration::from_millis(200));
    let before = length();
    thread::sleep(Duration::from_millis(500));
    match (before, length()) {
        (0, _) => "no: it never began".to_owned(),
        (before, after) if after > before => "no: it goes on".to_owned(),
        _ => "yes".to_owned(),
    }
}

fn descendants_end(library: Library, folder: &Path) -> String {
    let _ = library("start", folder);
    thread::sleep(Duration::from_millis(200));
    let Ok(child) = fs::read_to_string(folder.join("child")) else {
        return "no: it never began".to_owned();
    };
    match state(&child) {
        Some(state) if state != 'Z' => "no: they go on".to_owned(),
        _ => "yes".to_owned(),
    }
}

fn leaves_no_zombie(library: Library, folder: &Path) -> String {
    let _ = library("value", folder);
    let _ = library("hang", folder);
    thread::sleep(Duration::from_millis(200));
    let path = format!("/proc/self/task/{}/children", std::process::id());
    let children = fs::read_to_string(path).unwrap_or_default();
    let zombies = children.split_whitespace().filter(|child| state(child) == Some('Z')).count();
    if zombies == 0 { "yes".to_owned() } else { format!("no: {zombies} of 2 calls") }
}

fn tells_where(library: Library, folder: &Path) -> String {
    yes_if(library("hang", folder).is_err_and(|text| text.contains("the_innermost_loop")))
}

fn panics(library: Library, folder: &Path) -> String {
    told(library("panic", folder), "the cat is on the keyboard")
}

fn aborts(library: Library, folder: &Path) -> String {
    told(library("abort", folder), "SIGABRT")
}

fn told(result: Result<u64, String>, what: &str) -> String {
    match result {
        Ok(_) => "no: gives a value".to_owned(),
        Err(text) if text.contains(what) => "yes".to_owned(),
        Err(_) => "survives".to_owned(),
    }
}

fn leaks(library: Library, folder: &Path) -> String {
    let before = own_memory("VmRSS:");
    let result = library("leak", folder);
    let after = own_memory("VmRSS:");
    match result {
        Ok(_) => yes_if(after.saturating_sub(before) < bodies::LEAK / 4),
        Err(text) => format!("no: {}", text.lines().next().unwrap_or_default()),
    }
}

fn yes_if(yes: bool) -> String {
    if yes { "yes" } else { "no" }.to_owned()
}

/// As /proc says it; `None` when there is no such process.
fn state(process: &str) -> Option<char> {
    let text = fs::read_to_string(format!("/proc/{}/stat", process.trim())).ok()?;
    text.rsplit_once(") ")?.1.chars().next()
}
