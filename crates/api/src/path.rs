//! Paths that hold names and keys: written and read with exactly the same percent-encoding.
//!
//! Reading takes the raw path, as it came in the request line: a decoded one cannot tell a `/` of
//! the key from one between segments. A `+` is a plus. What a path means to entities is not known
//! here.

use std::borrow::Cow;
use std::fmt;

use ordain_types::{EntityId, EntityType, Key, Method, ModuleName, NameError, SendId};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, percent_decode_str, utf8_percent_encode};

use crate::call::Op;
use crate::error::{Code, Problem};
use crate::routes;

/// All that RFC 3986 does not call unreserved.
const RESERVED: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~');

/// `/v1/{call,query,send}/{entity}/{key}/{method}`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MethodPath {
    /// What is asked for.
    pub op: Op,
    /// Of whom.
    pub entity: EntityId,
    /// Which method.
    pub method: Method,
}

/// Why a path was refused.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PathError {
    /// Another number of segments, or another beginning.
    #[error("the path is not of the form {form}")]
    Form {
        /// What was expected.
        form: &'static str,
        /// What came.
        path: String,
    },
    /// A `%` without two hexadecimal digits after it.
    #[error("{what} in the path has a % at byte {at} without two hexadecimal digits after it")]
    Escape {
        /// Which segment.
        what: &'static str,
        /// The byte within the segment.
        at: usize,
    },
    /// Bytes that are not UTF-8 once decoded.
    #[error("{what} in the path is not UTF-8 once its percent-encoding is undone")]
    Utf8 {
        /// Which segment.
        what: &'static str,
    },
    /// Decoded, but no name or key.
    #[error(transparent)]
    Name(#[from] NameError),
}

impl From<PathError> for Problem {
    fn from(error: PathError) -> Self {
        let code = match &error {
            PathError::Form { path, .. } => return Problem::no_route(path),
            PathError::Name(_) => {
                let PathError::Name(name) = error else {
                    unreachable!("just matched")
                };
                return name.into();
            }
            PathError::Escape { what, .. } | PathError::Utf8 { what } if *what == "the key" => {
                Code::BadKey
            }
            PathError::Escape { .. } | PathError::Utf8 { .. } => Code::BadName,
        };
        Problem::new(code, error.to_string())
    }
}

impl MethodPath {
    /// Reads the raw path of a call, query or send, without its query string.
    ///
    /// # Errors
    /// If it is no such path, or a segment is badly encoded or no valid name or key.
    pub fn parse(raw: &str) -> Result<Self, PathError> {
        let form = || PathError::Form {
            form: "/v1/{call,query,send}/{entity}/{key}/{method}",
            path: raw.to_owned(),
        };
        let ops = [Op::Call, Op::Query, Op::Send];
        let (op, rest) = ops
            .into_iter()
            .find_map(|op| Some((op, below(raw, op.route())?)))
            .ok_or_else(form)?;
        let [entity, key, method] = segments(rest).ok_or_else(form)?;
        Ok(Self {
            op,
            entity: entity_id(entity, key)?,
            method: Method::new(&decode("the method", method)?)?,
        })
    }
}

impl fmt::Display for MethodPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", method_path(self.op, &self.entity, &self.method))
    }
}

/// The path of a call, query or send.
pub fn method_path(op: Op, entity: &EntityId, method: &Method) -> String {
    let (ty, key) = (entity.ty.as_str(), encode(entity.key.as_str()));
    format!("{}/{ty}/{key}/{method}", op.route())
}

/// The path of an entity's state.
pub fn entity_path(entity: &EntityId) -> String {
    let (ty, key) = (entity.ty.as_str(), encode(entity.key.as_str()));
    format!("{}/{ty}/{key}", routes::ENTITIES)
}

/// Reads the raw path of an entity's state.
///
/// # Errors
/// If it is no such path, or a segment is badly encoded or no valid name or key.
pub fn parse_entity_path(raw: &str) -> Result<EntityId, PathError> {
    let form = || PathError::Form {
        form: "/v1/entities/{type}/{key}",
        path: raw.to_owned(),
    };
    let rest = below(raw, routes::ENTITIES).ok_or_else(form)?;
    let [ty, key] = segments(rest).ok_or_else(form)?;
    entity_id(ty, key)
}

/// The path of a send's invocation.
pub fn invocation_path(id: SendId) -> String {
    format!("{}/{id}", routes::INVOCATIONS)
}

