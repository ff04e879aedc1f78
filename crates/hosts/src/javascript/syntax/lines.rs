//! Where an offset is in a text, as editors count: lines and columns from 1, columns in characters.

use std::collections::BTreeMap;

/// A place in a file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Position {
    pub line: u32,
    pub column: u32,
}

/// Where the lines of a text begin.
#[derive(Debug, Clone)]
pub struct Lines {
    starts: Vec<u32>,
    /// The column of the first byte of each line that is not blank.
    first: Vec<u32>,
    /// The lines that have characters of several bytes.
    wide: BTreeMap<u32, String>,
    /// What the interpreter's text has more, by lines: before which column, and how many bytes.
    inserted: BTreeMap<u32, Vec<(u32, u32)>>,
}

impl Lines {
    pub fn new(text: &str) -> Self {
        let ends = text.bytes().enumerate().filter(|(_, b)| *b == b'\n');
        let starts = std::iter::once(0).chain(ends.map(|(at, _)| at as u32 + 1));
        let first = text.split('\n').map(|line| {
            let blank = line.len() - line.trim_start().len();
            if blank == line.len() {
                1
            } else {
                blank as u32 + 1
            }
        });
        let lines = text
            .split('\n')
            .zip(1..)
            .filter(|(line, _)| !line.is_ascii());
        Self {
            starts: starts.collect(),
            first: first.collect(),
            wide: lines.map(|(line, at)| (at, line.to_owned())).collect(),
            inserted: BTreeMap::new(),
        }
    }

    /// Notes that the interpreter's text has `len` bytes more before a byte. Given in order.
    pub fn note_insert(&mut self, text: &str, offset: u32, len: u32) {
        let line = self.position(text, offset).line;
        let column = offset - self.starts[line as usize - 1] + 1;
        self.inserted.entry(line).or_default().push((column, len));
    }

    /// The place that the interpreter names: its columns are bytes, counted from 1, and of its own text. Of a function
    /// in which nothing has a place of its own it knows the line alone.
    pub fn in_characters(&self, Position { line, mut column }: Position) -> Position {
        let first = self.first.get((line as usize).wrapping_sub(1));
        column = column.max(first.copied().unwrap_or(1));
        for (before, len) in self.inserted.get(&line).into_iter().flatten() {
            column = if column >= before + len {
                column - len
            } else {
                column.min(*before)
            };
        }
        let before = |text: &String| {
            text.char_indices()
                .take_while(|(at, _)| *at + 1 < column as usize)
                .count()
        };
        let column = self
            .wide
            .get(&line)
            .map_or(column, |text| before(text) as u32 + 1);
        Position { line, column }
    }

    /// The line in which the interpreter's text has a byte of the same text, and where in it.
    pub fn in_javascript(&self, offset: u32) -> (u32, u32) {
        let line = self.starts.partition_point(|start| *start <= offset) as u32;
        let at = offset - self.starts[line as usize - 1];
        let inserted = self.inserted.get(&line).into_iter().flatten();
        let before = inserted.filter(|(column, _)| *column <= at + 1);
        (line, at + before.map(|(_, len)| len).sum::<u32>())
    }

    /// The place of a byte of the same text.
    pub fn position(&self, text: &str, offset: u32) -> Position {
        let line = self.starts.partition_point(|start| *start <= offset);
        let start = self.starts[line - 1] as usize;
        let before = text.get(start..offset as usize).unwrap_or_default();
        Position {
            line: line as u32,
            column: before.chars().count() as u32 + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters() {
        let text = "a\nüb\r\nc";
        let lines = Lines::new(text);
        let at = |needle: &str| {
            let Position { line, column } = lines.position(text, text.find(needle).unwrap() as u32);
            (line, column)
        };
        assert_eq!(at("a"), (1, 1));
        assert_eq!(at("b"), (2, 2));
        assert_eq!(at("c"), (3, 1));
        let at = |column| lines.in_characters(Position { line: 2, column }).column;
        assert_eq!((at(1), at(3)), (1, 2));
        let lines = Lines::new("  \n\t ü");
        let at = |line| lines.in_characters(Position { line, column: 1 }).column;
        assert_eq!((at(1), at(2), at(3)), (1, 3, 1));
    }
}
