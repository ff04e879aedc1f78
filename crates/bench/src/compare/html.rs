//! The report as one HTML file: the table and plots, with nothing that is loaded from elsewhere and no
//! script.

use std::fmt::Write;
use std::time::Duration;

use super::plot::{Axis, Plot, Series, escaped};
use super::session::{Sample, Session};
use super::sweeps::{Point, SWEEPS, Sweep};
use super::table::{HEAD, MEASURED, Table};
use crate::measure::TICK;
use crate::report::{thousands, time};

/// Measurements of which throughput over time and latencies are shown, and what they are.
const SHOWN: [(&str, &str); 7] = [
    ("transfer-1m", "transfer, 1,000,000"),
    ("transfer-1m-paced", "the same, open loop"),
    ("transfer-10k", "transfer, 10,000"),
    ("smallbank-uniform", "smallbank, size 4"),
    ("marketplace", "marketplace"),
    ("stream-64x40", "stream, 64 × 40"),
    ("http", "HTTP, 64 connections"),
];

const STYLE: &str = "\
body { font: 15px/1.45 system-ui, sans-serif; margin: 2rem auto; max-width: 72rem; padding: 0 1rem; color: #222; background: #fff }
table { border-collapse: collapse; margin: 1rem 0 } th, td { padding: .25rem .6rem; text-align: left; border-bottom: 1px solid #ddd }
td.no { color: #a00; font-weight: bold } td.yes { color: #060 }
svg { display: block; margin: 1.2rem 0; max-width: 100%; height: auto } svg text { font-size: 11px; fill: #333 }
svg .title { font-size: 13px; font-weight: bold } svg line { stroke: #e4e4e4 } svg polyline { fill: none; stroke-width: 1.6 }
code { background: #f4f4f4; padding: .1rem .3rem }";

/// The whole file.
pub fn page(table: &Table, session: &Session, points: &[Point]) -> String {
    let mut out = format!(
        "<!doctype html>\n<html lang=\"en\"><meta charset=\"utf-8\"><title>Ordain: figures</title>\
         <style>{STYLE}</style>\n<h1>Figures</h1>\n<p><code>{}</code></p>\n<p>{}.</p>\n",
        escaped(table.command()),
        escaped(&table.about())
    );
    rows(&mut out, &HEAD, &table.cells());
    for plot in plots(session, points) {
        out.push_str(&plot.svg());
        out.push('\n');
    }
    rows(&mut out, &MEASURED, &table.measured());
    out + "</html>\n"
}

fn rows(out: &mut String, head: &[&str], rows: &[Vec<String>]) {
    let head: String = head.iter().map(|cell| format!("<th>{cell}</th>")).collect();
    let _ = writeln!(out, "<table><tr>{head}</tr>");
    for cells in rows {
        let class = match cells.last().map(String::as_str) {
            Some("NO") => "no",
            Some(text) if text.starts_with("yes") => "yes",
            _ => "",
        };
        let last = cells.len() - 1;
        let cell = |(at, text): (usize, &String)| match at == last {
            true => format!("<td class=\"{class}\">{}</td>", escaped(text)),
            false => format!("<td>{}</td>", escaped(text)),
        };
        let cells: String = cells.iter().enumerate().map(cell).collect();
        let _ = writeln!(out, "<tr>{cells}</tr>");
    }
    out.push_str("</table>\n");
}

/// Those that have something to show.
fn plots(session: &Session, points: &[Point]) -> Vec<Plot> {
    let mut plots = vec![over_time(session), distribution(session)];
    plots.extend(SWEEPS.iter().map(|sweep| along(sweep, points)));
    plots.retain(|plot| !plot.series.is_empty());
    plots
}

/// The last sample of each measurement that is shown.
fn shown(session: &Session, points: fn(&Sample) -> Vec<(f64, f64)>) -> Vec<Series> {
    let of = |(name, what): &(&str, &str)| {
        let samples = session.samples().filter(|(measure, _)| measure == name);
        let points = points(samples.last()?.1);
        let name = (*what).to_owned();
        (!points.is_empty()).then_some(Series { name, points })
    };
    SHOWN.iter().filter_map(of).collect()
}

fn over_time(session: &Session) -> Plot {
    Plot {
        title: "Throughput over time, warm-up included".to_owned(),
        x: Axis {
            label: "seconds",
            log: false,
            show: axis,
        },
        y: Axis {
            label: "committed a second",
            log: false,
            show: axis,
        },
        series: shown(session, |sample| {
            let tick = TICK.as_secs_f64();
            // The last tick is not whole.
            let whole = &sample.ticks[..sample.ticks.len().saturating_sub(1)];
            let point = |(at, count): (usize, &f64)| (at as f64 * tick, count / tick);
            whole.iter().enumerate().map(point).collect()
        }),
    }
}

fn distribution(session: &Session) -> Plot {
    Plot {
        title: "Distribution of latencies".to_owned(),
        x: Axis {
            label: "part of the transactions",
            log: true,
            show: |value| format!("{} %", (1.0 - 1.0 / value) * 100.0),
        },
        y: micros(),
        series: shown(session, |sample| {
            let slower = |part: f64| 1.0 / (1.0 - part).max(1e-5);
            sample
                .distribution
                .iter()
                .map(|(part, us)| (slower(*part), *us))
                .collect()
        }),
    }
}

fn along(sweep: &Sweep, points: &[Point]) -> Plot {
    let lines = sweep
        .lines
        .iter()
        .flat_map(|line| sweep.figures.iter().map(move |figure| (line, *figure)));
    let series = lines.filter_map(|(line, figure)| {
        let mine = points
            .iter()
            .filter(|point| (point.sweep, point.line) == (sweep.name, line.name));
        let at = mine.filter_map(|point| Some((point.x, *point.sample.figures.get(figure)?)));
        let points: Vec<_> = at.collect();
        let name = match figure {
            "p50_us" => "p50",
            "p99_us" => "p99",
            "p999_us" => "p99.9",
            _ => line.name,
        };
        (!points.is_empty()).then(|| Series {
            name: name.to_owned(),
            points,
        })
    });
    let of_latency = sweep.figures.iter().any(|figure| figure.ends_with("_us"));
    Plot {
        title: sweep.title.to_owned(),
        x: Axis {
            label: sweep.x,
            log: sweep.log,
            show: axis,
        },
        y: match of_latency {
            true => micros(),
            false => Axis {
                label: "committed a second",
                log: false,
                show: axis,
            },
        },
        series: series.collect(),
    }
}

fn micros() -> Axis {
    Axis {
        label: "latency",
        log: true,
        show: |us| time(Duration::from_secs_f64(us / 1e6)),
    }
}

fn axis(value: f64) -> String {
    match value.fract() == 0.0 {
        true => thousands(value as u64),
        false => format!("{value:.1}"),
    }
}
