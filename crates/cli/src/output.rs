//! Results: tables on a terminal, the same as lines with tabs in a pipe, JSON when asked for;
//! and progress bars on standard error. Plain text is as stable as JSON: scripts read both. Nothing of it is an order to
//! a terminal, whoever said it.

mod escaping;
mod messages;
mod printable;

use std::io::{self, IsTerminal, Write};
use std::time::{Duration, Instant};

use comfy_table::{ContentArrangement, Table, presets};
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;

pub use escaping::{Escaping, fields};
pub use messages::Messages;
pub use printable::printable;

/// Work that takes no longer shows no bar.
const BAR_AFTER: Duration = Duration::from_secs(1);

/// Where results go.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    /// Whether JSON was asked for.
    pub json: bool,
}

impl Output {
    /// One line of text, or several.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn line(&self, text: impl std::fmt::Display) -> io::Result<()> {
        let text = text.to_string();
        let mut out = io::stdout().lock();
        writeln!(out, "{}", printable(&text))
            .and_then(|()| out.flush())
            .map_err(unwritten)
    }

    /// A value's JSON, as it is but for what may stand between its parts: a carriage return there would be no JSON when
    /// it is escaped.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn value(&self, json: &str) -> io::Result<()> {
        self.line(json.replace('\r', " "))
    }

    /// One line of JSON.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn json(&self, value: &impl Serialize) -> io::Result<()> {
        self.value(&serde_json::to_string(value)?)
    }

    /// Rows under a head.
    ///
    /// # Errors
    /// If they cannot be written.
    pub fn table(&self, head: &[&str], rows: &[Vec<String>]) -> io::Result<()> {
        let shown = |row: &Vec<String>| {
            let cells = row.iter().map(|cell| printable(cell).into_owned());
            cells.collect::<Vec<_>>()
        };
        let rows: Vec<_> = rows.iter().map(shown).collect();
        if !io::stdout().is_terminal() {
            let one = |cell: &String| cell.replace(['\t', '\n'], " ");
            let tabbed = |row: &Vec<String>| row.iter().map(one).collect::<Vec<_>>().join("\t");
            let lines = std::iter::once(head.join("\t")).chain(rows.iter().map(tabbed));
            return self.line(lines.collect::<Vec<_>>().join("\n"));
        }
        let mut table = Table::new();
        table.load_style(presets::UTF8_HORIZONTAL_ONLY);
        table.set_header(head);
        table.add_rows(rows);
        arrange(&mut table);
        self.line(table)
    }
}

/// Says of an error of standard output what it is of; its kind stays.
pub fn unwritten(error: io::Error) -> io::Error {
    let why = format!("cannot write standard output: {error}");
    io::Error::new(error.kind(), why)
}

/// A line on standard error, for people. That nobody takes it changes nothing.
pub fn tell(text: impl std::fmt::Display) {
    let _ = writeln!(io::stderr(), "{}", printable(&text.to_string()));
}

/// Fits a table into the terminal's width. One that does not know its width says 0, in which no word is whole.
fn arrange(table: &mut Table) {
    table.set_content_arrangement(match table.width() {
        Some(0) => ContentArrangement::Disabled,
        _ => ContentArrangement::Dynamic,
    });
}

/// The progress of one piece of work, on standard error: shown if that is a terminal and the work is
/// long.
pub struct Bar {
    what: &'static str,
    began: Instant,
    bytes: bool,
    bar: Option<ProgressBar>,
}

impl Bar {
    /// Of so many things.
    pub fn of_things(what: &'static str) -> Self {
        Self::new(what, false)
    }

    /// Of so many bytes.
    pub fn of_bytes(what: &'static str) -> Self {
        Self::new(what, true)
    }

    fn new(what: &'static str, bytes: bool) -> Self {
        Self {
            what,
            began: Instant::now(),
            bytes,
            bar: None,
        }
    }

    /// So much is done, of so much if that is known.
    pub fn at(&mut self, done: u64, of: Option<u64>) {
        if self.bar.is_none() {
            if self.began.elapsed() < BAR_AFTER || !io::stderr().is_terminal() {
                return;
            }
            let bar = of.map_or_else(ProgressBar::no_length, ProgressBar::new);
            bar.set_style(self.style(of.is_some()));
            bar.set_message(self.what);
            self.bar = Some(bar);
        }
        if let Some(bar) = &self.bar {
            if let Some(of) = of {
                bar.set_length(of);
            }
            bar.set_position(done);
        }
    }

    fn style(&self, length: bool) -> ProgressStyle {
        let template = match (self.bytes, length) {
            (true, true) => "{msg} {wide_bar} {bytes}/{total_bytes} {binary_bytes_per_sec}",
            (true, false) => "{msg} {spinner} {bytes} {binary_bytes_per_sec}",
            (false, true) => "{msg} {wide_bar} {human_pos}/{human_len} {per_sec}",
            (false, false) => "{msg} {spinner} {human_pos} {per_sec}",
        };
        ProgressStyle::with_template(template).expect("the templates above are templates")
    }
}

impl Drop for Bar {
    fn drop(&mut self) {
        if let Some(bar) = &self.bar {
            bar.finish_and_clear();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_terminal_that_does_not_know_its_width_shows_whole_words() {
        for (width, whole) in [(0, true), (8, false), (80, true)] {
            let mut table = Table::new();
            table.set_width(width).set_header(["setting", "value"]);
            table.add_row(["checkpoint_interval", "5s"]);
            arrange(&mut table);
            assert_eq!(
                table.to_string().contains("checkpoint_interval"),
                whole,
                "{width}"
            );
        }
    }
}
