//! A text with parts of it blanked out: every other character keeps its line and column. The little that is
//! inserted is known by its place, so that columns behind it can be told.

use std::collections::{BTreeMap, BTreeSet};
use std::ops::Range;

use oxc_span::Span;

/// What is to be blanked out of a text.
#[derive(Default)]
pub struct Blanks {
    ranges: Vec<Range<u32>>,
    /// Where ranges end.
    ends: BTreeSet<u32>,
    puts: BTreeMap<u32, char>,
    /// What is put before a byte.
    inserts: BTreeMap<u32, String>,
}

impl Blanks {
    /// Blanks out a range of bytes. Ranges may lie within each other.
    pub fn blank(&mut self, range: Range<u32>) {
        if range.start < range.end {
            self.ends.insert(range.end);
            self.ranges.push(range);
        }
    }

    /// Whether a range ends here.
    pub fn ends(&self, at: u32) -> bool {
        self.ends.contains(&at)
    }

    /// Puts an ASCII character at the end of a span whose end is blanked, behind what is inserted there, but for braces:
    /// they end blocks that the span is in.
    pub fn end(&mut self, text: &str, span: Span, c: char) {
        match self.inserts.get_mut(&span.end) {
            Some(insert) => {
                let within = insert.trim_end_matches('}').len();
                if !insert[..within].ends_with(c) {
                    insert.insert(within, c);
                }
            }
            None => self.put_last(text, span, c),
        }
    }

    /// Puts an ASCII character in the place of the last one of a blanked span.
    pub fn put_last(&mut self, text: &str, span: Span, c: char) {
        let blanked = &text[span.start as usize..span.end as usize];
        if let Some((at, _)) = blanked.char_indices().next_back() {
            self.put(span.start + at as u32, c);
        }
    }

    /// Puts an ASCII character in the place of one.
    pub fn put(&mut self, at: u32, c: char) {
        self.puts.insert(at, c);
    }

    /// Inserts text before a byte. What follows on the line moves.
    pub fn insert(&mut self, at: u32, text: impl Into<String>) {
        self.inserts.entry(at).or_default().push_str(&text.into());
    }

    /// What is inserted, by the byte before which it is.
    pub fn inserts(&self) -> impl Iterator<Item = (u32, usize)> + '_ {
        self.inserts.iter().map(|(at, text)| (*at, text.len()))
    }

    /// Blanks out a statement or a member of a class: what follows must not run into what precedes.
    pub fn erase(&mut self, range: Range<u32>) {
        self.put(range.start, ';');
        self.blank(range);
    }

    /// The text with all that applied.
    pub fn apply(mut self, text: &str) -> String {
        self.ranges.sort_by_key(|range| range.start);
        let mut out = String::with_capacity(text.len());
        let (mut next, mut until) = (0, 0);
        for (at, c) in text.char_indices() {
            while self
                .ranges
                .get(next)
                .is_some_and(|r| r.start as usize <= at)
            {
                until = until.max(self.ranges[next].end as usize);
                next += 1;
            }
            if let Some(insert) = self.inserts.get(&(at as u32)) {
                out.push_str(insert);
            }
            match self.puts.get(&(at as u32)) {
                Some(put) => {
                    out.push(*put);
                    out.extend(std::iter::repeat_n(' ', c.len_utf8() - 1));
                }
                _ if at < until => out.push_str(space(c)),
                _ => out.push(c),
            }
        }
        if let Some(insert) = self.inserts.get(&(text.len() as u32)) {
            out.push_str(insert);
        }
        out
    }
}

/// White space of as many bytes, and of as many UTF-16 units.
fn space(c: char) -> &'static str {
    match (c, c.len_utf8()) {
        ('\n', _) => "\n",
        ('\r', _) => "\r",
        (_, 1) => " ",
        (_, 2) => "\u{a0}",
        (_, 3) => "\u{3000}",
        _ => "\u{a0}\u{a0}",
    }
}
