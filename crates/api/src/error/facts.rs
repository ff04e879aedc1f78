//! The problems there are, one constructor each: facts in, a message that says what was attempted
//! and what to do out.

use std::borrow::Cow;

use ordain_types::module::Place;
use ordain_types::near::near;
use ordain_types::{Fault, Json, MethodKind, NameError, Rejection, Seq, SourceError};
use serde_json::value::RawValue;

use super::{Code, Document, HELP_PATH, Limit, Problem};
use crate::call::Op;
use crate::json::JsonError;
use crate::replies::Progress;

/// How an argument does not fit its method.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum ArgumentFault {
    /// It is needed and not there.
    Missing,
    /// The method has none of this name.
    Unknown {
        /// The names it has.
        known: Vec<String>,
    },
    /// Its value is not of the right type, as the decoder put it.
    Type(String),
}

/// Some of a text that came from outside, so that no answer repeats a megabyte of it.
fn shown(text: &str) -> Cow<'_, str> {
    cut(text, 80)
}

/// A decoder's message, which may hold what it could not decode.
fn shown_error(error: &str) -> Cow<'_, str> {
    cut(error, 400)
}

fn cut(text: &str, chars: usize) -> Cow<'_, str> {
    match text.char_indices().nth(chars) {
        Some((end, _)) => Cow::Owned(format!("{}…", &text[..end])),
        None => Cow::Borrowed(text),
    }
}

fn listed(near: &[String]) -> String {
    match near {
        [] => String::new(),
        near => format!(" (did you mean {}?)", near.join(" or ")),
    }
}

/// A name that is none, with those like it, and what lists all.
fn unlike(code: Code, what: &str, near: Vec<String>, lists: &str) -> Problem {
    let detail = format!("{what}{}; GET {lists} lists all", listed(&near));
    Document {
        near,
        ..Document::new(code, detail)
    }
    .into()
}

/// What is wrong with the request itself.
impl Problem {
    /// A body or line is not JSON.
    pub fn malformed_json(what: &str, error: impl std::fmt::Display) -> Self {
        let error = error.to_string();
        let detail = format!("{what} is not JSON: {}", shown_error(&error));
        Self::new(Code::MalformedJson, detail)
    }

    /// An argument does not fit.
    pub fn bad_argument(at: &str, name: &str, fault: ArgumentFault) -> Self {
        let shown = shown(name);
        let (detail, near) = match fault {
            ArgumentFault::Missing => (format!("{at} needs the argument `{shown}`"), Vec::new()),
            ArgumentFault::Unknown { known } => {
                let near = near(name, known.iter().map(String::as_str));
                let takes = match known.is_empty() {
                    true => "none".to_owned(),
                    false => known.join(", "),
                };
                let detail = format!("{at} has no argument `{shown}`; it takes {takes}");
                (detail, near)
            }
            ArgumentFault::Type(error) => {
                let error = shown_error(&error);
                let detail = format!("the argument `{shown}` of {at} does not fit: {error}");
                (detail, Vec::new())
            }
        };
        Document {
            field: Some(shown.into_owned()),
            near,
            ..Document::new(Code::BadArgument, detail)
        }
        .into()
    }

    /// A header, query parameter, member or frame part is not what it should be.
    pub fn bad_request(field: &str, detail: impl AsRef<str>) -> Self {
        Document {
            field: Some(shown(field).into_owned()),
            ..Document::new(Code::BadRequest, shown_error(detail.as_ref()))
        }
        .into()
    }

    /// The arguments do not fit the method: where, and why.
    pub fn unfit_argument(field: Option<&str>, detail: impl AsRef<str>) -> Self {
        Document {
            field: field.map(|field| shown(field).into_owned()),
            ..Document::new(Code::BadArgument, shown_error(detail.as_ref()))
        }
        .into()
    }

