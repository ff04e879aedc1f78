//! Names, keys and positions. Every one is checked where it is made, so that whoever holds one
//! need not check again.

use std::fmt;

use compact_str::CompactString;
use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use crate::limits;

/// A command's position in the log; also the name of its transaction. The first is 1.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Seq(pub u64);

impl Seq {
    /// Before the first command.
    pub const ZERO: Seq = Seq(0);

    /// The last that a state may stand for. It leaves room for more than will ever run: no log comes to it, and what
    /// says that it did is made up.
    pub const MAX: Seq = Seq(u64::MAX / 2);

    /// The position after this one.
    pub fn next(self) -> Seq {
        Seq(self.0 + 1)
    }

    /// The position `count` after this one.
    pub fn plus(self, count: u64) -> Seq {
        Seq(self.0 + count)
    }
}

impl fmt::Display for Seq {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// Milliseconds since the Unix epoch, as the log says; never read from a machine's clock below the node.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize,
)]
#[serde(transparent)]
pub struct Timestamp(pub u64);

impl Timestamp {
    /// This time and `ms` milliseconds more, at most the largest there is.
    pub fn plus_ms(self, ms: u64) -> Timestamp {
        Timestamp(self.0.saturating_add(ms))
    }
}

/// Why a name or key was refused. The message names what was wrong with it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing in it.
    #[error("{what} is empty")]
    Empty {
        /// What was being named.
        what: &'static str,
    },
    /// Longer than its limit.
    #[error("{what} has {bytes} bytes, more than the limit of {limit}")]
    TooLong {
        /// What was being named.
        what: &'static str,
        /// Its length.
        bytes: usize,
        /// The limit.
        limit: usize,
    },
    /// A control character in a key.
    #[error("{what} holds the control character U+{code:04X} at byte {at}")]
    Control {
        /// What was being named.
        what: &'static str,
        /// The character's code point.
        code: u32,
        /// Its place.
        at: usize,
    },
    /// A character that names may not have.
    #[error("{what} `{name}` may hold only a-z, 0-9 and _ and must begin with a letter")]
    Charset {
        /// What was being named.
        what: &'static str,
        /// The name as given.
        name: String,
    },
    /// Not the id of a send.
    #[error("`{0}` is no invocation id: one is what a send is answered with, of the form 1234.0")]
    SendId(String),
    /// Not of the form `type/key`.
    #[error("`{0}` is not of the form type/key, as in account/alice")]
    Form(String),
}

fn check_key(what: &'static str, text: &str, limit: usize) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > limit {
        return Err(NameError::TooLong {
            what,
            bytes: text.len(),
            limit,
        });
    }
    match text.char_indices().find(|(_, c)| c.is_control()) {
        Some((at, c)) => Err(NameError::Control {
            what,
            code: c as u32,
            at,
        }),
        None => Ok(()),
    }
}

/// Checks the name of who calls: empty if unknown, else as a key, but for its length.
///
/// # Errors
/// What is wrong with it.
pub fn check_caller(caller: &str) -> Result<(), NameError> {
    match caller {
        "" => Ok(()),
        _ => check_key("the caller's name", caller, limits::CALLER_BYTES_MAX),
    }
}

fn check_name(what: &'static str, text: &str) -> Result<(), NameError> {
    if text.is_empty() {
        return Err(NameError::Empty { what });
    }
    if text.len() > limits::NAME_BYTES_MAX {
        return Err(NameError::TooLong {
            what,
            bytes: text.len(),
            limit: limits::NAME_BYTES_MAX,
        });
    }
    let good = text
        .bytes()
        .all(|b| matches!(b, b'a'..=b'z' | b'0'..=b'9' | b'_'));
    if !good || !text.as_bytes()[0].is_ascii_lowercase() {
        return Err(NameError::Charset {
            what,
            name: text.chars().take(80).collect(),
        });
    }
    Ok(())
}

macro_rules! text_id {
    ($(#[$doc:meta])* $name:ident, $what:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Deserialize)]
        #[serde(try_from = "CompactString")]
        pub struct $name(CompactString);

        impl $name {
            /// Checks and takes `text`.
            ///
            /// # Errors
            /// What is wrong with it.
            pub fn new(text: &str) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(text)?;
                Ok(Self(CompactString::from(text)))
            }

            /// The text.
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        /// Texts order as their names do, so a map of names can be asked by text.
        impl std::borrow::Borrow<str> for $name {
            fn borrow(&self) -> &str {
                &self.0
            }
        }

        impl TryFrom<CompactString> for $name {
            type Error = NameError;
            fn try_from(text: CompactString) -> Result<Self, NameError> {
                let check: fn(&str) -> Result<(), NameError> = $check;
                check(&text)?;
                Ok(Self(text))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
                serializer.serialize_str(&self.0)
            }
        }

        impl std::str::FromStr for $name {
            type Err = NameError;
            fn from_str(text: &str) -> Result<Self, NameError> {
                Self::new(text)
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(&self.0)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "{:?}", self.as_str())
            }
        }
    };
}

text_id! {
    /// The key of an entity within its type: 1 to 512 bytes of UTF-8 without control characters.
    Key, "the key", |t| check_key("the key", t, limits::KEY_BYTES_MAX)
}
text_id! {
    /// The key of a field within its entity: 1 to 512 bytes of UTF-8 without control characters.
    FieldKey, "the field key", |t| check_key("the field key", t, limits::FIELD_KEY_BYTES_MAX)
}
text_id! {
    /// The name of an entity type: `[a-z][a-z0-9_]*`, at most 64 bytes.
    EntityType, "the entity type", |t| check_name("the entity type", t)
}
text_id! {
    /// The name of a method: `[a-z][a-z0-9_]*`, at most 64 bytes.
    Method, "the method", |t| check_name("the method", t)
}
text_id! {
    /// The name of a module: `[a-z][a-z0-9_]*`, at most 64 bytes.
    ModuleName, "the module's name", |t| check_name("the module's name", t)
}
text_id! {
    /// A client's name for one request, by which a retry is known: 1 to 256 bytes of UTF-8 without
    /// control characters.
    IdempotencyKey, "the idempotency key",
    |t| check_key("the idempotency key", t, limits::IDEMPOTENCY_KEY_BYTES_MAX)
}