/// Reads the raw path of an invocation.
///
/// # Errors
/// A problem that says there is no such invocation.
pub fn parse_invocation_path(raw: &str) -> Result<SendId, Problem> {
    let id = below(raw, routes::INVOCATIONS).ok_or_else(|| Problem::no_route(raw))?;
    id.parse().map_err(|_| Problem::no_invocation(id))
}

/// The path of a module.
pub fn module_path(name: &ModuleName) -> String {
    format!("{}/{name}", routes::MODULES)
}

/// The path of a module's rollback.
pub fn rollback_path(name: &ModuleName) -> String {
    format!("{}/{name}/{}", routes::MODULES, routes::ROLLBACK)
}

/// Reads the raw path of a module, or of its rollback.
///
/// # Errors
/// What is wrong with the name, or that it is no such path.
pub fn parse_module_path(raw: &str) -> Result<ModuleName, PathError> {
    let form = || PathError::Form {
        form: "/v1/admin/modules/{name}",
        path: raw.to_owned(),
    };
    let rest = below(raw, routes::MODULES).ok_or_else(form)?;
    let name = match segments(rest) {
        Some([name]) => name,
        None => match segments(rest) {
            Some([name, routes::ROLLBACK]) => name,
            _ => return Err(form()),
        },
    };
    Ok(ModuleName::new(&decode("the module's name", name)?)?)
}

/// A query string's value, written so that it reads back the same.
pub fn encode_query_value(value: &str) -> Cow<'_, str> {
    utf8_percent_encode(value, RESERVED).into()
}

/// One segment. `.` and `..` are encoded although they need not be: libraries on the way remove
/// such segments, though some do so even when they are encoded.
fn encode(text: &str) -> Cow<'_, str> {
    match text {
        "." => "%2E".into(),
        ".." => "%2E%2E".into(),
        text => utf8_percent_encode(text, RESERVED).into(),
    }
}

fn entity_id(ty: &str, key: &str) -> Result<EntityId, PathError> {
    Ok(EntityId {
        ty: EntityType::new(&decode("the entity type", ty)?)?,
        key: Key::new(&decode("the key", key)?)?,
    })
}

fn decode<'p>(what: &'static str, segment: &'p str) -> Result<Cow<'p, str>, PathError> {
    let bytes = segment.as_bytes();
    for at in (0..bytes.len()).filter(|&at| bytes[at] == b'%') {
        let digits = bytes.get(at + 1..at + 3);
        if !digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
            return Err(PathError::Escape { what, at });
        }
    }
    let decoded = percent_decode_str(segment).decode_utf8();
    decoded.map_err(|_| PathError::Utf8 { what })
}

/// What follows `route` and a slash.
fn below<'p>(raw: &'p str, route: &str) -> Option<&'p str> {
    raw.strip_prefix(route)?.strip_prefix('/')
}