    /// A query parameter that the endpoint does not have.
    pub fn unknown_query_parameter(name: &str, known: &[&str]) -> Self {
        let near = near(name, known.iter().copied());
        let takes = match known {
            [] => "none".to_owned(),
            known => known.join(", "),
        };
        let detail = format!(
            "there is no query parameter `{}` here; this endpoint takes {takes}",
            shown(name)
        );
        Document {
            field: Some(shown(name).into_owned()),
            near,
            ..Document::new(Code::UnknownQueryParameter, detail)
        }
        .into()
    }

    /// No entity type of this name; `known` are those there are.
    pub fn unknown_entity<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        let what = format!("there is no entity type `{}`", shown(name));
        unlike(
            Code::UnknownEntity,
            &what,
            near(name, known),
            "/v1/entities",
        )
    }

    /// No method of this name; `known` are those the entity type has.
    pub fn unknown_method<'n>(
        entity: &str,
        name: &str,
        known: impl IntoIterator<Item = &'n str>,
    ) -> Self {
        let what = format!("`{entity}` has no method `{}`", shown(name));
        unlike(
            Code::UnknownMethod,
            &what,
            near(name, known),
            "/v1/entities",
        )
    }

    /// The method cannot be asked for in this way.
    pub fn wrong_method_kind(entity: &str, method: &str, kind: MethodKind, op: Op) -> Self {
        let (is, instead) = match kind {
            MethodKind::Query => ("a query", "query or call it"),
            MethodKind::Update => ("an update", "call or send it"),
        };
        let detail = format!("{entity}.{method} is {is} and takes no {op}; {instead}");
        Self::new(Code::WrongMethodKind, detail)
    }

    /// No such route.
    pub fn no_route(path: &str) -> Self {
        let detail = format!(
            "there is no {}; GET /openapi.json describes every route",
            shown(path)
        );
        Self::new(Code::NotFound, detail)
    }

    /// No such invocation, or no more.
    pub fn no_invocation(id: &str) -> Self {
        let detail = format!(
            "there is no invocation {}: it never was, or it ended longer ago than answers are kept",
            shown(id)
        );
        Self::new(Code::NotFound, detail)
    }

    /// The route does not take this HTTP method.
    pub fn method_not_allowed(path: &str, allowed: &str) -> Self {
        let detail = format!("{} takes only {allowed}", shown(path));
        Self::new(Code::MethodNotAllowed, detail)
    }

    /// The request did not arrive in time.
    pub fn request_timeout(after_ms: u64) -> Self {
        let detail = format!("the request was not complete after {after_ms} ms; nothing ran");
        Self::new(Code::RequestTimeout, detail)
    }

    /// The key was used for another request.
    pub fn idempotency_key_reused(key: &str) -> Self {
        let detail = format!(
            "the idempotency key `{}` was used for another request; make a new key for each \
             request and keep it only for that request's retries",
            shown(key)
        );
        Self::new(Code::IdempotencyKeyReused, detail)
    }

    /// Larger than a limit.
    pub fn request_too_large(what: &str, limit: &'static str, max: u64) -> Self {
        let detail = format!("{what} is larger than {limit}, {max} bytes");
        Document {
            limit: Some(Limit {
                name: Cow::Borrowed(limit),
                max,
            }),
            ..Document::new(Code::RequestTooLarge, detail)
        }
        .into()
    }

    /// The wrong media type.
    pub fn unsupported_media_type(got: Option<&str>, wanted: &str) -> Self {
        let got = got.map_or(Cow::Borrowed("none"), shown);
        let detail = format!("the content type is {got}; send {wanted}");
        Self::new(Code::UnsupportedMediaType, detail)
    }

    /// A body that is packed. None is unpacked: what it may become is no bound of ours.
    pub fn unsupported_content_encoding(got: &str) -> Self {
        let got = shown(got);
        let detail = format!("the content encoding is {got}; send the body as it is");
        Self::new(Code::UnsupportedMediaType, detail)
    }

    /// No or unknown credentials. Never says which.
    pub fn unauthenticated() -> Self {
        Self::new(
            Code::Unauthenticated,
            "this server needs a token: send `Authorization: Bearer …` with one it knows",
        )
    }

    /// The token lacks a scope.
    pub fn forbidden(scope: &'static str) -> Self {
        Document {
            scope: Some(Cow::Borrowed(scope)),
            ..Document::new(
                Code::Forbidden,
                format!("this needs a token with the scope `{scope}`"),
            )
        }
        .into()
    }

    /// A Host header that does not name this server.
    pub fn bad_host(host: &str) -> Self {
        let detail = format!(
            "the host `{}` is not this server's; address it as localhost or by IP, or configure \
             its name",
            shown(host)
        );
        Self::new(Code::BadHost, detail)
    }

    /// A request from another site's page.
    pub fn bad_origin(origin: &str) -> Self {
        let detail = format!(
            "pages of `{}` may not make requests here; only pages of this very address may",
            shown(origin)
        );
        Self::new(Code::BadOrigin, detail)
    }
}

