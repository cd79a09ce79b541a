//! What a call costs by each start method, in a caller that holds more and more memory.
//!
//! ```text
//! cargo run --release --example start_methods            # a table
//! cargo run --release --example start_methods -- FILE    # and a plot, as SVG
//! ```

use std::fmt::Write as _;
use std::io::{self, Read, Write as _};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};
use std::{env, fs, thread};

use timeout_runtime::{StartMethod, Timeout};

/// What the caller holds, in MiB.
const MEMORY: [usize; 6] = [0, 64, 128, 256, 512, 1024];

/// The methods, and how often each is measured in a row.
const METHODS: [(StartMethod, u32); 3] =
    [(StartMethod::Fork, 20), (StartMethod::Spawn, 20), (StartMethod::Pool, 400)];

fn double(number: u64) -> u64 {
    2 * number
}

fn main() -> io::Result<()> {
    let mut held: Vec<u8> = Vec::new();
    let mut table = Vec::new();
    println!("caller     fork       spawn      pool");
    for memory in MEMORY {
        held.resize(memory << 20, 1);
        let costs = METHODS.map(|(method, calls)| median(|| call(method, calls)));
        let [fork, spawn, pool] = costs.map(|cost| cost.as_secs_f64() * 1e6);
        println!("{memory:>4} MiB  {fork:>7.0} µs {spawn:>7.0} µs {pool:>7.1} µs");
        table.push(costs);
    }
    drop(held);
    println!("\nbare ping-pong over two pipes  {:>7.1} µs", micros(median(ping_pong)));
    println!("Command running /bin/true      {:>7.0} µs", micros(median(command)));
    if let Some(path) = env::args_os().nth(1) {
        fs::write(path, plot(&table))?;
    }
    Ok(())
}

fn micros(duration: Duration) -> f64 {
    duration.as_secs_f64() * 1e6
}

/// Of seven runs, after one that is not counted.
fn median(mut run: impl FnMut() -> Duration) -> Duration {
    run();
    let mut runs: Vec<_> = (0..7).map(|_| run()).collect();
    runs.sort();
    runs[3]
}

fn call(method: StartMethod, calls: u32) -> Duration {
    let timeout = Timeout::new(30).start_method(method);
    let start = Instant::now();
    for number in 0..u64::from(calls) {
        assert_eq!(timeout.call(double, (number,)).expect("it only doubles"), 2 * number);
    }
    start.elapsed() / calls
}

/// A thread stands in for the other process: a switch between them costs the same.
fn ping_pong() -> Duration {
    const TURNS: u32 = 400;

    let pipes = (io::pipe(), io::pipe());
    let (Ok((mut their_end, mut ours)), Ok((mut back, mut theirs))) = pipes else {
        return Duration::ZERO;
    };
    thread::scope(|scope| {
        scope.spawn(move || {
            let mut bytes = [0; 8];
            while their_end.read_exact(&mut bytes).is_ok() && theirs.write_all(&bytes).is_ok() {}
        });
        let start = Instant::now();
        let mut bytes = [0; 8];
        for _ in 0..TURNS {
            if ours.write_all(&bytes).and_then(|()| back.read_exact(&mut bytes)).is_err() {
                break;
            }
        }
        let elapsed = start.elapsed();
        drop(ours);
        elapsed / TURNS
    })
}

fn command() -> Duration {
    let start = Instant::now();
    let child = Command::new("/bin/true").stdout(Stdio::piped()).spawn();
    drop(child.and_then(std::process::Child::wait_with_output));
    start.elapsed()
}

/// One line a method, both axes logarithmic but for the first column, which is nothing at all.
fn plot(table: &[[Duration; 3]]) -> String {
    const COLOURS: [(&str, &str); 3] =
        [("fork", "#c0392b"), ("spawn", "#2980b9"), ("pool", "#27ae60")];

    let x = |column: usize| 80 + column * 110;
    let y = |micros: f64| 420.0 - (micros.max(1.0).log10() * 80.0);
    let mut svg = String::from(
        "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 760 470\" \
         font-family=\"sans-serif\" font-size=\"13\">\n\
         <rect width=\"760\" height=\"470\" fill=\"white\"/>\n\
         <text x=\"80\" y=\"24\" font-size=\"16\">Cost of a call against what the caller holds</text>\n",
    );
    for (exponent, label) in ["1 µs", "10 µs", "100 µs", "1 ms", "10 ms"].iter().enumerate() {
        let at = y(10f64.powi(i32::try_from(exponent).unwrap_or_default()));
        let _ = writeln!(
            svg,
            "<line x1=\"70\" x2=\"640\" y1=\"{at}\" y2=\"{at}\" stroke=\"#ddd\"/>\
             <text x=\"62\" y=\"{:.0}\" text-anchor=\"end\">{label}</text>",
            at + 4.0
        );
    }
    for (column, memory) in MEMORY.iter().enumerate() {
        let at = x(column);
        let _ =
            writeln!(svg, "<text x=\"{at}\" y=\"446\" text-anchor=\"middle\">{memory} MiB</text>");
    }
    for (method, (name, colour)) in COLOURS.iter().enumerate() {
        let points: Vec<_> = table
            .iter()
            .enumerate()
            .map(|(column, costs)| format!("{},{:.1}", x(column), y(micros(costs[method]))))
            .collect();
        let last = table.last().map_or(0.0, |costs| y(micros(costs[method])));
        let _ = writeln!(
            svg,
            "<polyline points=\"{}\" fill=\"none\" stroke=\"{colour}\" stroke-width=\"2\"/>\
             <text x=\"650\" y=\"{:.0}\" fill=\"{colour}\">{name}</text>",
            points.join(" "),
            last + 4.0
        );
    }
    svg + "</svg>\n"
}
