//! The plots, as SVG. Axes that are logarithmic are linear ones of the logarithm.

use std::error::Error;

use plotters::coord::Shift;
use plotters::prelude::*;

use crate::format;
use crate::report::{Point, Series};

type Canvas<'a> = DrawingArea<SVGBackend<'a>, Shift>;
type Drawn = Result<(), Box<dyn Error>>;
type Label = dyn Fn(f64) -> String;

const FONT: &str = "sans-serif";
const SIZE: (u32, u32) = (800, 460);

struct Axis<'a> {
    title: &'a str,
    range: std::ops::Range<f64>,
    label: &'a Label,
}

pub fn calls(series: &[&Series]) -> Option<String> {
    let bars: Vec<(String, f64)> = series
        .iter()
        .filter_map(|series| Some((series.name.clone(), series.points.first()?.median)))
        .collect();
    svg(series, |canvas| draw_bars(canvas, bars))
}

pub fn memory(series: &[&Series]) -> Option<String> {
    let title = "Cost of a call against the memory of the caller";
    by_step(series, title, "the caller holds", format::bytes, |point| point.median, format::seconds)
}

pub fn throughput(series: &[&Series]) -> Option<String> {
    let rate = |point: &Point| point.x / point.median;
    let title = "Throughput of results against their length";
    by_step(series, title, "length", format::bytes, rate, format::throughput)
}

pub fn threads(series: &[&Series]) -> Option<String> {
    let label = |threads: f64| format!("{threads}");
    let rate = |rate: f64| format!("{rate:.0}/s");
    by_step(series, "Calls a second", "threads", label, |point| point.median, rate)
}

/// The part of the calls that were no later than so.
pub fn overshoot(series: &[&Series]) -> Option<String> {
    // From below a microsecond on, everything is in time.
    let at = |point: &Point| (point.median.max(1e-6).log10(), 100.0 * point.x);
    let lines = lines(series, |_, point| at(point));
    let range = decades(lines.iter().flat_map(|(_, points)| points.iter().map(|(x, _)| *x)));
    let x = Axis {
        title: "from the deadline to the return",
        range,
        label: &|x| whole(x).map_or_else(String::new, |x| format::seconds(10_f64.powf(x))),
    };
    let y = Axis { title: "of the calls", range: 0.0..100.0, label: &|y| format!("{y:.0} %") };
    svg(series, |canvas| draw_lines(canvas, "Late, after a deadline of 20 ms", &x, &y, &lines))
}

/// One step to the right for each `x`; upwards it is logarithmic.
fn by_step(
    series: &[&Series],
    title: &str,
    along: &str,
    label: fn(f64) -> String,
    height: fn(&Point) -> f64,
    height_label: fn(f64) -> String,
) -> Option<String> {
    let longest = series.iter().max_by_key(|series| series.points.len())?;
    let steps: Vec<String> = longest.points.iter().map(|point| label(point.x)).collect();
    let lines = lines(series, |step, point| (step, height(point).log10()));
    let range = decades(lines.iter().flat_map(|(_, points)| points.iter().map(|(_, y)| *y)));
    #[expect(clippy::cast_precision_loss)]
    let last = (steps.len().max(2) - 1) as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let step = move |x| whole(x).and_then(|x| steps.get(x as usize).cloned()).unwrap_or_default();
    let x = Axis { title: along, range: 0.0..last, label: &step };
    let power =
        move |y| whole(y).map_or_else(String::new, |power| height_label(10_f64.powf(power)));
    let y = Axis { title: "", range, label: &power };
    svg(series, |canvas| draw_lines(canvas, title, &x, &y, &lines))
}

type Line = (String, Vec<(f64, f64)>);

fn lines(series: &[&Series], at: impl Fn(f64, &Point) -> (f64, f64)) -> Vec<Line> {
    let line = |series: &&Series| {
        let steps = (0..u32::MAX).map(f64::from);
        let points = steps.zip(&series.points).map(|(step, point)| at(step, point));
        (series.name.clone(), points.collect())
    };
    series.iter().map(line).collect()
}

/// From the power of ten below the least to the one above the most.
fn decades(values: impl Iterator<Item = f64>) -> std::ops::Range<f64> {
    let values = values.filter(|value| value.is_finite());
    let (least, most) = values
        .fold((f64::MAX, f64::MIN), |(least, most), value| (least.min(value), most.max(value)));
    if least > most { 0.0..1.0 } else { least.floor()..most.ceil().max(least.floor() + 1.0) }
}

fn whole(value: f64) -> Option<f64> {
    let rounded = value.round();
    ((value - rounded).abs() < 1e-6).then_some(rounded)
}

