//! The ordered keys of durable state. A granule is the unit of storage and of conflict: an
//! entity's root value, one of its fields, or one row of a system table.
//!
//! ```text
//!   entity root   01 type 00 key 00
//!   field         01 type 00 key 00 field
//!   answered      02 caller 00 idempotency key
//!   send          03 seq(8, big endian) index(4, big endian)
//!   invocation    04 seq(8) index(4)
//!   expiry        05 timestamp(8) seq(8) index(4)
//!   meta          06 name
//!   package       07 hash(32)
//!   deployment    08 module 00 version(4, big endian)
//! ```
//!
//! Names and keys hold no control characters, so 00 sorts before everything they may hold: granules
//! of one entity are neighbours, its root first, and order is the order of the parts.

use std::fmt;

use crate::module::ModuleHash;
use crate::{EntityId, EntityType, FieldKey, Key, ModuleName, SendId, Seq, Timestamp};

/// The format of durable state: of these keys, and of the rows under them. A data directory and a backup say it, and
/// those of another are refused.
pub const FORMAT: u32 = 2;

const ENTITY: u8 = 1;
const ANSWERED: u8 = 2;
const SEND: u8 = 3;
const INVOCATION: u8 = 4;
const EXPIRY: u8 = 5;
const META: u8 = 6;
const PACKAGE: u8 = 7;
const DEPLOYMENT: u8 = 8;

/// The key of one granule of durable state.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Granule(Box<[u8]>);

/// What a granule's key says.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    /// An entity's root value.
    Root(EntityId),
    /// One field of an entity.
    Field(EntityId, FieldKey),
    /// An answered idempotency key of a caller.
    Answered(String, String),
    /// A pending send.
    Send(SendId),
    /// A delivered send's outcome.
    Invocation(SendId),
    /// A row of the expiry index.
    Expiry(Timestamp, SendId),
    /// A single value of the system.
    Meta(String),
    /// The package of a module.
    Package(ModuleHash),
    /// A line of a module's history.
    Deployment(ModuleName, u32),
}

impl Granule {
    /// An entity's root value.
    pub fn root(entity: &EntityId) -> Self {
        Self(Self::prefix(entity).into())
    }

    /// The bytes that all granules of the same entity or system table begin with, and no others; and
    /// the rest, which tells apart its granules: of an entity's root it is empty.
    pub fn split(&self) -> (&[u8], &[u8]) {
        let zeros = self.0.iter().enumerate().filter(|(_, byte)| **byte == 0);
        let len = match self.0.first() {
            Some(&ENTITY) => zeros.map(|(at, _)| at + 1).nth(1),
            _ => Some(1),
        };
        self.0
            .split_at(len.unwrap_or(self.0.len()).min(self.0.len()))
    }

    /// One field of an entity.
    pub fn field(entity: &EntityId, field: &FieldKey) -> Self {
        let field = field.as_str().as_bytes();
        let mut bytes = Self::prefix_with_room(entity, field.len());
        bytes.extend_from_slice(field);
        Self(bytes.into())
    }

    /// The bytes that all granules of one entity begin with, and no others: also its root's key.
    pub fn prefix(entity: &EntityId) -> Vec<u8> {
        Self::prefix_with_room(entity, 0)
    }

    /// Room for so much more is exact: what becomes a granule is not copied again.
    fn prefix_with_room(entity: &EntityId, more: usize) -> Vec<u8> {
        let (ty, key) = (entity.ty.as_str(), entity.key.as_str());
        let mut bytes = Vec::with_capacity(1 + ty.len() + 1 + key.len() + 1 + more);
        Self::write_prefix(&entity.ty, &entity.key, &mut bytes);
        bytes
    }

    /// Appends what [`Granule::prefix`] gives.
    pub fn write_prefix(ty: &EntityType, key: &Key, out: &mut Vec<u8>) {
        out.push(ENTITY);
        out.extend_from_slice(ty.as_str().as_bytes());
        out.push(0);
        out.extend_from_slice(key.as_str().as_bytes());
        out.push(0);
    }