/// What is wrong with a module, or with what becomes of it.
impl Problem {
    /// The refusal of a change of modules, which has one of the table's codes.
    pub fn module_refused(rejection: &Rejection, place: Option<&Place>) -> Self {
        let code = Code::from_name(&rejection.code).unwrap_or(Code::ModuleInvalid);
        Document {
            file: place.map(|place| cut(&place.file, 300).into_owned()),
            line: place.map(|place| place.line),
            column: place.map(|place| place.column),
            ..Document::new(code, rejection.message.clone())
        }
        .into()
    }

    /// No module of this name; `known` are those there are.
    pub fn unknown_module<'n>(name: &str, known: impl IntoIterator<Item = &'n str>) -> Self {
        let what = format!("there never was a module named `{}`", shown(name));
        unlike(
            Code::UnknownModule,
            &what,
            near(name, known),
            "/v1/admin/modules",
        )
    }

    /// A package that this program cannot run.
    pub fn module_unusable(why: &str) -> Self {
        Self::new(Code::ModuleUnusable, shown_error(why))
    }

    /// No host for modules.
    pub fn no_modules() -> Self {
        Self::new(
            Code::NoModules,
            "this server's program was built without a host for modules; deploy to one that has it",
        )
    }

    /// Another deployment is under way.
    pub fn deploying(retry_after_ms: u64) -> Self {
        Document {
            retry_after_ms: Some(retry_after_ms),
            ..Document::new(
                Code::Deploying,
                "other deployments are under way, and one is done at a time; nothing changed. Try again",
            )
        }
        .into()
    }
}

/// Sources that do not compile: where and why.
impl From<&SourceError> for Problem {
    fn from(error: &SourceError) -> Self {
        Document {
            file: error
                .file
                .as_deref()
                .map(|file| cut(file, 300).into_owned()),
            line: error.line,
            column: error.column,
            ..Document::new(Code::ModuleSource, cut(&error.message, 4_000))
        }
        .into()
    }
}

/// What keeps the server from answering.
impl Problem {
    /// The asked-for seq is not there yet.
    pub fn seq_not_reached(asked: Seq, reached: Seq) -> Self {
        let detail = format!("the query asks to see seq {asked} and {reached} is the last");
        Document {
            retry_after_ms: Some(1000),
            ..Document::new(Code::SeqNotReached, detail)
        }
        .into()
    }

    /// The queue is full.
    pub fn overloaded(retry_after_ms: u64) -> Self {
        Document {
            retry_after_ms: Some(retry_after_ms),
            ..Document::new(
                Code::Overloaded,
                "the server's queue is full; nothing ran. Try again later and keep fewer calls \
                 in flight",
            )
        }
        .into()
    }

    /// No more connections.
    pub fn too_many_connections(max: u64) -> Self {
        Document {
            retry_after_ms: Some(1000),
            limit: Some(Limit {
                name: Cow::Borrowed("connections"),
                max,
            }),
            ..Document::new(
                Code::TooManyConnections,
                format!("the server takes {max} connections at once; reuse them or try later"),
            )
        }
        .into()
    }

