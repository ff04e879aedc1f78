//! Requests whose types are left behind, and what came of them: the same for a node in this process
//! and for a server.

use ordain::{Body, CallError, Outcome, Reply, Request};
use ordain_client::{Completion, Error};
use ordain_types::Json;
use serde::de::{DeserializeOwned, IgnoredAny};

/// A request for any value.
pub type Ask = Request<IgnoredAny>;

/// A request of whatever type.
pub fn ask<R>(request: Request<R>) -> Ask {
    request.into_parts().into()
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// It committed, with this value.
    Value(Json),
    /// It said no: the code.
    Rejected(String),
    /// It broke a limit or crashed.
    Fault(String),
    /// It did not run, or no one knows.
    None(String),
}

impl Answer {
    /// The value.
    ///
    /// # Errors
    /// If there is none, or it is no `R`.
    pub fn value<R: DeserializeOwned>(&self) -> anyhow::Result<R> {
        match self {
            Answer::Value(json) => Ok(serde_json::from_slice(json)?),
            Answer::Rejected(code) => anyhow::bail!("rejected: {code}"),
            Answer::Fault(message) => anyhow::bail!("fault: {message}"),
            Answer::None(message) => anyhow::bail!("{message}"),
        }
    }
}

impl From<Reply> for Answer {
    fn from(reply: Reply) -> Self {
        match reply.body {
            Body::Outcome {
                outcome: Outcome::Value(value),
                ..
            } => Answer::Value(value),
            Body::Outcome {
                outcome: Outcome::Rejected(rejection),
                ..
            } => Answer::Rejected(rejection.code),
            Body::Outcome {
                outcome: Outcome::Fault(fault),
                ..
            } => Answer::Fault(fault.to_string()),
            Body::Unavailable(why) => Answer::None(why.to_string()),
            other => Answer::None(format!("{other:?}")),
        }
    }
}

impl From<CallError> for Answer {
    fn from(error: CallError) -> Self {
        match error {
            CallError::Rejected(rejection) => Answer::Rejected(rejection.code),
            CallError::Fault(fault) => Answer::Fault(fault.to_string()),
            other => Answer::None(other.to_string()),
        }
    }
}

impl From<Completion> for Answer {
    fn from(completion: Completion) -> Self {
        match completion {
            Ok(reply) => Answer::Value(reply.value),
            Err(Error::Rejected(answer)) => Answer::Rejected(answer.problem.code.to_string()),
            Err(error @ Error::Fault(_)) => Answer::Fault(error.to_string()),
            Err(error) => Answer::None(error.to_string()),
        }
    }
}
