//! Why there is no value, and what is known about the call then. Messages say what was attempted
//! and what to do; the problems' own messages come from the server.

use std::fmt;
use std::ops::Deref;
use std::time::Duration;

use ordain_api::{Kind, Problem};
use ordain_types::{RequestError, Seq};

use crate::retry::did_nothing;

/// An answer that is not a value.
#[derive(Debug, Clone)]
pub struct Answer {
    /// What the server said.
    pub problem: Problem,
    /// The seq of an update that ran and was undone; none if nothing ran.
    pub seq: Option<Seq>,
}

impl Deref for Answer {
    type Target = Problem;
    fn deref(&self) -> &Problem {
        &self.problem
    }
}

impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.problem.fmt(f)
    }
}

/// What a request does to a server, in the words of RFC 9110, section 9.2. Of several together it is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Effect {
    /// It reads.
    Safe,
    /// Doing it twice is the same as doing it once.
    Idempotent,
    /// The same by its idempotency key: if it was lost on the way, it can be asked about.
    Keyed,
    /// Doing it twice is another thing: it is tried again only where nothing was done.
    Once,
}

impl Effect {
    /// What is known where no answer came, and what to do.
    fn advice(self) -> &'static str {
        match self {
            Effect::Safe => "ask again",
            Effect::Idempotent => {
                "whether it was done is not known: ask again, since doing it twice is the same"
            }
            Effect::Keyed => {
                "whether the call ran is not known: ask again with the same idempotency key"
            }
            Effect::Once => {
                "whether it was done is not known: look at the entity, or at the module's history (`ordain modules \
                 NAME`), before asking again"
            }
        }
    }

    /// What else may be done about silence, where asking again is right.
    fn or_wait(self) -> &'static str {
        match self {
            Effect::Safe | Effect::Idempotent | Effect::Keyed => ", or allow more time",
            Effect::Once => "",
        }
    }
}

/// Why there is no value.
#[derive(Debug, Clone, thiserror::Error)]
pub enum Error {
    /// The method said no. The call ran and all it did is undone.
    #[error("rejected: {0}")]
    Rejected(Answer),
    /// The call broke a limit or crashed, and all it did is undone.
    #[error("fault: {0}")]
    Fault(Answer),
    /// The server did not accept the request; nothing ran, also not by an earlier attempt, and the same request will
    /// fare no better.
    #[error("refused: {0}")]
    Refused(Answer),
    /// The server could not answer now, also after the retries.
    #[error("unavailable: {0}")]
    Unavailable(Answer),
    /// The request names nothing that could be called; it was not sent.
    #[error(transparent)]
    Request(#[from] RequestError),
    /// The server's address is none.
    #[error("`{url}` is no address of a server: {reason}; give one like http://127.0.0.1:4433")]
    Url {
        /// As given.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// A setting of the client is unusable.
    #[error("{what} cannot be used: {reason}")]
    Setting {
        /// Which.
        what: &'static str,
        /// Why not.
        reason: String,
    },
    /// No connection; nothing was sent.
    #[error(
        "cannot connect to {url}: {reason}; is the server running there? `ordain dev` starts one"
    )]
    Connect {
        /// Where to.
        url: String,
        /// Why not.
        reason: String,
    },
    /// The server's certificate is not trusted; nothing was sent.
    #[error(
        "cannot trust {url}: {reason}; its certificate must be valid, of that host, and of an authority that is \
         given as root certificate (`root_cert`)"
    )]
    Certificate {
        /// Where to.
        url: String,
        /// What is wrong with it.
        reason: String,
    },
    /// No answer came that says what became of the call, in the last attempt or in an earlier one that later
    /// ones did not make up for: the connection broke, say. Whether the call ran is not known; with the same
    /// idempotency key it can be asked again safely.
    #[error("the answer from {url} was lost ({reason}); {}", .effect.advice())]
    Lost {
        /// Where to.
        url: String,
        /// How it was lost.
        reason: String,
        /// What was asked for: it decides whether to ask again.
        effect: Effect,
    },
    /// No answer in time. Whether the call ran is not known.
    #[error("no answer from {url} within {after:?}; {}{}", .effect.advice(), .effect.or_wait())]
    Timeout {
        /// Where to.
        url: String,
        /// The time that was allowed.
        after: Duration,
        /// What was asked for: it decides whether to ask again.
        effect: Effect,
    },
    /// A backup that did not come to its end. What came of it is of no use.
    #[error(
        "the backup from {url} broke off ({reason}); if it was the server that ended it, its log says why; \
         ask again"
    )]
    Incomplete {
        /// Where it came from.
        url: String,
        /// How it ended.
        reason: String,
    },
    /// An answer that no Ordain server gives.
    #[error("{url} does not answer like an Ordain server: {reason}")]
    Protocol {
        /// Where to.
        url: String,
        /// What it answered.
        reason: String,
    },
    /// The call ran; its value is not of the type asked for.
    #[error("the value does not decode as the type asked for: {0}")]
    Value(String),
    /// As many calls are in flight on the stream as it allows.
    #[error("the stream has {max} calls in flight, as many as it allows; wait for replies")]
    Full {
        /// The limit.
        max: usize,
    },
    /// The stream was closed before the call was made.
    #[error("the stream is closed")]
    Closed,
    /// Writing what the server sent failed here.
    #[error("cannot write what the server sent: {0}")]
    Write(String),
}

