//! Reports of one workload in several languages, in one table.

use ordain_cli::Output;
use serde::Serialize;

use crate::report::{Figure, PER_SECOND, Report, list, show};

/// Reports beside each other; the first is what the others are held against.
#[derive(Debug, Serialize)]
pub struct SideBySide {
    /// One a language.
    pub reports: Vec<Report>,
}

impl SideBySide {
    /// Prints it: what does not hold comes first. A single report is printed as itself.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn print(&self, output: Output) -> std::io::Result<()> {
        let first = match &self.reports[..] {
            [] => return Ok(()),
            [alone] => return alone.print(output),
            [first, ..] => first,
        };
        if output.json {
            return output.json(self);
        }
        for report in &self.reports {
            for violation in &report.violations {
                output.line(format!("VIOLATED  {}: {violation}", report.language.name()))?;
            }
        }
        output.line(format!("{}: {}", first.workload, first.about))?;
        let runs = "runs take turns, each shown as median (least – greatest)";
        output.line(format!("driven    {}; {runs}", first.driver))?;
        let languages = self.reports.iter().map(|report| report.language.name());
        let head: Vec<_> = std::iter::once("").chain(languages).collect();
        output.table(&head, &self.rows())?;
        output.line(format!("seed        {}", first.seed))
    }

    /// What does not hold, in any language.
    pub fn violated(&self) -> bool {
        let mut reports = self.reports.iter();
        reports.any(|report| !report.violations.is_empty())
    }

    fn rows(&self) -> Vec<Vec<String>> {
        let Some(first) = self.reports.first() else {
            return Vec::new();
        };
        let mut rows = Vec::new();
        for Figure { name, .. } in &first.figures {
            rows.push(self.row(name.name, |report| {
                report.figure(name.key).map_or("–".to_owned(), |figure| {
                    let Figure {
                        median, min, max, ..
                    } = figure;
                    format!("{} ({} – {})", show(*median), show(*min), show(*max))
                })
            }));
            if *name == PER_SECOND {
                rows.push(self.row("… to the first", |report| ratio(report, first)));
            }
        }
        rows.push(self.row("committed", |report| list(&report.committed)));
        rows.push(self.row("rejections", |report| list(&report.rejections)));
        rows.push(self.row("faults", |report| report.faults.to_string()));
        rows.push(self.row("unanswered", |report| report.unanswered.to_string()));
        if self
            .reports
            .iter()
            .any(|report| report.first_trouble.is_some())
        {
            let trouble = |report: &Report| report.first_trouble.clone().unwrap_or_default();
            rows.push(self.row("first trouble", trouble));
        }
        rows.push(self.row("invariants", |report| report.held().to_owned()));
        rows
    }

    fn row(&self, name: &str, cell: impl Fn(&Report) -> String) -> Vec<String> {
        let cells = self.reports.iter().map(cell);
        std::iter::once(name.to_owned()).chain(cells).collect()
    }
}

fn ratio(report: &Report, first: &Report) -> String {
    let rate = |report: &Report| report.figure(PER_SECOND.key).map(|figure| figure.median);
    match (rate(report), rate(first)) {
        (Some(rate), Some(of)) if of > 0.0 => format!("{:.2}", rate / of),
        _ => "–".to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::language::Language;

    fn report(language: Language, rates: [f64; 3], violations: &[&str]) -> Report {
        Report {
            workload: "transfer",
            about: String::new(),
            driver: String::new(),
            language,
            seed: 1,
            violations: violations.iter().map(|v| (*v).to_owned()).collect(),
            figures: Figure::over(PER_SECOND, rates.to_vec())
                .into_iter()
                .collect(),
            committed: [("transfer", 1_234)].into(),
            rejections: Default::default(),
            faults: 0,
            unanswered: 0,
            first_trouble: None,
            ticks: Vec::new(),
            distribution: Vec::new(),
        }
    }

    #[test]
    fn each_language_has_its_column() {
        let side = SideBySide {
            reports: vec![
                report(Language::Rust, [1_000.0, 3_000.0, 2_000.0], &[]),
                report(Language::Ts, [500.0, 500.0, 500.0], &["money is lost"]),
            ],
        };
        let lines: Vec<_> = side.rows().iter().map(|row| row.join(" | ")).collect();
        assert_eq!(
            lines,
            [
                "committed tx/s | 2,000 (1,000 – 3,000) | 500 (500 – 500)",
                "… to the first | 1.00 | 0.25",
                "committed | transfer 1,234 | transfer 1,234",
                "rejections | none | none",
                "faults | 0 | 0",
                "unanswered | 0 | 0",
                "invariants | hold | VIOLATED",
            ]
        );
        assert!(side.violated());
    }
}