/// Exactly `N` segments. Empty ones are kept: an empty key is refused as a key.
fn segments<const N: usize>(rest: &str) -> Option<[&str; N]> {
    let mut all = rest.split('/');
    let mut found = [""; N];
    for slot in &mut found {
        *slot = all.next()?;
    }
    all.next().is_none().then_some(found)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn parse(raw: &str) -> Result<String, String> {
        match MethodPath::parse(raw) {
            Ok(path) => Ok(format!("{} {}.{}", path.op, path.entity, path.method)),
            Err(error) => Err(Problem::from(error).code.to_string()),
        }
    }

    #[test]
    fn paths_are_read_exactly() {
        for (raw, read) in [
            (
                "/v1/call/account/alice/deposit",
                "call account/alice.deposit",
            ),
            (
                "/v1/query/account/alice/balance",
                "query account/alice.balance",
            ),
            ("/v1/send/account/a%2Fb/deposit", "send account/a/b.deposit"),
            ("/v1/call/account/a+b/deposit", "call account/a+b.deposit"),
            ("/v1/call/account/a%20b/deposit", "call account/a b.deposit"),
            ("/v1/call/account/%25/deposit", "call account/%.deposit"),
            ("/v1/call/account/%C3%BC/deposit", "call account/ü.deposit"),
            ("/v1/call/account/%c3%bc/deposit", "call account/ü.deposit"),
            ("/v1/call/account/ü/deposit", "call account/ü.deposit"),
            ("/v1/call/account/%2E%2E/deposit", "call account/...deposit"),
            ("/v1/call/acc%6Funt/a/deposit", "call account/a.deposit"),
        ] {
            assert_eq!(parse(raw).as_deref(), Ok(read), "{raw}");
        }
    }

    #[test]
    fn everything_else_is_refused_with_its_code() {
        for (raw, code) in [
            ("/v1/call/account//deposit", "bad_key"),
            ("/v1/call/account/%/deposit", "bad_key"),
            ("/v1/call/account/%2/deposit", "bad_key"),
            ("/v1/call/account/%zz/deposit", "bad_key"),
            ("/v1/call/account/%+1/deposit", "bad_key"),
            ("/v1/call/account/%FF/deposit", "bad_key"),
            ("/v1/call/account/%C3/deposit", "bad_key"),
            ("/v1/call/account/%00/deposit", "bad_key"),
            ("/v1/call/account/a%0Ab/deposit", "bad_key"),
            ("/v1/call/%ZZ/a/deposit", "bad_name"),
            ("/v1/call/Account/a/deposit", "bad_name"),
            ("/v1/call/account/a/", "bad_name"),
            ("/v1/call//a/deposit", "bad_name"),
            ("/v1/call/account/a/de%2Fposit", "bad_name"),
            ("/v1/call/account/a", "not_found"),
            ("/v1/call/account/a/deposit/", "not_found"),
            ("/v1/call/account/a/b/deposit", "not_found"),
            ("/v1/callaccount/a/deposit", "not_found"),
            ("/v2/call/account/a/deposit", "not_found"),
            ("", "not_found"),
        ] {
            assert_eq!(parse(raw), Err(code.to_owned()), "{raw}");
        }
        let long = format!("/v1/call/account/{}/deposit", "k".repeat(513));
        assert_eq!(parse(&long), Err("bad_key".to_owned()));
    }

    #[test]
    fn other_paths_round_trip() {
        let entity = EntityId::new("account", "a/b c").unwrap();
        assert_eq!(entity_path(&entity), "/v1/entities/account/a%2Fb%20c");
        assert_eq!(parse_entity_path(&entity_path(&entity)), Ok(entity));
        let id: SendId = "12.3".parse().unwrap();
        assert_eq!(parse_invocation_path(&invocation_path(id)).unwrap(), id);
        for bad in [
            "/v1/invocations/12",
            "/v1/invocations/",
            "/v1/invocations/1.0/",
        ] {
            assert_eq!(parse_invocation_path(bad).unwrap_err().status, 404, "{bad}");
        }
    }

    #[test]
    fn paths_of_modules_round_trip() {
        let name = ModuleName::new("bank").unwrap();
        assert_eq!(module_path(&name), "/v1/admin/modules/bank");
        assert_eq!(rollback_path(&name), "/v1/admin/modules/bank/rollback");
        for good in [module_path(&name), rollback_path(&name)] {
            assert_eq!(parse_module_path(&good), Ok(name.clone()));
        }
        for (raw, status) in [
            ("/v1/admin/modules/", 400),
            ("/v1/admin/modules/Bank", 400),
            ("/v1/admin/modules/%ff", 400),
            ("/v1/admin/modules/ba%2Fnk", 400),
            ("/v1/admin/modules/bank/", 404),
            ("/v1/admin/modules/bank/roll", 404),
            ("/v1/admin/modules/bank/rollback/", 404),
            ("/v1/admin/modules", 404),
        ] {
            let refused = Problem::from(parse_module_path(raw).unwrap_err());
            assert_eq!(refused.status, status, "{raw}");
        }
    }

    proptest! {
        #[test]
        fn every_key_round_trips_and_stays_in_its_segment(
            key in "[^\\x00-\\x1f\\x7f-\\x9f]{1,60}"
        ) {
            let path = MethodPath {
                op: Op::Send,
                entity: EntityId::new("account", &key).unwrap(),
                method: Method::new("deposit").unwrap(),
            };
            let raw = path.to_string();
            prop_assert!(raw.bytes().all(|b| b.is_ascii_graphic() && !b"?#+".contains(&b)));
            prop_assert_eq!(raw.matches('/').count(), 5);
            prop_assert_eq!(MethodPath::parse(&raw), Ok(path));
        }

        #[test]
        fn no_path_makes_it_panic(rest in ".{0,60}") {
            let _ = MethodPath::parse(&rest);
            let _ = MethodPath::parse(&format!("/v1/call/{rest}"));
            let _ = parse_entity_path(&format!("/v1/entities/{rest}"));
        }
    }
}
