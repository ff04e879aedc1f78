//! Cutting a target's bytes into parts. What is missing is zero or empty, so that every input is one.

/// A target's bytes, from the front.
#[derive(Debug, Clone, Copy)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    /// One byte; zero at the end.
    pub fn byte(&mut self) -> u8 {
        let [byte] = self.array();
        byte
    }

    /// `N` bytes, filled up with zeros.
    pub fn array<const N: usize>(&mut self) -> [u8; N] {
        let mut bytes = [0; N];
        let part = self.take(N);
        bytes[..part.len()].copy_from_slice(part);
        bytes
    }

    /// Two bytes, little-endian.
    pub fn u16(&mut self) -> u16 {
        u16::from_le_bytes(self.array())
    }

    /// Up to `length` bytes.
    pub fn take(&mut self, length: usize) -> &'a [u8] {
        let (part, rest) = self.0.split_at(length.min(self.0.len()));
        self.0 = rest;
        part
    }

    /// Entries: key length u8, value length u16, key, value; until the end.
    pub fn entries(&mut self) -> Vec<(&'a [u8], &'a [u8])> {
        let mut entries = Vec::new();
        while !self.0.is_empty() {
            let (key, value) = (self.byte().into(), self.u16().into());
            entries.push((self.take(key), self.take(value)));
        }
        entries
    }
}

/// The other direction of [`Input::entries`].
pub fn entries<'a>(all: impl IntoIterator<Item = (&'a [u8], &'a [u8])>) -> Vec<u8> {
    let mut out = Vec::new();
    for (key, value) in all {
        out.push(u8::try_from(key.len()).expect("a short key"));
        let length = u16::try_from(value.len()).expect("a short value");
        out.extend_from_slice(&length.to_le_bytes());
        out.extend_from_slice(key);
        out.extend_from_slice(value);
    }
    out
}