impl Error {
    /// A problem, by its kind.
    pub(crate) fn answer(problem: Problem, seq: Option<Seq>) -> Self {
        let kind = problem.kind;
        let answer = Answer { problem, seq };
        match kind {
            Kind::Rejection => Error::Rejected(answer),
            Kind::Fault => Error::Fault(answer),
            Kind::Refused => Error::Refused(answer),
            Kind::Unavailable => Error::Unavailable(answer),
        }
    }

    /// How the answer was lost, where what was asked may have been done: none where it is known what became of it.
    pub(crate) fn loss(&self) -> Option<String> {
        match self {
            Error::Lost { reason, .. } => Some(reason.clone()),
            Error::Timeout { after, .. } => Some(format!("there was none within {after:?}")),
            // Of a disk that is full or has failed, say: the command may be in the log all the same.
            Error::Unavailable(_) if !did_nothing(self) => Some(self.to_string()),
            _ => None,
        }
    }

    /// The same of what was asked for: a loss is told as of a call, unless it is known to be of something else.
    pub(crate) fn of(mut self, asked: Effect) -> Error {
        if let Error::Lost { effect, .. } | Error::Timeout { effect, .. } = &mut self {
            *effect = asked;
        }
        self
    }

    /// What the last attempt is told as, where an earlier one of a call with an idempotency key was `lost`. That
    /// it came to nothing says nothing of the earlier one: the call may have run all the same.
    pub(crate) fn after(self, lost: Option<&str>, url: &str) -> Error {
        let came_to_nothing = match self {
            Error::Connect { .. }
            | Error::Certificate { .. }
            | Error::Refused(_)
            | Error::Closed
            | Error::Protocol { .. } => true,
            // Others say by themselves that the call may have run.
            Error::Unavailable(_) => did_nothing(&self),
            _ => false,
        };
        match lost {
            Some(lost) if came_to_nothing => Error::Lost {
                url: url.to_owned(),
                reason: format!("{lost}; then, asked again: {self}"),
                effect: Effect::Keyed,
            },
            _ => self,
        }
    }

    /// The server's answer, if it gave one.
    pub fn as_answer(&self) -> Option<&Answer> {
        match self {
            Error::Rejected(answer)
            | Error::Fault(answer)
            | Error::Refused(answer)
            | Error::Unavailable(answer) => Some(answer),
            _ => None,
        }
    }

    /// The problem document, if the server gave one.
    pub fn problem(&self) -> Option<&Problem> {
        self.as_answer().map(|answer| &answer.problem)
    }
}
