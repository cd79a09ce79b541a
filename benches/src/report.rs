//! What a part has found out. It crosses from the part's process as JSON, and so it is kept.

use serde::{Deserialize, Serialize};

use crate::measure::Timings;

#[derive(Default, Serialize, Deserialize)]
pub struct Report {
    pub verdicts: Vec<Verdict>,
    pub series: Vec<Series>,
    pub cells: Vec<Cell>,
    /// Why something is missing.
    pub notes: Vec<String>,
}

/// A row of the design's section 6.
#[derive(Serialize, Deserialize)]
pub struct Verdict {
    pub measure: String,
    pub ours: Quantity,
    /// The same work by bare system calls.
    pub bare: Option<Quantity>,
    pub value: Quantity,
    pub bar: Option<Bar>,
}

#[derive(Clone, Copy, PartialEq, PartialOrd, Serialize, Deserialize)]
pub enum Quantity {
    Seconds(f64),
    Bytes(f64),
    PerSecond(f64),
    Ratio(f64),
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub enum Bar {
    AtMost(Quantity),
    AtLeast(Quantity),
}

/// One line of a plot, or one row of a table: a contender's figures.
#[derive(Serialize, Deserialize)]
pub struct Series {
    pub plot: String,
    pub name: String,
    pub points: Vec<Point>,
}

#[derive(Clone, Copy, Serialize, Deserialize)]
pub struct Point {
    /// What the plot is against: bytes, threads, a quantile.
    pub x: f64,
    pub median: f64,
    pub p99: f64,
    pub samples: usize,
}

/// What a probe of one library has shown.
#[derive(Serialize, Deserialize)]
pub struct Cell {
    pub library: String,
    pub question: String,
    pub answer: String,
}

impl Verdict {
    pub fn is_met(&self) -> Option<bool> {
        Some(match self.bar? {
            Bar::AtMost(bar) => self.value <= bar,
            Bar::AtLeast(bar) => self.value >= bar,
        })
    }

    /// A verdict on the ratio of two medians.
    pub fn ratio(measure: &str, ours: &Timings, bare: &Timings, bar: Option<f64>) -> Self {
        let (ours, bare) = (ours.median(), bare.median());
        Self {
            measure: measure.to_owned(),
            ours: Quantity::Seconds(ours),
            bare: Some(Quantity::Seconds(bare)),
            value: Quantity::Ratio(ours / bare),
            bar: bar.map(|bar| Bar::AtMost(Quantity::Ratio(bar))),
        }
    }
}

impl Report {
    pub fn point(&mut self, plot: &str, x: f64, timings: &Timings) {
        self.add_point(plot, &timings.name, timings.point(x));
    }

    pub fn add_point(&mut self, plot: &str, name: &str, point: Point) {
        let known = |series: &&mut Series| series.plot == plot && series.name == name;
        match self.series.iter_mut().find(known) {
            Some(series) => series.points.push(point),
            None => self.series.push(Series {
                plot: plot.to_owned(),
                name: name.to_owned(),
                points: vec![point],
            }),
        }
    }
}
