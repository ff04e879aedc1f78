//! The table against rounds that are made up: what is reached, what is not, and what is not known.

use std::time::Duration;

use serde_json::json;

use super::measures::{BESIDE, MEASURES};
use super::rows::{Bound, ROWS, Row, Unit};
use super::session::{Round, Sample, Session};
use super::sweeps::Point;
use super::table::Table;
use super::{How, html, needed};

/// What any measurement might say: enough for every row.
fn said() -> Sample {
    let keys = [
        "per_second",
        "p50_us",
        "p99_us",
        "p999_us",
        "ready_ms",
        "bytes",
        "cpu_percent",
        "resident_mib",
        "bare_per_second",
        "many_kib",
        "hostile_ts_mib",
        "hostile_wasm_mib",
        "ts_cold_ms",
        "wasm_cold_ms",
        "ts_deployed_ms",
        "upgrades_later_ms",
    ];
    let figures =
        keys.map(|key| json!({ "key": key, "median": 100.0, "first": 1.0, "last": 200.0 }));
    Sample::of(&json!({ "figures": figures, "violations": [], "ticks": [1, 2] }))
}

fn how() -> How {
    How {
        rounds: 1,
        seconds: 1.0,
        warm_up: Duration::ZERO,
        seed: 7,
        dir: None,
        under: Vec::new(),
    }
}