    /// The bytes that all granules of one entity type begin with, and no others.
    pub fn type_prefix(ty: &EntityType) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(64);
        bytes.push(ENTITY);
        bytes.extend_from_slice(ty.as_str().as_bytes());
        bytes.push(0);
        bytes
    }

    /// The answer to a caller's idempotency key.
    pub fn answered(caller: &str, key: &str) -> Self {
        let mut bytes = Vec::with_capacity(1 + caller.len() + 1 + key.len());
        bytes.push(ANSWERED);
        bytes.extend_from_slice(caller.as_bytes());
        bytes.push(0);
        bytes.extend_from_slice(key.as_bytes());
        Self(bytes.into())
    }

    /// A pending send.
    pub fn send(id: SendId) -> Self {
        Self::numbers(SEND, &[id.seq.0], id.index)
    }

    /// A delivered send's outcome.
    pub fn invocation(id: SendId) -> Self {
        Self::numbers(INVOCATION, &[id.seq.0], id.index)
    }

    /// A row of the expiry index: what is to be forgotten at `at`.
    pub fn expiry(at: Timestamp, id: SendId) -> Self {
        Self::numbers(EXPIRY, &[at.0, id.seq.0], id.index)
    }

    /// A single value of the system.
    pub fn meta(name: &str) -> Self {
        let mut bytes = vec![META];
        bytes.extend_from_slice(name.as_bytes());
        Self(bytes.into())
    }

    /// The package of a module.
    pub fn package(hash: &ModuleHash) -> Self {
        let mut bytes = vec![PACKAGE];
        bytes.extend_from_slice(&hash.0);
        Self(bytes.into())
    }

    /// A line of a module's history.
    pub fn deployment(module: &ModuleName, version: u32) -> Self {
        let mut bytes = Self::deployments(module);
        bytes.extend_from_slice(&version.to_be_bytes());
        Self(bytes.into())
    }

    /// What the lines of a module's history begin with, and no others.
    pub fn deployments(module: &ModuleName) -> Vec<u8> {
        let mut bytes = vec![DEPLOYMENT];
        bytes.extend_from_slice(module.as_str().as_bytes());
        bytes.push(0);
        bytes
    }

    /// The prefix of all modules' histories.
    pub fn all_deployments() -> &'static [u8] {
        &[DEPLOYMENT]
    }

    /// The prefix of all pending sends.
    pub fn sends() -> &'static [u8] {
        &[SEND]
    }

    /// The prefix of the expiry index.
    pub fn expiries() -> &'static [u8] {
        &[EXPIRY]
    }

    /// The prefix of all entities.
    pub fn entities() -> &'static [u8] {
        &[ENTITY]
    }

    fn numbers(table: u8, numbers: &[u64], index: u32) -> Self {
        let mut bytes = Vec::with_capacity(21);
        bytes.push(table);
        for number in numbers {
            bytes.extend_from_slice(&number.to_be_bytes());
        }
        bytes.extend_from_slice(&index.to_be_bytes());
        Self(bytes.into())
    }

    /// The key as stored.
    pub fn as_bytes(&self) -> &[u8] {
        &self.0
    }

    /// Takes a key as stored. It is checked only by [`Granule::part`].
    pub fn from_bytes(bytes: &[u8]) -> Self {
        Self(bytes.into())
    }

    /// What the key says; none if it is no granule's key.
    pub fn part(&self) -> Option<Part> {
        let (table, rest) = self.0.split_first()?;
        match *table {
            ENTITY => entity_part(rest),
            ANSWERED => {
                let (caller, key) = split_zero(rest)?;
                Some(Part::Answered(
                    caller.to_owned(),
                    std::str::from_utf8(key).ok()?.to_owned(),
                ))
            }
            SEND => Some(Part::Send(send_id(rest)?)),
            INVOCATION => Some(Part::Invocation(send_id(rest)?)),
            EXPIRY => {
                let (at, rest) = rest.split_first_chunk::<8>()?;
                Some(Part::Expiry(
                    Timestamp(u64::from_be_bytes(*at)),
                    send_id(rest)?,
                ))
            }
            META => Some(Part::Meta(std::str::from_utf8(rest).ok()?.to_owned())),
            PACKAGE => Some(Part::Package(ModuleHash(rest.try_into().ok()?))),
            DEPLOYMENT => {
                let (module, version) = split_zero(rest)?;
                let version = u32::from_be_bytes(version.try_into().ok()?);
                Some(Part::Deployment(ModuleName::new(module).ok()?, version))
            }
            _ => None,
        }
    }
}

