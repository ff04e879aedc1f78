//! Reads JSON that is plain: no white space, no escapes, no exponents, as programs and this project write it.
//! At anything else it gives up, and a whole parser is to say what it is. What it takes is JSON.

use std::str::from_utf8;

/// Digits of a whole number that is exact in every number type.
const DIGITS_MAX: usize = 15;

/// A place in a text. Each function goes behind what it reads; none and false: it is not there.
pub(crate) struct Scanner<'t> {
    text: &'t [u8],
    at: usize,
}

/// A number.
pub(crate) enum Number {
    Whole(i64),
    Fraction(f64),
}

impl<'t> Scanner<'t> {
    pub fn new(text: &'t [u8]) -> Self {
        Self { text, at: 0 }
    }

    /// How far it has come.
    pub fn at(&self) -> usize {
        self.at
    }

    /// What was read since it was at a place.
    pub fn since(&self, at: usize) -> &'t [u8] {
        &self.text[at..self.at]
    }

    pub fn at_end(&self) -> bool {
        self.at == self.text.len()
    }

    #[inline]
    pub fn peek(&self) -> Option<u8> {
        self.text.get(self.at).copied()
    }

    #[inline]
    pub fn skip(&mut self, byte: u8) -> bool {
        let there = self.peek() == Some(byte);
        self.at += usize::from(there);
        there
    }

    #[inline]
    pub fn word(&mut self, word: &[u8]) -> bool {
        let there = self.text[self.at..].starts_with(word);
        self.at += if there { word.len() } else { 0 };
        there
    }

    /// A text, without its quotes.
    #[inline]
    pub fn string(&mut self) -> Option<&'t str> {
        self.skip(b'"').then_some(())?;
        let rest = &self.text[self.at..];
        let special = |byte: &u8| matches!(byte, b'"' | b'\\' | ..b' ');
        let len = rest.iter().position(special)?;
        self.at += len;
        self.skip(b'"').then_some(())?;
        from_utf8(&rest[..len]).ok()
    }

    /// A number other than minus zero, which is no whole one.
    #[inline]
    pub fn number(&mut self) -> Option<Number> {
        let from = self.at;
        let negative = self.skip(b'-');
        let whole = self.digits()?;
        if whole.len() > 1 && whole[0] == b'0' {
            return None;
        }
        if self.skip(b'.') {
            self.digits()?;
            let text = from_utf8(&self.text[from..self.at]).ok()?;
            return text.parse().ok().map(Number::Fraction);
        }
        if whole.len() > DIGITS_MAX || negative && whole[0] == b'0' {
            return None;
        }
        let add = |number: i64, digit: &u8| number * 10 + i64::from(digit - b'0');
        let sign = if negative { -1 } else { 1 };
        Some(Number::Whole(sign * whole.iter().fold(0, add)))
    }

    /// One digit or more.
    #[inline]
    fn digits(&mut self) -> Option<&'t [u8]> {
        let rest = &self.text[self.at..];
        let len = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        self.at += len;
        (len > 0).then_some(&rest[..len])
    }
}
