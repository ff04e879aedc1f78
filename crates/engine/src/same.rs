//! When two requests are the same one, though their arguments may be spelled differently: a retry may come after a
//! deployment, and the new version spells the same arguments in its own way, a parameter that may be left out
//! as `null`, and all in another order.
//!
//! What must hold: arguments that differ in more than the order of members, members that are `null`, white space and
//! the `.0` of a whole number have different hashes, but for chance.

use xxhash_rust::xxh3::xxh3_128;

/// Beyond that what is given is hashed as it is spelled; no request nests so deeply.
const DEPTH_MAX: u32 = 128;

/// A hash of arguments.
pub(crate) fn arguments_hash(json: &[u8]) -> u128 {
    let mut text = Text { json, at: 0 };
    let value = text.value(DEPTH_MAX).filter(|_| text.is_over());
    match value {
        Some(Value::Hash(hash)) => hash,
        Some(Value::Text(text)) => xxh3_128(text),
        Some(Value::Null) | None => xxh3_128(json),
    }
}

/// What a value comes to.
enum Value<'j> {
    Null,
    /// A text, with its quotes, or a number or word.
    Text(&'j [u8]),
    /// Of an object or a list.
    Hash(u128),
}

/// JSON, as far as it was read. What is none is found to be none or gets some hash.
struct Text<'j> {
    json: &'j [u8],
    at: usize,
}

impl<'j> Text<'j> {
    /// The value that comes next; none: there is none.
    fn value(&mut self, depth: u32) -> Option<Value<'j>> {
        let depth = depth.checked_sub(1)?;
        match self.peek()? {
            b'{' => self.object(depth).map(Value::Hash),
            b'[' => self.list(depth).map(Value::Hash),
            b'"' => self.string().map(Value::Text),
            _ => self.word().map(|word| match word {
                b"null" => Value::Null,
                word => Value::Text(word.strip_suffix(b".0").unwrap_or(word)),
            }),
        }
    }

    fn object(&mut self, depth: u32) -> Option<u128> {
        let mut sum = 0_u128; // in which the order of members does not show
        self.each(b'}', |text| {
            let name = text.string()?;
            let from = text.at - name.len();
            text.skip(b':')?;
            let member = match text.value(depth)? {
                Value::Null => return Some(()),
                Value::Hash(hash) => both(xxh3_128(name), hash),
                // Nearly always the two are side by side.
                Value::Text(value) => match &text.json[from..text.at] {
                    member if member.len() == name.len() + 1 + value.len() => xxh3_128(member),
                    _ => xxh3_128(&[name, b":", value].concat()),
                },
            };
            sum = sum.wrapping_add(member);
            Some(())
        })?;
        Some(both(1, sum))
    }

    fn list(&mut self, depth: u32) -> Option<u128> {
        let mut all = 0;
        self.each(b']', |text| {
            let item = match text.value(depth)? {
                Value::Null => 0,
                Value::Hash(hash) => hash,
                Value::Text(text) => xxh3_128(text),
            };
            all = both(all, item);
            Some(())
        })?;
        Some(both(2, all))
    }

    /// Reads what is between here and `end`, separated by commas.
    fn each(&mut self, end: u8, mut read: impl FnMut(&mut Self) -> Option<()>) -> Option<()> {
        self.at += 1;
        if self.peek()? != end {
            read(self)?;
            while self.peek()? != end {
                self.skip(b',')?;
                read(self)?;
            }
        }
        self.skip(end)
    }

    /// With its quotes.
    fn string(&mut self) -> Option<&'j [u8]> {
        self.skip(b'"')?;
        let from = self.at - 1;
        loop {
            match self.json.get(self.at)? {
                b'"' => break,
                b'\\' => self.at += 2,
                _ => self.at += 1,
            }
        }
        self.at += 1;
        Some(&self.json[from..self.at])
    }

    /// A number, or a word.
    fn word(&mut self) -> Option<&'j [u8]> {
        let rest = &self.json[self.at..];
        let is_part =
            |byte: &u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'+' | b'.');
        let length = rest.iter().take_while(|byte| is_part(byte)).count();
        self.at += length;
        (length > 0).then(|| &rest[..length])
    }

    fn skip(&mut self, byte: u8) -> Option<()> {
        let there = self.peek()? == byte;
        self.at += usize::from(there);
        there.then_some(())
    }

    /// The byte that comes next, behind white space.
    fn peek(&mut self) -> Option<u8> {
        while self.json.get(self.at)?.is_ascii_whitespace() {
            self.at += 1;
        }
        self.json.get(self.at).copied()
    }

    fn is_over(&mut self) -> bool {
        self.peek().is_none()
    }
}

fn both(a: u128, b: u128) -> u128 {
    let mut bytes = [0; 32];
    bytes[..16].copy_from_slice(&a.to_le_bytes());
    bytes[16..].copy_from_slice(&b.to_le_bytes());
    xxh3_128(&bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(json: &str) -> u128 {
        arguments_hash(json.as_bytes())
    }

    #[test]
    fn spellings_of_the_same_arguments_are_the_same() {
        let same = hash(r#"{"amount":5,"to":{"id":[1,null,"a\"}"],"kind":"x"}}"#);
        for spelled in [
            r#"{"to":{"kind":"x","id":[1,null,"a\"}"]},"amount":5}"#,
            r#"{"amount":5.0,"note":null,"to":{"more":null,"id":[1,null,"a\"}"],"kind":"x"}}"#,
            " {\n\"amount\" : 5 , \"to\":{\"id\":[ 1,null , \"a\\\"}\" ],\"kind\":\"x\"} } ",
        ] {
            assert_eq!(hash(spelled), same, "{spelled}");
        }
    }

    #[test]
    fn other_arguments_are_others() {
        let all = [
            "{}",
            "[]",
            "[null]",
            "[null,null]",
            r#"{"a":1}"#,
            r#"{"a":"1"}"#,
            r#"{"a":10}"#,
            r#"{"a":-1}"#,
            r#"{"a":1.5}"#,
            r#"{"a":true}"#,
            r#"{"a":[1]}"#,
            r#"{"a":{}}"#,
            r#"{"a":{"b":1}}"#,
            r#"{"a":1,"b":2}"#,
            r#"{"a":2,"b":1}"#,
            r#"{"a":1,"a":1}"#,
            r#"{"a":[1,2]}"#,
            r#"{"a":[2,1]}"#,
            r#"{"a":[[1],2]}"#,
            r#"{"a":[1,[2]]}"#,
            r#"{"a":340282366920938463463374607431768211455}"#,
            r#"{"a":340282366920938463463374607431768211454}"#,
            r#"{"a":1} {}"#,
            r#"{"a":1"#,
            r#"{"a""#,
            r#"{"a":"\"#,
        ];
        for (at, one) in all.iter().enumerate() {
            for other in &all[..at] {
                assert_ne!(hash(one), hash(other), "{one} {other}");
            }
        }
    }

    #[test]
    fn what_nests_without_end_ends() {
        let deep = "[".repeat(1_000_000);
        assert_eq!(hash(&deep), xxh3_128(deep.as_bytes()));
        let nested = |depth: usize| format!("{}{}", "[ ".repeat(depth), "]".repeat(depth));
        let plain = nested(100).replace(' ', "");
        assert_eq!(hash(&nested(100)), hash(&plain));
    }
}