/// The first eight bytes of a key as a number, zeros for those that are not there. Where two keys' numbers
/// differ, they are in the order of the keys: most are told apart without reading more of them.
pub fn head(key: &[u8]) -> u64 {
    let head = key.first_chunk().copied().unwrap_or_else(|| {
        let mut head = [0; 8];
        head[..key.len()].copy_from_slice(key);
        head
    });
    u64::from_be_bytes(head)
}

/// The smallest byte string greater than all that begin with `prefix`; none if there is no such.
pub fn prefix_end(prefix: &[u8]) -> Option<Vec<u8>> {
    let last = prefix.iter().rposition(|&byte| byte != u8::MAX)?;
    let mut end = prefix[..=last].to_vec();
    end[last] += 1;
    Some(end)
}

/// The same of texts: the smallest greater than all that begin with `prefix`.
pub fn text_prefix_end(prefix: &str) -> Option<String> {
    let mut chars: Vec<char> = prefix.chars().collect();
    while let Some(last) = chars.pop() {
        let next = match last {
            '\u{D7FF}' => Some('\u{E000}'),
            last => char::from_u32(last as u32 + 1),
        };
        if let Some(next) = next {
            chars.push(next);
            return Some(chars.into_iter().collect());
        }
    }
    None
}

fn split_zero(bytes: &[u8]) -> Option<(&str, &[u8])> {
    let zero = bytes.iter().position(|&byte| byte == 0)?;
    Some((
        std::str::from_utf8(&bytes[..zero]).ok()?,
        &bytes[zero + 1..],
    ))
}

fn entity_part(bytes: &[u8]) -> Option<Part> {
    let (ty, rest) = split_zero(bytes)?;
    let (key, field) = split_zero(rest)?;
    let entity = EntityId {
        ty: EntityType::new(ty).ok()?,
        key: Key::new(key).ok()?,
    };
    match field.is_empty() {
        true => Some(Part::Root(entity)),
        false => Some(Part::Field(
            entity,
            FieldKey::new(std::str::from_utf8(field).ok()?).ok()?,
        )),
    }
}

fn send_id(bytes: &[u8]) -> Option<SendId> {
    let (seq, index) = bytes.split_first_chunk::<8>()?;
    let index: &[u8; 4] = index.try_into().ok()?;
    Some(SendId {
        seq: Seq(u64::from_be_bytes(*seq)),
        index: u32::from_be_bytes(*index),
    })
}

/// Granules order as their bytes do, so a map of them can be ranged over by bytes.
impl std::borrow::Borrow<[u8]> for Granule {
    fn borrow(&self) -> &[u8] {
        &self.0
    }
}

impl fmt::Debug for Granule {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.part() {
            Some(part) => write!(f, "{part:?}"),
            None => write!(f, "Granule({:02x?})", self.0),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entity(key: &str) -> EntityId {
        EntityId::new("account", key).unwrap()
    }

