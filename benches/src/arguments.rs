//! What the command line says.

use std::ffi::OsString;
use std::fmt::Write as _;
use std::path::PathBuf;

use crate::parts::PARTS;

#[derive(Default)]
pub struct Options {
    pub quick: bool,
    pub write: bool,
    pub json: Option<PathBuf>,
    pub only: Vec<&'static str>,
}

pub enum Asked {
    Help,
    Run(Options),
}

impl Options {
    /// The parts to run: those asked for, else all that need no asking. A page needs all.
    pub fn parts(&self) -> Vec<&'static str> {
        let chosen = |name: &str, by_default: bool| match &self.only[..] {
            [] => by_default || self.write,
            only => only.contains(&name),
        };
        PARTS
            .iter()
            .filter(|part| chosen(part.name, part.by_default))
            .map(|part| part.name)
            .collect()
    }
}

pub fn parse(words: impl Iterator<Item = OsString>) -> Result<Asked, String> {
    let mut options = Options::default();
    let mut words = words;
    while let Some(word) = words.next() {
        match word.to_str() {
            Some("--help" | "-h") => return Ok(Asked::Help),
            Some("--quick") => options.quick = true,
            Some("--write") => options.write = true,
            Some("--json") => {
                options.json = Some(words.next().ok_or("--json needs a file")?.into());
            }
            Some("--only") => {
                let name = words.next().ok_or("--only needs a name")?;
                let part = PARTS.iter().find(|part| name.to_str() == Some(part.name));
                let part = part.ok_or_else(|| format!("nothing is called {}", name.display()))?;
                options.only.push(part.name);
            }
            _ => return Err(format!("unknown argument {}", word.display())),
        }
    }
    Ok(Asked::Run(options))
}

pub fn help() -> String {
    let mut help = String::from(
        "What a call of timeout-runtime costs, against bare system calls and against its peers.\n\n\
         cargo run --release -p timeout-benches -- [OPTION ...]\n\n  \
         --only NAME   this part alone; may be repeated\n  \
         --quick       a run of a minute, with less behind each figure\n  \
         --write       write docs/benchmarks.md and its plots\n  \
         --json FILE   write all figures for machines\n  \
         --help        this text\n\nParts:\n",
    );
    for part in PARTS {
        let asked = if part.by_default { "" } else { " (when named, and with --write)" };
        let _ = writeln!(help, "  {:13} {}{asked}", part.name, part.about);
    }
    help
}
