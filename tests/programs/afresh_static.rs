//! The same program, for the test that links it otherwise.

#[path = "afresh.rs"]
mod afresh;

fn main() -> std::process::ExitCode {
    afresh::main()
}
