//! How long a value's JSON would be, counted without writing it: the engine asks after each call that
//! wrote. Refuses what JSON would take but not give back: a NaN or an infinity (they would become
//! `null`), a map whose keys are no strings or numbers, mean something to `serde_json` or come twice, and
//! nesting too deep to be read.

use std::fmt::{self, Display, Write as _};
use std::io;

use ordain_types::limits::JSON_DEPTH_MAX;
use serde::ser::{self, Serialize};

use crate::json::NotJson;
use map::Entries;

/// The length of the value's JSON, as `serde_json` writes it without white space.
///
/// # Errors
/// Why it could not be read back from JSON, with the path to the place.
pub fn encoded_len<T: Serialize + ?Sized>(value: &T) -> Result<usize, NotJson> {
    let mut measure = Measure::default();
    value.serialize(&mut measure)?;
    Ok(measure.len)
}

#[derive(Default)]
struct Measure {
    len: usize,
    depth: usize,
    /// Inside `serde_json`'s own raw values: text that is JSON already.
    raw: bool,
    /// The first key of each open map, joined.
    first_keys: String,
}

/// How `serde_json` marks its raw values and its numbers of any precision.
const RAW_PREFIX: &str = "$serde_json::private::";

impl Measure {
    fn add(&mut self, len: usize) -> Result<(), NotJson> {
        self.len += len;
        Ok(())
    }

    fn text(&mut self, text: &str) -> Result<(), NotJson> {
        self.add(2 + escaped_len(text))
    }

    fn float(&mut self, value: impl Serialize, finite: bool) -> Result<(), NotJson> {
        if !finite {
            return Err(NotJson::new(
                "a number is NaN or infinite, which JSON cannot hold",
            ));
        }
        serde_json::to_writer(Count(&mut self.len), &value).map_err(ser::Error::custom)
    }

    /// Opens `levels` arrays or objects; each adds its two brackets.
    fn open(&mut self, levels: usize) -> Result<Items<'_>, NotJson> {
        self.depth += levels;
        if self.depth > JSON_DEPTH_MAX {
            return Err(NotJson::new(format!(
                "it nests deeper than {JSON_DEPTH_MAX} levels"
            )));
        }
        self.len += 2 * levels;
        Ok(Items {
            measure: self,
            levels,
            first: true,
            raw: false,
        })
    }

    /// Opens `{"variant":` and what the variant holds.
    fn open_variant(&mut self, variant: &str) -> Result<Items<'_>, NotJson> {
        self.text(variant)?;
        self.len += 1;
        self.open(2)
    }
}

/// How many bytes more than one each byte takes within a JSON string.
const EXTRA: [u8; 256] = {
    let mut extra = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        extra[byte] = match byte as u8 {
            b'"' | b'\\' | 8 | b'\t' | b'\n' | 12 | b'\r' => 1,
            0..0x20 => 5,
            _ => 0,
        };
        byte += 1;
    }
    extra
};

/// The bytes of a JSON string between its quotes.
fn escaped_len(text: &str) -> usize {
    // From a table: most texts are names of fields, too short for more than that to pay.
    let extra = text
        .bytes()
        .map(|byte| usize::from(EXTRA[usize::from(byte)]));
    text.len() + extra.sum::<usize>()
}

fn digits(number: u64) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

fn digits_wide(number: u128) -> usize {
    number.checked_ilog10().unwrap_or(0) as usize + 1
}

/// Counts what is written.
struct Count<'a>(&'a mut usize);

impl io::Write for Count<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        *self.0 += bytes.len();
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Counts text as if it were escaped.
struct CountEscaped(usize);

impl fmt::Write for CountEscaped {
    fn write_str(&mut self, text: &str) -> fmt::Result {
        self.0 += escaped_len(text);
        Ok(())
    }
}

fn displayed_len<T: Display + ?Sized>(value: &T) -> Result<usize, NotJson> {
    let mut count = CountEscaped(0);
    match write!(count, "{value}") {
        Ok(()) => Ok(2 + count.0),
        Err(fmt::Error) => Err(no_display()),
    }
}

fn no_display() -> NotJson {
    NotJson::new("a value's Display failed")
}

macro_rules! integers {
    ($extra:literal: $($signed:ident $s:ty, $unsigned:ident $u:ty;)*) => {$(
        fn $signed(self, value: $s) -> Result<(), NotJson> {
            self.add($extra + usize::from(value < 0) + digits(value.unsigned_abs().into()))
        }
        fn $unsigned(self, value: $u) -> Result<(), NotJson> {
            self.add($extra + digits(value.into()))
        }
    )*
        fn serialize_i128(self, value: i128) -> Result<(), NotJson> {
            self.add($extra + usize::from(value < 0) + digits_wide(value.unsigned_abs()))
        }
        fn serialize_u128(self, value: u128) -> Result<(), NotJson> {
            self.add($extra + digits_wide(value))
        }
    };
}

mod map; // below the macro that it uses

