//! What it costs to depend on a library: programs are written to a temporary folder and built there.

use std::collections::BTreeSet;
use std::fmt::Write as _;
use std::path::Path;
use std::process::{Command, Output};
use std::time::Instant;
use std::{env, fs};

use crate::format::{bytes, seconds};
use crate::measure::progress;
use crate::process::Folder;
use crate::report::{Cell, Report};

struct Program {
    name: &'static str,
    dependency: &'static str,
    /// `NAME` stands for the name of the function.
    function: &'static str,
    /// A call of it.
    call: &'static str,
}

const PLAIN: &str = "#[inline(never)] fn NAME(n: u64) -> u64 { std::hint::black_box(n) }";

const OURS: Program = Program {
    name: "timeout-runtime",
    dependency: "timeout-runtime = { path = \"RUNTIME\" }",
    function: "#[timeout_runtime::timeout(2)] fn NAME(n: u64) -> u64 { std::hint::black_box(n) }",
    call: "NAME(1).unwrap()",
};

const NOTHING: Program =
    Program { name: "nothing", dependency: "", function: PLAIN, call: "NAME(1)" };

const OTHERS: [Program; 3] = [
    Program {
        name: "mem-isolate",
        dependency: "mem-isolate = \"0.1\"",
        function: "fn NAME(n: u64) -> u64 { \
                   mem_isolate::execute_in_isolated_process(|| std::hint::black_box(n)).unwrap() }",
        call: "NAME(1)",
    },
    Program {
        name: "ntest",
        dependency: "ntest = \"0.10\"",
        function: "#[ntest::timeout(2000)] fn NAME() -> u64 { std::hint::black_box(1) }",
        call: "NAME()",
    },
    Program {
        name: "tokio with macros",
        dependency: "tokio = { version = \"1\", features = [\"macros\", \"rt\", \"time\"] }",
        function: "#[tokio::main(flavor = \"current_thread\")] async fn NAME(n: u64) -> u64 { \
                   let body = async { std::hint::black_box(n) }; \
                   tokio::time::timeout(std::time::Duration::from_secs(2), body).await.unwrap() }",
        call: "NAME(1)",
    },
];

/// As many more functions as these make the difference that one makes readable.
const MANY: u32 = 21;

pub fn run(report: &mut Report) {
    let base = match size_of_nothing() {
        Ok(size) => size,
        Err(reason) => return report.notes.push(format!("use: {reason}")),
    };
    for program in [OURS].iter().chain(&OTHERS) {
        progress(&format!("use: {}", program.name));
        if let Err(reason) = measure(report, program, base) {
            report.notes.push(format!("use of {}: {reason}", program.name));
        }
    }
}

fn size_of_nothing() -> Result<f64, String> {
    let folder = Folder::new().map_err(|error| error.to_string())?;
    write(&NOTHING, 1, &folder.0).map_err(|error| error.to_string())?;
    build(&folder.0)
}

fn measure(report: &mut Report, program: &Program, base: f64) -> Result<(), String> {
    let folder = Folder::new().map_err(|error| error.to_string())?;
    let folder = &folder.0;
    write(program, 1, folder).map_err(|error| error.to_string())?;
    // So that nothing is downloaded while the clock runs.
    cargo(folder, &["fetch", "--quiet"])?;
    let tree = cargo(folder, &["tree", "--prefix=none", "--edges=normal,build"])?;
    let start = Instant::now();
    let one = build(folder)?;
    let elapsed = start.elapsed().as_secs_f64();
    write(program, MANY, folder).map_err(|error| error.to_string())?;
    let each = (build(folder)? - one) / f64::from(MANY - 1);
    let answers = [
        ("a clean release build", seconds(elapsed)),
        ("crates that it depends on", count(&tree).to_string()),
        ("the first function adds", bytes(one - base)),
        ("each further one adds", bytes(each.round())),
    ];
    for (question, answer) in answers {
        report.cells.push(Cell {
            library: program.name.to_owned(),
            question: question.to_owned(),
            answer,
        });
    }
    Ok(())
}

/// What `cargo tree` lists, but for the program itself.
fn count(tree: &Output) -> usize {
    let text = String::from_utf8_lossy(&tree.stdout);
    let lines = text.lines().map(|line| line.trim_end_matches(" (*)"));
    let crates: BTreeSet<_> = lines.filter(|line| !line.is_empty()).collect();
    crates.len().saturating_sub(1)
}

/// The size of the executable, without symbols.
#[expect(clippy::cast_precision_loss)]
fn build(folder: &Path) -> Result<f64, String> {
    cargo(folder, &["build", "--release", "--quiet", "--offline"])?;
    let file = fs::metadata(folder.join("target/release/probe"));
    Ok(file.map_err(|error| error.to_string())?.len() as f64)
}

fn write(program: &Program, functions: u32, folder: &Path) -> std::io::Result<()> {
    let runtime = concat!(env!("CARGO_MANIFEST_DIR"), "/../timeout-runtime");
    let manifest = format!(
        "[package]\nname = \"probe\"\nversion = \"0.0.0\"\nedition = \"2024\"\n[workspace]\n\
         [dependencies]\n{}\n[profile.release]\nstrip = true\n",
        program.dependency.replace("RUNTIME", runtime)
    );
    let mut main = String::new();
    let mut calls = String::new();
    for index in 0..functions {
        let name = format!("function_{index}");
        main += &(program.function.replace("NAME", &name) + "\n");
        let _ = writeln!(calls, "    println!(\"{{}}\", {});", program.call.replace("NAME", &name));
    }
    let _ = writeln!(main, "fn main() {{\n{calls}}}");
    fs::create_dir_all(folder.join("src"))?;
    fs::write(folder.join("Cargo.toml"), manifest)?;
    fs::write(folder.join("src/main.rs"), main)
}

fn cargo(folder: &Path, arguments: &[&str]) -> Result<Output, String> {
    let cargo = env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args(arguments).current_dir(folder).env_remove("RUSTFLAGS");
    // The folder that is clean is the probe's own.
    command.env("CARGO_TARGET_DIR", folder.join("target")).env("CARGO_INCREMENTAL", "0");
    let output = command.output().map_err(|error| error.to_string())?;
    if output.status.success() {
        return Ok(output);
    }
    let text = String::from_utf8_lossy(&output.stderr);
    Err(text.lines().find(|line| line.contains("error")).unwrap_or("cargo failed").to_owned())
}
