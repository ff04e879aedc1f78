//! How every failure is answered: an RFC 9457 problem document with a stable code.
//!
//! A program looks at [`Document::kind`] first, then at [`Document::code`]: the codes of rejections
//! belong to the methods and may be any word, also one of the table's. This module does not know
//! where a failure comes from or how it is sent.

mod facts;
mod table;

use std::borrow::Cow;
use std::fmt;
use std::ops::{Deref, DerefMut};

use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

pub use facts::ArgumentFault;
pub use table::{Code, Kind};

use crate::replies::Progress;

/// The media type of a problem document.
pub const PROBLEM_JSON: &str = "application/problem+json";

/// Where the server serves [`HELP_TEXT`], and the file it is in the repository.
pub const HELP_PATH: &str = "/docs/errors.md";

/// The page with an entry per code: what happened and what to do.
pub const HELP_TEXT: &str = include_str!("../../../../docs/errors.md");

/// Which limit was broken, and what it is.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// The limit's name, as in the documentation.
    pub name: Cow<'static, str>,
    /// The most it allows.
    pub max: u64,
}

/// A problem document (RFC 9457): the body of every answer that is not a value. Its members are
/// those of [`Document`], behind a pointer: results that rarely are problems stay small.
///
/// The same outcome always gives the same bytes, so a retry with an idempotency key is answered
/// byte for byte as the first time.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Problem(Box<Document>);

/// The members of a problem document.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Document {
    /// The help entry, as a reference relative to the server: `/docs/errors.md#bad_key`.
    #[serde(rename = "type")]
    pub help: Cow<'static, str>,
    /// What the code means, the same for every occurrence.
    pub title: Cow<'static, str>,
    /// The HTTP status.
    pub status: u16,
    /// What was attempted, what went wrong and what to do; a rejection's own message.
    pub detail: String,
    /// Who is saying so; look at this first.
    pub kind: Kind,
    /// Stable, for programs. Of a rejection, the method's own.
    pub code: Cow<'static, str>,
    /// What a rejection adds: any JSON.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub details: Option<Box<RawValue>>,
    /// Where a fault happened: `account/alice.withdraw`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub at: Option<String>,
    /// The stack of a fault in the module's own terms; only for the admin scope, or in development.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub trace: Option<String>,
    /// Which file of a module is wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub file: Option<String>,
    /// On which line, from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub line: Option<u32>,
    /// In which column, in characters from 1.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub column: Option<u32>,
    /// Which argument, query parameter, header or member was wrong.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub field: Option<String>,
    /// Names that exist and are like the unknown one.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub near: Vec<String>,
    /// The limit that was broken.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub limit: Option<Limit>,
    /// The scope that was missing.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub scope: Option<Cow<'static, str>>,
    /// How far a start has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// When to try again, in milliseconds from now.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub retry_after_ms: Option<u64>,
    /// The occurrence, for whoever reads the server's log.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub instance: Option<String>,
}

impl Document {
    /// What the table says of `code`, and nothing else.
    fn new(code: Code, detail: impl Into<String>) -> Self {
        Self {
            help: Cow::Borrowed(code.help()),
            title: Cow::Borrowed(code.title()),
            status: code.status(),
            detail: detail.into(),
            kind: code.kind(),
            code: Cow::Borrowed(code.as_str()),
            details: None,
            at: None,
            trace: None,
            file: None,
            line: None,
            column: None,
            field: None,
            near: Vec::new(),
            limit: None,
            scope: None,
            progress: None,
            retry_after_ms: None,
            instance: None,
        }
    }
}

impl From<Document> for Problem {
    fn from(document: Document) -> Self {
        Self(Box::new(document))
    }
}

impl Deref for Problem {
    type Target = Document;
    fn deref(&self) -> &Document {
        &self.0
    }
}

impl DerefMut for Problem {
    fn deref_mut(&mut self) -> &mut Document {
        &mut self.0
    }
}

impl Problem {
    /// A problem with what the table says of `code`, and nothing else.
    pub fn new(code: Code, detail: impl Into<String>) -> Self {
        Document::new(code, detail).into()
    }

    /// The table's entry, unless the code is a rejection's or fault's own, or from a newer server.
    pub fn table_code(&self) -> Option<Code> {
        match self.kind {
            Kind::Refused | Kind::Unavailable => Code::from_name(&self.code),
            Kind::Rejection => Some(Code::Rejected),
            Kind::Fault => Some(Code::Fault),
        }
    }

    /// The `Retry-After` header's value: whole seconds, at least one.
    pub fn retry_after_secs(&self) -> Option<u64> {
        self.retry_after_ms.map(|ms| ms.div_ceil(1000).max(1))
    }

    /// Appends the document.
    pub fn write_json(&self, out: &mut Vec<u8>) {
        serde_json::to_writer(out, self).expect("a problem always encodes into memory");
    }

    /// The document.
    pub fn to_json(&self) -> Vec<u8> {
        let mut out = Vec::with_capacity(256);
        self.write_json(&mut out);
        out
    }
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.code)?;
        if let Some(at) = &self.at {
            write!(f, " in {at}")?;
        }
        write!(f, ": {}", self.detail)?;
        if !self.near.is_empty() {
            write!(f, " (near: {})", self.near.join(", "))?;
        }
        Ok(())
    }
}

impl std::error::Error for Problem {}
