//! Texts from a module that have to be JSON: checked where they cross, so that nothing else is ever
//! stored, passed on or answered.

use std::fmt;

use ordain_types::limits::JSON_DEPTH_MAX;
use serde::de::{DeserializeSeed, Deserializer, Error, MapAccess, SeqAccess, Visitor};

/// Checks that `text` is one JSON text that every reader of it can read.
///
/// # Errors
/// Why not.
pub(super) fn check(text: &str) -> Result<(), String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Depth(0).deserialize(&mut json).and_then(|()| json.end());
    read.map_err(|error| error.to_string())
}

/// Reads and forgets a value within so many others.
#[derive(Clone, Copy)]
struct Depth(usize);

impl Depth {
    fn deeper<E: Error>(self) -> Result<Self, E> {
        match self.0 < JSON_DEPTH_MAX {
            true => Ok(Self(self.0 + 1)),
            false => Err(E::custom(format_args!(
                "it nests deeper than {JSON_DEPTH_MAX}"
            ))),
        }
    }
}

impl<'de> DeserializeSeed<'de> for Depth {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, input: D) -> Result<(), D::Error> {
        input.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Depth {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_i64<E>(self, _: i64) -> Result<(), E> {
        Ok(())
    }

    fn visit_u64<E>(self, _: u64) -> Result<(), E> {
        Ok(())
    }

    fn visit_f64<E>(self, _: f64) -> Result<(), E> {
        Ok(())
    }

    fn visit_str<E>(self, _: &str) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while items.next_element_seed(deeper)?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut entries: A) -> Result<(), A::Error> {
        let deeper = self.deeper()?;
        while entries.next_key_seed(deeper)?.is_some() {
            entries.next_value_seed(deeper)?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_json_passes() {
        let deep = |depth: usize| format!("{}{}", "[".repeat(depth), "]".repeat(depth));
        for good in [
            "null",
            " {\"a\": [1, 2.5, true, \"x\"]} ",
            &deep(JSON_DEPTH_MAX),
        ] {
            assert_eq!(check(good), Ok(()), "{good}");
        }
        let bad = [
            "",
            "{",
            "1 2",
            "nil",
            "{a:1}",
            "NaN",
            "1e999",
            "\"\\ud800\"",
            &deep(JSON_DEPTH_MAX + 1),
        ];
        for bad in bad {
            assert!(check(bad).is_err(), "{bad}");
        }
    }
}
