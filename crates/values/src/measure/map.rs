//! Maps: what their keys may be, and that none comes twice. A map of its own has each key once; one that
//! serde flattens into a struct, or puts beside the tag of an enum, stands among names that it knows nothing
//! of. Its keys may be a client's choice.

use std::collections::BTreeSet;
use std::fmt::{self, Display, Write as _};

use serde::ser::{self, Impossible, Serialize};

use super::{Items, RAW_PREFIX, digits, digits_wide, no_display};
use crate::json::NotJson;

/// What an open map holds.
pub(super) struct Entries<'a> {
    items: Items<'a>,
    seen: Seen,
}

/// Enums with tags directly in one another, as many as there may be around a map.
const TAGS_MAX: usize = 4;

/// What a key is compared with.
enum Seen {
    /// All before it: serde does not know the length of what it flattens something into.
    All(BTreeSet<String>),
    /// The first ones: a map has each key once, but beside the tags of the enums that it is directly in, which come
    /// before them.
    First {
        /// Where they begin among the first keys of the open maps.
        from: usize,
        /// Where each of them ends.
        ends: [usize; TAGS_MAX],
        count: usize,
    },
}

impl<'a> Entries<'a> {
    pub(super) fn new(items: Items<'a>, len: Option<usize>) -> Self {
        let seen = match len {
            None => Seen::All(BTreeSet::new()),
            Some(_) => Seen::First {
                from: items.measure.first_keys.len(),
                ends: [0; TAGS_MAX],
                count: 0,
            },
        };
        Self { items, seen }
    }

    fn is_new(&mut self, key: &str) -> bool {
        let first_keys = &mut self.items.measure.first_keys;
        match &mut self.seen {
            Seen::All(keys) => keys.insert(key.to_owned()),
            Seen::First { from, ends, count } => {
                let mut start = *from;
                for end in &ends[..*count] {
                    if first_keys[start..*end] == *key {
                        return false;
                    }
                    start = *end;
                }
                if let Some(end) = ends.get_mut(*count) {
                    first_keys.push_str(key);
                    *end = first_keys.len();
                    *count += 1;
                }
                true
            }
        }
    }
}

impl ser::SerializeMap for Entries<'_> {
    type Ok = ();
    type Error = NotJson;

    fn serialize_key<T: Serialize + ?Sized>(&mut self, key: &T) -> Result<(), NotJson> {
        self.items.comma();
        key.serialize(MapKey(self))
    }

    fn serialize_value<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotJson> {
        self.items.measure.len += 1;
        value
            .serialize(&mut *self.items.measure)
            .map_err(|error| error.within("{}"))
    }

    fn end(self) -> Result<(), NotJson> {
        if let Seen::First { from, .. } = self.seen {
            self.items.measure.first_keys.truncate(from);
        }
        self.items.close()
    }
}

/// The key of a map: a string, or what `serde_json` writes as one and reads back.
struct MapKey<'e, 'a>(&'e mut Entries<'a>);

impl MapKey<'_, '_> {
    fn add(self, len: usize) -> Result<(), NotJson> {
        self.0.items.measure.add(len)
    }

    fn float(self, value: impl Serialize, finite: bool) -> Result<(), NotJson> {
        self.0.items.measure.len += 2;
        self.0.items.measure.float(value, finite)
    }

    fn text(self, text: &str) -> Result<(), NotJson> {
        if text.starts_with(RAW_PREFIX) {
            return Err(NotJson::new(format!(
                "a map has the key `{text}`, by which `serde_json` knows values of its own: it would be \
                 read as another"
            )));
        }
        if !self.0.is_new(text) {
            return Err(NotJson::new(format!(
                "the name `{text}` comes twice: a map that is flattened, or within a tagged enum, has a key \
                 that is a name beside it, and could not be read back"
            )));
        }
        self.0.items.measure.text(text)
    }
}

fn no_key<T>() -> Result<T, NotJson> {
    Err(NotJson::new(
        "a map's keys are neither strings nor numbers; keep it as a list of pairs instead",
    ))
}

impl ser::Serializer for MapKey<'_, '_> {
    type Ok = ();
    type Error = NotJson;
    type SerializeSeq = Impossible<(), NotJson>;
    type SerializeTuple = Impossible<(), NotJson>;
    type SerializeTupleStruct = Impossible<(), NotJson>;
    type SerializeTupleVariant = Impossible<(), NotJson>;
    type SerializeMap = Impossible<(), NotJson>;
    type SerializeStruct = Impossible<(), NotJson>;
    type SerializeStructVariant = Impossible<(), NotJson>;

    integers! { 2:
        serialize_i8 i8, serialize_u8 u8;
        serialize_i16 i16, serialize_u16 u16;
        serialize_i32 i32, serialize_u32 u32;
        serialize_i64 i64, serialize_u64 u64;
    }

    fn serialize_bool(self, value: bool) -> Result<(), NotJson> {
        self.add(if value { 6 } else { 7 })
    }

    fn serialize_f32(self, value: f32) -> Result<(), NotJson> {
        self.float(value, value.is_finite())
    }

    fn serialize_f64(self, value: f64) -> Result<(), NotJson> {
        self.float(value, value.is_finite())
    }

    fn serialize_char(self, value: char) -> Result<(), NotJson> {
        self.text(value.encode_utf8(&mut [0; 4]))
    }

    fn serialize_str(self, value: &str) -> Result<(), NotJson> {
        self.text(value)
    }

    fn serialize_bytes(self, _: &[u8]) -> Result<(), NotJson> {
        no_key()
    }

    fn serialize_none(self) -> Result<(), NotJson> {
        no_key()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotJson> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotJson> {
        no_key()
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotJson> {
        no_key()
    }

    fn serialize_unit_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
    ) -> Result<(), NotJson> {
        self.text(variant)
    }

    fn serialize_newtype_struct<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        value: &T,
    ) -> Result<(), NotJson> {
        value.serialize(self)
    }

    fn serialize_newtype_variant<T: Serialize + ?Sized>(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: &T,
    ) -> Result<(), NotJson> {
        no_key()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Self::SerializeSeq, NotJson> {
        no_key()
    }

    fn serialize_tuple(self, _: usize) -> Result<Self::SerializeTuple, NotJson> {
        no_key()
    }

    fn serialize_tuple_struct(
        self,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleStruct, NotJson> {
        no_key()
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeTupleVariant, NotJson> {
        no_key()
    }

    fn serialize_map(self, _: Option<usize>) -> Result<Self::SerializeMap, NotJson> {
        no_key()
    }

    fn serialize_struct(self, _: &'static str, _: usize) -> Result<Self::SerializeStruct, NotJson> {
        no_key()
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        _: &'static str,
        _: usize,
    ) -> Result<Self::SerializeStructVariant, NotJson> {
        no_key()
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), NotJson> {
        let mut text = String::new();
        match write!(text, "{value}") {
            Ok(()) => self.text(&text),
            Err(fmt::Error) => Err(no_display()),
        }
    }
}
