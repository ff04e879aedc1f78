//! Values to JSON and back. What is encoded here can be read back: the rest is refused.

use std::fmt::{self, Display};

use ordain_types::Json;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::measure::encoded_len;

/// Why a value could not be read back if it were encoded as JSON.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct NotJson(Box<Place>); // boxed: measuring passes one up at every step

#[derive(Debug, Clone, PartialEq, Eq)]
struct Place {
    /// From the place up to the value: field and variant names, `[]` in a list, `{}` in a map.
    path: Vec<String>,
    reason: String,
}

impl NotJson {
    pub(crate) fn new(reason: impl Into<String>) -> Self {
        Self(Box::new(Place {
            path: Vec::new(),
            reason: reason.into(),
        }))
    }

    /// The same, seen from outside of `name`.
    pub(crate) fn within(mut self, name: &str) -> Self {
        self.0.path.push(name.to_owned());
        self
    }
}

impl Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (depth, name) in self.path.iter().rev().enumerate() {
            let before = if depth == 0 { "at `" } else { "." };
            write!(f, "{before}{name}")?;
        }
        let after = if self.path.is_empty() { "" } else { "`: " };
        write!(f, "{after}{}", self.reason)
    }
}

impl serde::ser::Error for NotJson {
    fn custom<T: Display>(message: T) -> Self {
        Self::new(message.to_string())
    }
}

/// The value as JSON without white space.
///
/// # Errors
/// Why it could not be read back.
pub fn to_json<T: Serialize + ?Sized>(value: &T) -> Result<Json, NotJson> {
    let mut json = Vec::new();
    append_json(value, &mut json)?;
    Ok(json.into())
}

/// Appends the value as JSON without white space.
///
/// # Errors
/// Why it could not be read back.
pub fn append_json<T: Serialize + ?Sized>(value: &T, out: &mut Vec<u8>) -> Result<(), NotJson> {
    let len = encoded_len(value)?;
    out.reserve_exact(len);
    let start = out.len();
    serde_json::to_writer(&mut *out, value).map_err(serde::ser::Error::custom)?;
    debug_assert_eq!(out.len() - start, len, "measured as written");
    Ok(())
}

/// The value that `json` holds; nothing may follow it.
///
/// # Errors
/// Why it does not decode.
pub fn from_json<T: DeserializeOwned>(json: &[u8]) -> Result<T, String> {
    serde_json::from_slice(json).map_err(|error| error.to_string())
}
