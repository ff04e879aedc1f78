//! Root values as they are stored, with the version of their shape: a value of version 1 is its JSON
//! itself, and one of any other version is `{"$version":3,"$state":…}`. A value of version 1 whose own JSON
//! begins like that is written in this form too, or a method's caller could choose what is read back.

use ordain_types::Json;

const HEAD: &[u8] = b"{\"$version\":";
const MIDDLE: &[u8] = b",\"$state\":";

/// Writes what `value` writes, and the version around it.
///
/// # Errors
/// That of `value`.
pub(crate) fn encode<E>(
    version: u32,
    out: &mut Vec<u8>,
    value: impl FnOnce(&mut Vec<u8>) -> Result<(), E>,
) -> Result<(), E> {
    let begin = out.len();
    if version != 1 {
        push_head(version, out);
    }
    value(out)?;
    let mut closed = version == 1;
    if closed && out[begin..].starts_with(HEAD) {
        let mut head = Vec::new();
        push_head(version, &mut head);
        out.splice(begin..begin, head);
        closed = false;
    }
    if !closed {
        out.push(b'}');
    }
    Ok(())
}

fn push_head(version: u32, out: &mut Vec<u8>) {
    out.extend_from_slice(HEAD);
    out.extend_from_slice(version.to_string().as_bytes());
    out.extend_from_slice(MIDDLE);
}

/// Bytes that [`encode`] writes around a value, unless its own look like that.
pub(crate) fn around(version: u32) -> usize {
    let digits = (version.checked_ilog10().unwrap_or(0) + 1) as usize;
    match version {
        1 => 0,
        _ => HEAD.len() + digits + MIDDLE.len() + 1,
    }
}

/// The version and the JSON of a stored value.
pub(crate) fn parse(stored: &[u8]) -> (u32, &[u8]) {
    let versioned = || {
        let rest = stored.strip_prefix(HEAD)?.strip_suffix(b"}")?;
        let end = rest.iter().position(|byte| !byte.is_ascii_digit())?;
        let version = std::str::from_utf8(&rest[..end]).ok()?.parse().ok()?;
        Some((version, rest[end..].strip_prefix(MIDDLE)?))
    };
    versioned().unwrap_or((1, stored))
}

/// The value alone, for people.
pub(crate) fn shown(stored: Json) -> Json {
    let (_, json) = parse(&stored);
    stored.slice_ref(json)
}