    #[test]
    fn golden_bytes() {
        let id = SendId {
            seq: Seq(258),
            index: 3,
        };
        let field = FieldKey::new("l/1").unwrap();
        assert_eq!(
            Granule::root(&entity("al")).as_bytes(),
            b"\x01account\0al\0"
        );
        assert_eq!(
            Granule::field(&entity("al"), &field).as_bytes(),
            b"\x01account\0al\0l/1"
        );
        assert_eq!(Granule::answered("me", "k").as_bytes(), b"\x02me\0k");
        assert_eq!(
            Granule::send(id).as_bytes(),
            b"\x03\0\0\0\0\0\0\x01\x02\0\0\0\x03"
        );
        assert_eq!(
            Granule::invocation(id).as_bytes(),
            b"\x04\0\0\0\0\0\0\x01\x02\0\0\0\x03"
        );
        assert_eq!(
            Granule::expiry(Timestamp(1), id).as_bytes(),
            b"\x05\0\0\0\0\0\0\0\x01\0\0\0\0\0\0\x01\x02\0\0\0\x03"
        );
        assert_eq!(Granule::meta("log").as_bytes(), b"\x06log");
        let hash = ModuleHash([7; 32]);
        assert_eq!(Granule::package(&hash).as_bytes(), [7; 33]);
        let module = ModuleName::new("bank").unwrap();
        assert_eq!(
            Granule::deployment(&module, 258).as_bytes(),
            b"\x08bank\0\0\0\x01\x02"
        );
    }

    #[test]
    fn parts_round_trip_and_garbage_is_none() {
        let id = SendId {
            seq: Seq(9),
            index: 1,
        };
        let field = FieldKey::new("f").unwrap();
        let all = [
            (Granule::root(&entity("a")), Part::Root(entity("a"))),
            (
                Granule::field(&entity("a"), &field),
                Part::Field(entity("a"), field),
            ),
            (
                Granule::answered("", "k"),
                Part::Answered(String::new(), "k".into()),
            ),
            (Granule::send(id), Part::Send(id)),
            (Granule::invocation(id), Part::Invocation(id)),
            (
                Granule::expiry(Timestamp(7), id),
                Part::Expiry(Timestamp(7), id),
            ),
            (Granule::meta("x"), Part::Meta("x".into())),
            (
                Granule::package(&ModuleHash([1; 32])),
                Part::Package(ModuleHash([1; 32])),
            ),
            (
                Granule::deployment(&ModuleName::new("m").unwrap(), 3),
                Part::Deployment(ModuleName::new("m").unwrap(), 3),
            ),
        ];
        for (granule, part) in all {
            assert_eq!(granule.part(), Some(part));
        }
        for bad in [
            &b""[..],
            b"\x01",
            b"\x01a\0",
            b"\x01A\0k\0",
            b"\x03123",
            b"\x09",
            b"\x07short",
            b"\x08m\0\0",
            b"\x01a\0\0",
        ] {
            assert_eq!(Granule::from_bytes(bad).part(), None, "{bad:?}");
        }
    }

    #[test]
    fn an_entity_and_its_fields_are_neighbours() {
        let prefix = Granule::prefix(&entity("a"));
        let end = prefix_end(&prefix).unwrap();
        let field = Granule::field(&entity("a"), &FieldKey::new("\u{10ffff}").unwrap());
        assert!(field.as_bytes() < &end[..]);
        assert!(Granule::root(&entity("a!")).as_bytes() >= &end[..]);
        assert_eq!(prefix_end(&[1, 255]), Some(vec![2]));
        assert_eq!(prefix_end(&[255]), None);
    }

    #[test]
    fn the_end_of_a_text_s_prefix() {
        assert_eq!(text_prefix_end("line/").as_deref(), Some("line0"));
        assert_eq!(text_prefix_end("a\u{10FFFF}").as_deref(), Some("b"));
        assert_eq!(text_prefix_end("a\u{D7FF}").as_deref(), Some("a\u{E000}"));
        assert_eq!(text_prefix_end("\u{10FFFF}"), None);
        assert_eq!(text_prefix_end(""), None);
    }
}