/// An entity's address: its type and its key, written `account/alice`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub struct EntityId {
    /// The entity type.
    pub ty: EntityType,
    /// The key within the type.
    pub key: Key,
}

impl EntityId {
    /// Checks and takes both parts.
    ///
    /// # Errors
    /// What is wrong with either.
    pub fn new(ty: &str, key: &str) -> Result<Self, NameError> {
        Ok(Self {
            ty: EntityType::new(ty)?,
            key: Key::new(key)?,
        })
    }
}

impl fmt::Display for EntityId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.ty, self.key)
    }
}

impl std::str::FromStr for EntityId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let (ty, key) = text
            .split_once('/')
            .ok_or_else(|| NameError::Form(text.to_owned()))?;
        Self::new(ty, key)
    }
}

/// The name of one send: the seq of the transaction that asked for it and its place among that
/// transaction's sends. Written `1234.0`, in JSON too; where no one reads it, as its two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct SendId {
    /// The asking transaction.
    pub seq: Seq,
    /// Its place, from 0.
    pub index: u32,
}

impl fmt::Display for SendId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{}", self.seq, self.index)
    }
}

impl std::str::FromStr for SendId {
    type Err = NameError;
    fn from_str(text: &str) -> Result<Self, NameError> {
        let parse = || {
            let (seq, index) = text.split_once('.')?;
            Some(SendId {
                seq: Seq(seq.parse().ok()?),
                index: index.parse().ok()?,
            })
        };
        parse()
            .filter(|id| id.to_string() == text)
            .ok_or_else(|| NameError::SendId(text.chars().take(80).collect()))
    }
}

/// The numbers of a [`SendId`]: in log and store, and in states that an earlier version wrote.
#[derive(Serialize, Deserialize)]
#[serde(rename = "SendId")]
struct SendIdParts {
    seq: Seq,
    index: u32,
}

impl Serialize for SendId {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        if serializer.is_human_readable() {
            return serializer.collect_str(self);
        }
        let Self { seq, index } = *self;
        SendIdParts { seq, index }.serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for SendId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        #[derive(Deserialize)]
        #[serde(untagged, expecting = "the id of a send, as in \"1234.0\"")]
        enum Readable {
            Text(CompactString),
            Parts(SendIdParts),
        }
        let parts = match deserializer.is_human_readable() {
            false => SendIdParts::deserialize(deserializer)?,
            true => match Readable::deserialize(deserializer)? {
                Readable::Text(text) => return text.parse().map_err(de::Error::custom),
                Readable::Parts(parts) => parts,
            },
        };
        let SendIdParts { seq, index } = parts;
        Ok(Self { seq, index })
    }
}

/// A UUID as text: lower case, with hyphens (RFC 9562).
pub fn uuid_text(uuid: u128) -> String {
    let digits = format!("{uuid:032x}");
    let parts = [
        &digits[..8],
        &digits[8..12],
        &digits[12..16],
        &digits[16..20],
        &digits[20..],
    ];
    parts.join("-")
}

/// 128 random bits made once, when a log is created: what tells two logs apart.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct LogId(pub u128);

impl fmt::Display for LogId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:032x}", self.0)
    }
}

/// Which code runs the native methods: the hash of the program, or a name its user pinned.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct BuildId(pub String);

impl fmt::Display for BuildId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_are_checked() {
        assert!(Key::new("alice/ünï").is_ok());
        assert_eq!(Key::new(""), Err(NameError::Empty { what: "the key" }));
        assert!(matches!(
            Key::new("a\nb"),
            Err(NameError::Control {
                code: 10,
                at: 1,
                ..
            })
        ));
        assert!(matches!(
            Key::new("a\u{85}"),
            Err(NameError::Control { .. })
        ));
        assert!(Key::new(&"k".repeat(512)).is_ok());
        assert!(matches!(
            Key::new(&"k".repeat(513)),
            Err(NameError::TooLong { .. })
        ));
    }

    #[test]
    fn a_uuid_has_its_hyphens() {
        let text = uuid_text(0x0123_4567_89ab_7def_8123_4567_89ab_cdef);
        assert_eq!(text, "01234567-89ab-7def-8123-456789abcdef");
        assert_eq!(uuid_text(1), "00000000-0000-0000-0000-000000000001");
    }

    #[test]
    fn names_are_checked() {
        assert!(EntityType::new("account_2").is_ok());
        for bad in ["", "2a", "Account", "a-b", "_a", "a b", &"a".repeat(65)] {
            assert!(EntityType::new(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn send_ids_round_trip_as_text() {
        let id = SendId {
            seq: Seq(12),
            index: 3,
        };
        assert_eq!("12.3".parse(), Ok(id));
        for bad in ["", "12", "12.", "012.3", "12.3.4", "+1.2", "a.b"] {
            assert!(bad.parse::<SendId>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_send_id_is_its_two_numbers_in_log_and_store() {
        let id = SendId {
            seq: Seq(300),
            index: 3,
        };
        let bytes = postcard::to_stdvec(&id).unwrap();
        assert_eq!(bytes, [0xac, 0x02, 3]);
        assert_eq!(postcard::from_bytes::<SendId>(&bytes).unwrap(), id);
    }
}
