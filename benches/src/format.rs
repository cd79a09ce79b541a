//! Figures as people read them.

use crate::report::{Bar, Quantity};

pub fn quantity(quantity: Quantity) -> String {
    match quantity {
        Quantity::Seconds(seconds) => self::seconds(seconds),
        Quantity::Bytes(bytes) => self::bytes(bytes),
        Quantity::PerSecond(rate) => format!("{rate:.0}/s"),
        Quantity::Ratio(ratio) => format!("{ratio:.2}"),
    }
}

pub fn bar(bar: Bar) -> String {
    match bar {
        Bar::AtMost(value) => format!("at most {}", quantity(value)),
        Bar::AtLeast(value) => format!("at least {}", quantity(value)),
    }
}

pub fn seconds(seconds: f64) -> String {
    match seconds {
        _ if !seconds.is_finite() => "-".to_owned(),
        _ if seconds < 100e-6 => format!("{:.1} µs", seconds * 1e6),
        _ if seconds < 1e-3 => format!("{:.0} µs", seconds * 1e6),
        _ if seconds < 100e-3 => format!("{:.2} ms", seconds * 1e3),
        _ if seconds < 1.0 => format!("{:.0} ms", seconds * 1e3),
        _ => format!("{seconds:.1} s"),
    }
}

pub fn bytes(bytes: f64) -> String {
    const UNITS: [&str; 4] = ["B", "KiB", "MiB", "GiB"];

    let mut value = bytes;
    let mut unit = 0;
    while value.abs() >= 1024.0 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    let digits = usize::from(value.fract() != 0.0);
    format!("{value:.digits$} {}", UNITS[unit])
}

/// Bytes a second, in decimal units.
pub fn throughput(rate: f64) -> String {
    match rate {
        _ if rate >= 1e9 => format!("{:.2} GB/s", rate / 1e9),
        _ if rate >= 10e6 => format!("{:.0} MB/s", rate / 1e6),
        _ if rate >= 1e6 => format!("{:.1} MB/s", rate / 1e6),
        _ => format!("{:.0} kB/s", rate / 1e3),
    }
}