fn svg(series: &[&Series], draw: impl FnOnce(&Canvas<'_>) -> Drawn) -> Option<String> {
    if series.is_empty() {
        return None;
    }
    let mut text = String::new();
    let canvas = SVGBackend::with_string(&mut text, SIZE).into_drawing_area();
    let drawn = canvas.fill(&WHITE).map_err(Into::into).and_then(|()| draw(&canvas));
    let drawn = drawn.and_then(|()| Ok(canvas.present()?));
    drop(canvas);
    if let Err(error) = drawn {
        eprintln!("a plot failed: {error}");
        return None;
    }
    Some(text)
}

fn draw_lines(
    canvas: &Canvas<'_>,
    title: &str,
    x: &Axis<'_>,
    y: &Axis<'_>,
    lines: &[Line],
) -> Drawn {
    // The legend has a place of its own, beside the lines.
    let (left, right) = canvas.split_horizontally(SIZE.0 - 150);
    let mut chart = ChartBuilder::on(&left)
        .caption(title, (FONT, 18))
        .margin(12)
        .x_label_area_size(40)
        .y_label_area_size(70)
        .build_cartesian_2d(x.range.clone(), y.range.clone())?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .x_labels(14)
        .y_labels(14)
        .x_label_formatter(&|at| (x.label)(*at))
        .y_label_formatter(&|at| (y.label)(*at))
        .x_desc(x.title)
        .y_desc(y.title)
        .draw()?;
    for (index, (name, points)) in lines.iter().enumerate() {
        let colour = colour(name);
        let finite = points.iter().copied().filter(|(x, y)| x.is_finite() && y.is_finite());
        let width = if is_ours(name) { 3 } else { 1 };
        chart.draw_series(LineSeries::new(finite, colour.stroke_width(width)))?;
        let top = 50 + 22 * i32::try_from(index)?;
        right.draw(&PathElement::new([(0, top), (20, top)], colour.stroke_width(width)))?;
        let style = TextStyle::from((FONT, 13)).color(&colour);
        right.draw(&Text::new(name.clone(), (26, top - 6), style))?;
    }
    Ok(())
}

fn draw_bars(canvas: &Canvas<'_>, mut bars: Vec<(String, f64)>) -> Drawn {
    bars.sort_by(|one, other| other.1.total_cmp(&one.1));
    let range = decades(bars.iter().map(|(_, median)| median.log10()));
    let left = range.start;
    #[expect(clippy::cast_precision_loss)]
    let count = bars.len() as f64;
    #[expect(clippy::cast_possible_truncation, clippy::cast_sign_loss)]
    let name = |at: f64| {
        let bar = whole(at).and_then(|at| bars.get(at as usize));
        bar.map_or_else(String::new, |(name, _)| name.clone())
    };
    let mut chart = ChartBuilder::on(canvas)
        .caption("Cost of a call that returns a number", (FONT, 18))
        .margin(12)
        .margin_right(80)
        .x_label_area_size(30)
        .y_label_area_size(170)
        .build_cartesian_2d(range, -0.5..count - 0.5)?;
    chart
        .configure_mesh()
        .light_line_style(TRANSPARENT)
        .bold_line_style(BLACK.mix(0.12))
        .disable_y_mesh()
        .y_labels(2 * bars.len() + 2)
        .x_label_formatter(&|at| {
            whole(*at).map_or_else(String::new, |at| format::seconds(10_f64.powf(at)))
        })
        .y_label_formatter(&|at| name(*at))
        .draw()?;
    for (index, (name, median)) in bars.iter().enumerate() {
        #[expect(clippy::cast_precision_loss)]
        let (at, end) = (index as f64, median.log10());
        let colour = colour(name);
        let corners = [(left, at - 0.35), (end, at + 0.35)];
        chart.draw_series([Rectangle::new(corners, colour.filled())])?;
        let label = format!(" {}", format::seconds(*median));
        chart.draw_series([Text::new(label, (end, at + 0.2), (FONT, 13))])?;
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    matches!(name, "fork" | "spawn" | "pool")
}

/// The same for the same name, wherever it occurs.
fn colour(name: &str) -> RGBColor {
    match name {
        "fork" => RGBColor(192, 57, 43),
        "spawn" => RGBColor(41, 128, 185),
        "pool" => RGBColor(39, 174, 96),
        _ if name.starts_with("bare") || name.starts_with("ping") => RGBColor(60, 60, 60),
        "mem-isolate" => RGBColor(230, 126, 34),
        "process-fun" => RGBColor(142, 68, 173),
        "procspawn" => RGBColor(93, 173, 226),
        "procspawn pool" => RGBColor(22, 160, 133),
        "zygote" => RGBColor(183, 149, 11),
        _ => RGBColor(149, 165, 166),
    }
}
