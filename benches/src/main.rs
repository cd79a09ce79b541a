//! What a call costs: against bare system calls, with the bars of the design, and against the peers.
//!
//! ```text
//! cargo run --release -p timeout-benches -- --help
//! ```

mod arguments;
mod bare;
mod format;
mod machine;
mod measure;
mod page;
mod parts;
mod peers;
mod plot;
mod probes;
mod process;
mod report;
mod rows;
mod table;
mod usage;

use std::process::ExitCode;

fn main() -> ExitCode {
    // Both take a process over that is theirs, before anything else happens.
    procspawn::init();
    if let Some(errand) = process::errand() {
        return parts::run(&errand);
    }
    match arguments::parse(std::env::args_os().skip(1)) {
        Ok(arguments::Asked::Help) => {
            print!("{}", arguments::help());
            ExitCode::SUCCESS
        }
        Ok(arguments::Asked::Run(options)) => parts::run_all(&options),
        Err(message) => {
            eprintln!("{message}; see --help");
            ExitCode::from(2)
        }
    }
}