    /// The log is being replayed.
    pub fn starting(progress: Option<Progress>) -> Self {
        let detail = match &progress {
            Some(at) => format!("the server replays its log: seq {} of {}", at.seq, at.to),
            None => "the server opens its data directory".to_owned(),
        };
        Document {
            progress,
            retry_after_ms: Some(1000),
            ..Document::new(Code::Starting, detail)
        }
        .into()
    }

    /// The server is finishing what it accepted.
    pub fn stopping() -> Self {
        Document {
            retry_after_ms: Some(1000),
            ..Document::new(
                Code::Stopping,
                "the server finishes what it accepted and takes nothing new; nothing ran",
            )
        }
        .into()
    }

    /// There is no space for the log.
    pub fn disk_full(reason: &str) -> Self {
        Document {
            retry_after_ms: Some(5000),
            ..Document::new(
                Code::DiskFull,
                format!("nothing can be made durable: {reason}"),
            )
        }
        .into()
    }

    /// The disk did not keep what was written.
    pub fn disk_failed(reason: &str) -> Self {
        Self::new(
            Code::DiskFailed,
            format!("nothing can be made durable: {reason}"),
        )
    }

    /// The node has ended, because it could not go on.
    pub fn halted(reason: &str) -> Self {
        Self::new(Code::Halted, reason)
    }

    /// There is no space for a checkpoint.
    pub fn no_space_for_checkpoint(reason: &str) -> Self {
        Document {
            retry_after_ms: Some(5000),
            ..Document::new(
                Code::DiskFull,
                format!("no checkpoint can be taken: {reason}; free space and ask again"),
            )
        }
        .into()
    }

    /// What the store reads is not what it wrote.
    pub fn store_damaged(reason: &str) -> Self {
        Self::new(Code::StoreDamaged, reason)
    }

    /// The system does not let the store be read or written.
    pub fn store_failed(reason: &str) -> Self {
        Self::new(Code::StoreFailed, reason)
    }

    /// A defect of the server; `what` is for users, the cause belongs in the server's log.
    pub fn internal(what: &str) -> Self {
        Self::new(Code::Internal, what)
    }
}

fn raw_or_text(json: &Json) -> Box<RawValue> {
    let text = String::from_utf8_lossy(json).into_owned();
    RawValue::from_string(text).unwrap_or_else(|_| {
        serde_json::value::to_raw_value(&String::from_utf8_lossy(json))
            .expect("a string encodes into memory")
    })
}

/// The method said no: its code, its message, its details.
impl From<&Rejection> for Problem {
    fn from(rejection: &Rejection) -> Self {
        Document {
            code: Cow::Owned(rejection.code.clone()),
            details: rejection.details.as_ref().map(raw_or_text),
            ..Document::new(Code::Rejected, rejection.message.clone())
        }
        .into()
    }
}

/// A broken limit or a crash: the fault's own code and its place.
impl From<&Fault> for Problem {
    fn from(fault: &Fault) -> Self {
        let code = fault.kind.code();
        Document {
            help: Cow::Owned(format!("{HELP_PATH}#{code}")),
            code: Cow::Borrowed(code),
            at: (!fault.at.is_empty()).then(|| fault.at.clone()),
            ..Document::new(Code::Fault, fault.message.clone())
        }
        .into()
    }
}

/// A name or key that was refused where it was made.
impl From<NameError> for Problem {
    fn from(error: NameError) -> Self {
        let key = match &error {
            NameError::Empty { what } | NameError::TooLong { what, .. } => what.ends_with("key"),
            NameError::Control { .. } | NameError::Form(_) => true,
            NameError::Charset { .. } | NameError::SendId(_) => false,
        };
        let code = if key { Code::BadKey } else { Code::BadName };
        Self::new(code, error.to_string())
    }
}

/// A JSON text that nests too deep.
impl From<JsonError> for Problem {
    fn from(error: JsonError) -> Self {
        let JsonError::TooDeep { limit, .. } = error;
        Document {
            limit: Some(Limit {
                name: Cow::Borrowed("json_depth"),
                max: limit as u64,
            }),
            ..Document::new(Code::JsonTooDeep, error.to_string())
        }
        .into()
    }
}
