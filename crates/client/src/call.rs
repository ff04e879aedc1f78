//! What to call, and what comes back: one shape for single calls, batches and streams.

use std::time::Duration;

use ordain_api::call::check_args;
use ordain_api::{Op, WireCall};
use ordain_types::limits::ARGUMENT_BYTES_MAX;
use ordain_types::{
    IdempotencyKey, Json, Method, MethodKind, Ready, Request, RequestError, RequestParts, Seq,
};
use serde::de::DeserializeOwned;
use serde_json::value::RawValue;

use crate::error::{Effect, Error};

/// A value, and where in the order it belongs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reply<R> {
    /// The seq of an update; of a query, the last seq it saw.
    pub seq: Option<Seq>,
    /// What the method gave.
    pub value: R,
}

impl Reply<Json> {
    /// The same value as an `R`.
    pub(crate) fn decode<R: DeserializeOwned>(self) -> Result<Reply<R>, Error> {
        let value =
            serde_json::from_slice(&self.value).map_err(|error| Error::Value(error.to_string()))?;
        Ok(Reply {
            seq: self.seq,
            value,
        })
    }
}

/// One call, query or send, before it is sent: for [`crate::Client::batch`] and [`crate::Stream`].
#[derive(Debug, Clone)]
pub struct Call {
    pub(crate) op: Op,
    pub(crate) parts: RequestParts,
    pub(crate) idempotency_key: Option<IdempotencyKey>,
    pub(crate) delay_ms: Option<u64>,
    pub(crate) min_seq: Option<Seq>,
}

impl Call {
    /// A call, waiting for its value.
    ///
    /// # Errors
    /// If the request names nothing that could be called.
    pub fn new<R>(request: Request<R>) -> Result<Self, RequestError> {
        Self::of(Op::Call, request)
    }

    /// A call of a query.
    ///
    /// # Errors
    /// As [`Call::new`].
    pub fn query<R>(request: Request<R>) -> Result<Self, RequestError> {
        Self::of(Op::Query, request)
    }

    /// A call later, in a transaction of its own, not before `delay` has passed: delays count in whole
    /// milliseconds, rounded up. Its value is the send's id, to ask [`crate::Client::invocation`] for.
    ///
    /// # Errors
    /// As [`Call::new`].
    pub fn send<R>(request: Request<R>, delay: Duration) -> Result<Self, RequestError> {
        let delay_ms = u64::try_from(delay.as_nanos().div_ceil(1_000_000)).unwrap_or(u64::MAX);
        Ok(Self {
            delay_ms: (delay_ms > 0).then_some(delay_ms),
            ..Self::of(Op::Send, request)?
        })
    }

    fn of<R>(op: Op, request: Request<R>) -> Result<Self, RequestError> {
        Ok(Self {
            op,
            parts: request.into_parts()?,
            idempotency_key: None,
            delay_ms: None,
            min_seq: None,
        })
    }

    /// Sets the key by which a retry is known. A query has none: it is safe to repeat anyway.
    #[must_use]
    pub fn idempotency_key(mut self, key: IdempotencyKey) -> Self {
        self.idempotency_key = (self.op != Op::Query).then_some(key);
        self
    }

    /// Asks a query to see at least this seq. Means nothing to calls and sends.
    #[must_use]
    pub fn min_seq(mut self, seq: Seq) -> Self {
        self.min_seq = (self.op == Op::Query).then_some(seq);
        self
    }

    /// Gives a call or send without idempotency key a random one.
    pub(crate) fn with_key(self) -> Self {
        match (self.op, &self.idempotency_key) {
            (Op::Query, _) | (_, Some(_)) => self,
            _ => self.idempotency_key(random_key()),
        }
    }

    /// Refuses arguments that no server takes. In a message with other calls they would be more than a
    /// message may hold, and take the connection, and so those calls, with them.
    pub(crate) fn check_size(&self) -> Result<(), Error> {
        if self.parts.args.len() <= ARGUMENT_BYTES_MAX {
            return Ok(());
        }
        let checked = check_args(&self.parts.args).map(drop);
        checked.map_err(|problem| Error::answer(problem, None))
    }

    /// Whether asking twice runs it at most once.
    pub(crate) fn may_repeat(&self) -> bool {
        self.op == Op::Query || self.idempotency_key.is_some()
    }

    /// What it does to a server.
    pub(crate) fn effect(&self) -> Effect {
        match (self.op, &self.idempotency_key) {
            (Op::Query, _) => Effect::Safe,
            (Op::Call | Op::Send, Some(_)) => Effect::Keyed,
            (Op::Call | Op::Send, None) => Effect::Once,
        }
    }

    /// The call as it is written in lines and frames.
    pub(crate) fn wire(&self) -> WireCall<'_> {
        let key = self.idempotency_key.as_ref();
        WireCall {
            idempotency_key: key.map(|key| key.as_str().into()),
            delay_ms: self.delay_ms,
            min_seq: self.min_seq.map(|seq| seq.0),
            ..WireCall::new(
                self.op,
                &self.parts.entity,
                &self.parts.method,
                &self.parts.args,
            )
        }
    }
}

/// A call by names, as they are typed: `account/alice`, `deposit`, `{"amount":5}`. Its value comes
/// as the JSON text it is. A name that is none is told by whoever is handed the request.
pub fn json_request(entity: &str, method: &str, args: impl AsRef<[u8]>) -> Request<Box<RawValue>> {
    let parts = || {
        Ok(RequestParts {
            entity: entity.parse()?,
            method: Method::new(method)?,
            kind: MethodKind::Update,
            args: Json::copy_from_slice(args.as_ref()),
            ready: Ready::default(),
        })
    };
    parts().into()
}

/// A fresh idempotency key, 128 random bits as text: two clients never choose the same. For whoever wants to
/// know under which key to ask again ([`crate::Client::call_with`]).
pub fn random_key() -> IdempotencyKey {
    let mut bits = [0; 16];
    getrandom::fill(&mut bits).expect("the operating system gives random bytes");
    let text = format!("{:032x}", u128::from_le_bytes(bits));
    IdempotencyKey::new(&text).expect("hexadecimal digits are a key")
}