impl<'a> ser::Serializer for &'a mut Measure {
    type Ok = ();
    type Error = NotJson;
    type SerializeSeq = Items<'a>;
    type SerializeTuple = Items<'a>;
    type SerializeTupleStruct = Items<'a>;
    type SerializeTupleVariant = Items<'a>;
    type SerializeMap = Entries<'a>;
    type SerializeStruct = Items<'a>;
    type SerializeStructVariant = Items<'a>;

    integers! { 0:
        serialize_i8 i8, serialize_u8 u8;
        serialize_i16 i16, serialize_u16 u16;
        serialize_i32 i32, serialize_u32 u32;
        serialize_i64 i64, serialize_u64 u64;
    }

    fn serialize_bool(self, value: bool) -> Result<(), NotJson> {
        self.add(if value { 4 } else { 5 })
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
        match self.raw {
            true => self.add(value.len()),
            false => self.text(value),
        }
    }

    fn serialize_bytes(self, value: &[u8]) -> Result<(), NotJson> {
        let numbers: usize = value.iter().map(|&byte| digits(byte.into())).sum();
        self.add(2 + numbers + value.len().saturating_sub(1))
    }

    fn serialize_none(self) -> Result<(), NotJson> {
        self.serialize_unit()
    }

    fn serialize_some<T: Serialize + ?Sized>(self, value: &T) -> Result<(), NotJson> {
        value.serialize(self)
    }

    fn serialize_unit(self) -> Result<(), NotJson> {
        self.add(4)
    }

    fn serialize_unit_struct(self, _: &'static str) -> Result<(), NotJson> {
        self.serialize_unit()
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
        variant: &'static str,
        value: &T,
    ) -> Result<(), NotJson> {
        let items = self.open(1)?;
        items.measure.len += 1;
        items.measure.text(variant)?;
        value
            .serialize(&mut *items.measure)
            .map_err(|error| error.within(variant))?;
        items.close()
    }

    fn serialize_seq(self, _: Option<usize>) -> Result<Items<'a>, NotJson> {
        self.open(1)
    }

    fn serialize_tuple(self, _: usize) -> Result<Items<'a>, NotJson> {
        self.open(1)
    }

    fn serialize_tuple_struct(self, _: &'static str, _: usize) -> Result<Items<'a>, NotJson> {
        self.open(1)
    }

    fn serialize_tuple_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, NotJson> {
        self.open_variant(variant)
    }

    fn serialize_map(self, len: Option<usize>) -> Result<Entries<'a>, NotJson> {
        Ok(Entries::new(self.open(1)?, len))
    }

    fn serialize_struct(self, name: &'static str, _: usize) -> Result<Items<'a>, NotJson> {
        match name.starts_with(RAW_PREFIX) {
            true => Ok(Items {
                measure: self,
                levels: 0,
                first: true,
                raw: true,
            }),
            false => self.open(1),
        }
    }

    fn serialize_struct_variant(
        self,
        _: &'static str,
        _: u32,
        variant: &'static str,
        _: usize,
    ) -> Result<Items<'a>, NotJson> {
        self.open_variant(variant)
    }

    fn collect_str<T: Display + ?Sized>(self, value: &T) -> Result<(), NotJson> {
        self.add(displayed_len(value)?)
    }
}

/// What an open array or object holds.
struct Items<'a> {
    measure: &'a mut Measure,
    levels: usize,
    first: bool,
    raw: bool,
}

impl Items<'_> {
    fn comma(&mut self) {
        self.measure.len += usize::from(!self.first);
        self.first = false;
    }

    fn item<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotJson> {
        self.comma();
        value
            .serialize(&mut *self.measure)
            .map_err(|error| error.within("[]"))
    }

    fn field<T: Serialize + ?Sized>(
        &mut self,
        name: &'static str,
        value: &T,
    ) -> Result<(), NotJson> {
        if self.raw {
            self.measure.raw = true;
            let done = value.serialize(&mut *self.measure);
            self.measure.raw = false;
            return done;
        }
        self.comma();
        self.measure.text(name)?;
        self.measure.len += 1;
        value
            .serialize(&mut *self.measure)
            .map_err(|error| error.within(name))
    }

    fn close(self) -> Result<(), NotJson> {
        self.measure.depth -= self.levels;
        Ok(())
    }
}

macro_rules! items {
    ($($trait:ident::$add:ident)*) => {$(
        impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = NotJson;
            fn $add<T: Serialize + ?Sized>(&mut self, value: &T) -> Result<(), NotJson> {
                self.item(value)
            }
            fn end(self) -> Result<(), NotJson> {
                self.close()
            }
        }
    )*};
}

macro_rules! fields {
    ($($trait:ident)*) => {$(
        impl ser::$trait for Items<'_> {
            type Ok = ();
            type Error = NotJson;
            fn serialize_field<T: Serialize + ?Sized>(
                &mut self,
                name: &'static str,
                value: &T,
            ) -> Result<(), NotJson> {
                self.field(name, value)
            }
            fn end(self) -> Result<(), NotJson> {
                self.close()
            }
        }
    )*};
}

items! {
    SerializeSeq::serialize_element
    SerializeTuple::serialize_element
    SerializeTupleStruct::serialize_field
    SerializeTupleVariant::serialize_field
}
fields! { SerializeStruct SerializeStructVariant }