fn session(samples: impl IntoIterator<Item = Vec<(&'static str, Sample)>>) -> Session {
    let round = |samples: Vec<(&'static str, Sample)>| {
        let mut round = Round::default();
        samples
            .into_iter()
            .for_each(|(name, sample)| round.put(name, sample));
        round
    };
    Session {
        rounds: samples.into_iter().map(round).collect(),
    }
}

#[test]
fn a_row_needs_what_it_follows_from() {
    for row in ROWS {
        let known = |need: &&str| MEASURES.iter().any(|measure| measure.name == *need);
        assert!(row.needs.iter().all(known), "{}", row.name);
        let all = row
            .needs
            .iter()
            .map(|need| (*need, said()))
            .collect::<Vec<_>>();
        let value = |samples| session([samples]).over(row.of);
        assert!(value(all.clone()).is_some(), "{} has no value", row.name);
        for missing in row.needs {
            let others = all.iter().filter(|(name, _)| name != missing).cloned();
            let lacking = value(others.collect());
            assert!(lacking.is_none(), "{} does not need {missing}", row.name);
        }
    }
}

#[test]
fn names_are_unique_and_every_measurement_is_for_something() {
    for (at, row) in ROWS.iter().enumerate() {
        assert!(
            ROWS[..at].iter().all(|other| other.name != row.name),
            "{}",
            row.name
        );
        assert!(
            row.aim
                .is_none_or(|aim| row.bound.with(row.bound.value()).holds(aim)),
            "{}",
            row.name
        );
    }
    for (at, measure) in MEASURES.iter().enumerate() {
        assert!(
            MEASURES[..at]
                .iter()
                .all(|other| other.name != measure.name),
            "{}",
            measure.name
        );
    }
    let rows: Vec<_> = ROWS.iter().collect();
    let needed: Vec<_> = needed(&rows, &[])
        .iter()
        .map(|measure| measure.name)
        .collect();
    for measure in MEASURES {
        let (needed, beside) = (
            needed.contains(&measure.name),
            BESIDE.contains(&measure.name),
        );
        assert!(needed != beside, "{} is one of the two", measure.name);
    }
    let measured = |name: &&str| MEASURES.iter().any(|measure| measure.name == *name);
    assert!(BESIDE.iter().all(measured));
}

const ROW: Row = Row {
    name: "a",
    what: "transfers",
    needs: &["transfer-10k"],
    of: |round| round.rate("transfer-10k"),
    unit: Unit::PerSecond,
    bound: Bound::AtLeast(100.0),
    aim: Some(200.0),
    opt_in: false,
};

fn per_second(value: f64) -> Sample {
    Sample::of(&json!({ "figures": [{ "key": "per_second", "median": value }] }))
}

/// Of that row alone, made by this command.
fn table(session: &Session, command: &str) -> Table {
    let rows = [&ROW];
    Table::new(
        &rows,
        &needed(&rows, &[]),
        session,
        &how(),
        command.to_owned(),
    )
}

/// The row as it is shown, of these rates.
fn shown(rates: &[f64]) -> String {
    let session = session(
        rates
            .iter()
            .map(|rate| vec![("transfer-10k", per_second(*rate))]),
    );
    let table = table(&session, "ordain").markdown();
    let row = table.lines().find(|line| line.starts_with("| transfers"));
    row.expect("a row").to_owned()
}

#[test]
fn the_median_says_whether_a_figure_is_reached() {
    assert_eq!(
        shown(&[150.0, 90.0, 1_000.0]),
        "| transfers | ≥ 100/s | 200/s | 150/s | 90.0/s – 1,000/s | yes |"
    );
    assert!(shown(&[200.0]).ends_with("| yes, aim too |"));
    assert!(shown(&[99.0, 99.0, 500.0]).ends_with("| NO |"));
}

#[test]
fn what_fails_or_is_skipped_is_said_and_is_no_figure() {
    let violated =
        json!({ "figures": [{ "key": "per_second", "median": 1e9 }], "violations": ["money"] });
    let session = session([vec![("transfer-10k", Sample::of(&violated))]]);
    assert_eq!(session.failures(), 1);
    let table = table(&session, "ordain").markdown();
    assert!(
        table.contains("VIOLATED") && !table.contains("| yes"),
        "{table}"
    );

    for (faults, unanswered) in [(1, 0), (0, 3)] {
        let troubled = json!({
            "figures": [{ "key": "per_second", "median": 1e9 }],
            "violations": [],
            "faults": faults,
            "unanswered": unanswered,
            "first_trouble": "boom",
        });
        let troubled = Sample::of(&troubled);
        let said = format!("FAILED: {faults} faults, {unanswered} unanswered, the first: boom");
        assert_eq!(troubled.to_string(), said);
    }

    let skipped = Sample::of(&json!([{ "name": "postgres", "skipped": "it is not installed" }]));
    assert_eq!(skipped.skipped.as_deref(), Some("it is not installed"));
    assert_eq!(skipped.failure, None);
}

#[test]
fn a_rate_is_held_against_the_smaller_of_two() {
    let rates = [("ts-http", 40.0), ("ts", 80.0), ("rust-http", 50.0)];
    let session = session([rates.map(|(name, rate)| (name, per_second(rate))).to_vec()]);
    let part = |one, other| session.rounds[0].to_smaller("ts-http", one, other);
    assert_eq!(part("ts", "rust-http"), Some(0.8));
    assert_eq!(part("rust-http", "ts"), Some(0.8));
    assert_eq!(part("ts", "wasm"), None);
}

#[test]
fn a_bound_has_a_side() {
    assert!(Bound::AtMost(2.0).holds(2.0) && !Bound::AtMost(2.0).holds(2.1));
    assert!(Bound::AtLeast(2.0).holds(2.0) && !Bound::AtLeast(2.0).holds(1.9));
}

#[test]
fn a_page_keeps_what_is_around_its_figures() {
    let table = table(&session([]), "ordain bench compare");
    let page = "# Head\n<!-- figures -->\nold\n<!-- end of figures -->\ntail\n";
    let written = table.page_with(page);
    assert!(written.starts_with("# Head\n<!-- figures -->\n") && written.ends_with("-->\ntail\n"));
    assert!(
        written.contains("| transfers |") && !written.contains("old"),
        "{written}"
    );
    assert_eq!(table.page_with(&written), written, "twice is as once");
    assert!(table.page_with("").starts_with("`ordain bench compare`"));
}

#[test]
fn a_report_needs_nothing_from_elsewhere() {
    let sample = json!({
        "figures": [{ "key": "per_second", "median": 5.0 }, { "key": "p99_us", "median": 9.0 }],
        "ticks": [1, 2, 3],
        "distribution": [[0.0, 1.0], [0.99, 20.0]],
    });
    let session = session([vec![("transfer-10k", Sample::of(&sample))]]);
    let points: Vec<_> = [0.0, 1.5]
        .map(|x| Point {
            sweep: "plot-skew",
            line: "transfer",
            x,
            sample: Sample::of(&sample),
        })
        .into();
    let table = table(&session, "ordain <b>");
    let page = html::page(&table, &session, &points);
    assert_eq!(
        page.matches("<svg").count(),
        3,
        "over time, latencies, skew"
    );
    assert!(page.contains("ordain &lt;b&gt;") && page.contains("transfers"));
    for foreign in ["http", "<script", "src=", "href=", "url(", "NaN"] {
        assert!(!page.contains(foreign), "{foreign}");
    }
}
