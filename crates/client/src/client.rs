//! A server's address and how to talk to it: one method per kind of request. All attempts of one
//! logical call carry the same idempotency key.

use std::fmt;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::header::{AUTHORIZATION, CONTENT_TYPE, HeaderValue};
use http::{Method as Verb, Request as HttpRequest, StatusCode};
use http_body_util::combinators::UnsyncBoxBody;
use http_body_util::{BodyExt, Full, Limited};
use hyper::body::Incoming;
use hyper_util::client::legacy::Client as Http;
use hyper_util::rt::TokioExecutor;
use ordain_api::call::check_idempotency_key;
use ordain_api::replies::{Entities, EntityState, Invocation, Ready, Sent, StateHash};
use ordain_api::{Problem, path, routes};
use ordain_types::{EntityId, FieldKey, IdempotencyKey, Json, Request, SendId, Seq};
use serde::de::DeserializeOwned;

use crate::base::Base;
use crate::call::{Call, Reply};
use crate::connect::{Connector, distrust};
use crate::error::{Effect, Error};
use crate::retry::{Retries, did_nothing};
use crate::stream::{Stream, StreamOptions};

/// The largest answer that is taken whole.
const BODY_BYTES_MAX: usize = 64 << 20;

pub(crate) type Body = UnsyncBoxBody<Bytes, std::io::Error>;

/// A client of one server. Clones share its connections.
#[derive(Clone)]
pub struct Client {
    pub(crate) shared: Arc<Shared>,
}

pub(crate) struct Shared {
    pub(crate) base: Base,
    pub(crate) connector: Connector,
    pub(crate) token: Option<HeaderValue>,
    pub(crate) timeout: Duration,
    pub(crate) retries: u32,
    http: Http<Connector, Body>,
}

/// How to talk to a server; from [`Client::builder`].
#[derive(Debug, Clone)]
pub struct Builder {
    url: String,
    token: Option<String>,
    roots: Vec<Vec<u8>>,
    timeout: Duration,
    retries: u32,
}

/// One request as it is sent, as often as needed.
pub(crate) struct Outline {
    pub(crate) verb: Verb,
    pub(crate) path: String,
    /// The media type of the body, where the verb has one.
    pub(crate) media: &'static str,
    pub(crate) body: Json,
    pub(crate) key: Option<IdempotencyKey>,
    pub(crate) effect: Effect,
    /// Whether what answers it has a place in the order, as whatever ran has.
    pub(crate) ordered: bool,
}

/// What came back, whole.
struct Answered {
    status: StatusCode,
    seq: Option<Seq>,
    body: Bytes,
}

impl Builder {
    /// Shows this bearer token with every request.
    #[must_use]
    pub fn token(mut self, token: impl Into<String>) -> Self {
        self.token = Some(token.into());
        self
    }

    /// Trusts the certificate authorities in this PEM text. Without any, `https` connects to no one.
    #[must_use]
    pub fn root_pem(mut self, pem: impl Into<Vec<u8>>) -> Self {
        self.roots.push(pem.into());
        self
    }

    /// How long one attempt may take; 30 s unless said otherwise.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// How often a call is tried again when it could not be answered; 5 unless said otherwise.
    #[must_use]
    pub fn retries(mut self, retries: u32) -> Self {
        self.retries = retries;
        self
    }

    /// The client. Connects to no one yet.
    ///
    /// # Errors
    /// If the address, the token or a certificate is unusable.
    pub fn build(self) -> Result<Client, Error> {
        let base = Base::parse(&self.url)?;
        let token = self.token.map(|token| bearer(&token)).transpose()?;
        let connector = Connector::new(&self.roots)?;
        let http = Http::builder(TokioExecutor::new()).build(connector.clone());
        let (timeout, retries) = (self.timeout, self.retries);
        let shared = Arc::new(Shared {
            base,
            connector,
            token,
            timeout,
            retries,
            http,
        });
        Ok(Client { shared })
    }
}

impl Client {
    /// A client of the server at `url`, as in `http://127.0.0.1:4433`, with default settings.
    ///
    /// # Errors
    /// If that is no address.
    pub fn new(url: &str) -> Result<Self, Error> {
        Self::builder(url).build()
    }

    /// A client with settings.
    pub fn builder(url: &str) -> Builder {
        Builder {
            url: url.to_owned(),
            token: None,
            roots: Vec::new(),
            timeout: Duration::from_secs(30),
            retries: 5,
        }
    }

    /// The server's address.
    pub fn url(&self) -> &str {
        &self.shared.base.text
    }

    /// Calls a method and waits for its value: durable, and run once however often it was tried.
    ///
    /// # Errors
    /// The rejection, the fault, or why there was no answer.
    pub async fn call<R: DeserializeOwned>(&self, request: Request<R>) -> Result<Reply<R>, Error> {
        self.call_with(request, crate::call::random_key()).await
    }

    /// The same with the caller's own idempotency key: the first answer again, if it was used before.
    ///
    /// # Errors
    /// As [`Client::call`].
    pub async fn call_with<R: DeserializeOwned>(
        &self,
        request: Request<R>,
        key: IdempotencyKey,
    ) -> Result<Reply<R>, Error> {
        let call = Call::new(request)?.idempotency_key(key);
        self.value(&call).await?.decode()
    }

    /// Calls a query.
    ///
    /// # Errors
    /// As [`Client::call`]; an update is refused.
    pub async fn query<R: DeserializeOwned>(&self, request: Request<R>) -> Result<Reply<R>, Error> {
        self.value(&Call::query(request)?).await?.decode()
    }

    /// Calls a query that sees at least `seq`.
    ///
    /// # Errors
    /// As [`Client::query`].
    pub async fn query_from<R: DeserializeOwned>(
        &self,
        request: Request<R>,
        seq: Seq,
    ) -> Result<Reply<R>, Error> {
        let call = Call::query(request)?.min_seq(seq);
        self.value(&call).await?.decode()
    }

    /// Asks for a call later, in a transaction of its own. The id is for [`Client::invocation`].
    ///
    /// # Errors
    /// Why it was not taken.
    pub async fn send<R>(
        &self,
        request: Request<R>,
        delay: Duration,
    ) -> Result<Reply<SendId>, Error> {
        self.send_with(request, delay, crate::call::random_key())
            .await
    }

    /// The same with the caller's own idempotency key.
    ///
    /// # Errors
    /// As [`Client::send`].
    pub async fn send_with<R>(
        &self,
        request: Request<R>,
        delay: Duration,
        key: IdempotencyKey,
    ) -> Result<Reply<SendId>, Error> {
        let call = Call::send(request, delay)?.idempotency_key(key);
        let sent: Reply<Sent> = self.value(&call).await?.decode()?;
        Ok(Reply {
            seq: sent.seq,
            value: sent.value.id,
        })
    }

    /// How far a send is.
    ///
    /// # Errors
    /// If it is not known, or no longer.
    pub async fn invocation(&self, id: SendId) -> Result<Invocation, Error> {
        self.get(path::invocation_path(id)).await
    }

    /// The entity types and methods there are.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn entities(&self) -> Result<Entities, Error> {
        self.get(routes::ENTITIES.to_owned()).await
    }

    /// An entity's state and up to `limit` of its fields after `after`.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn state(
        &self,
        entity: &EntityId,
        after: Option<&FieldKey>,
        limit: Option<u64>,
    ) -> Result<EntityState, Error> {
        let mut pairs = Vec::new();
        pairs.extend(after.map(|after| (routes::PARAM_AFTER, after.to_string())));
        pairs.extend(limit.map(|limit| (routes::PARAM_LIMIT, limit.to_string())));
        self.get(with_pairs(path::entity_path(entity), &pairs))
            .await
    }

    /// A hash over the whole state.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn state_hash(&self) -> Result<StateHash, Error> {
        self.get(routes::STATE_HASH.to_owned()).await
    }

    /// What the server does, also while it does not answer calls. Asked once: who waits for a
    /// server decides how often.
    ///
    /// # Errors
    /// Why there was no answer.
    pub async fn ready(&self) -> Result<Ready, Error> {
        let outline = Outline::get(routes::READY.to_owned());
        let attempt = self.shared.attempt(&outline).await;
        let answered = attempt.map_err(|error| error.of(outline.effect))?;
        let decoded = serde_json::from_slice(&answered.body);
        match (answered.status, decoded) {
            (StatusCode::OK | StatusCode::SERVICE_UNAVAILABLE, Ok(ready)) => Ok(ready),
            _ => Err(self.shared.problem(&answered).of(outline.effect)),
        }
    }

    /// Keeps many calls in flight on one connection.
    ///
    /// # Errors
    /// Why there is no connection.
    pub async fn stream(&self, options: StreamOptions) -> Result<Stream, Error> {
        Stream::open(self.shared.clone(), options).await
    }

    /// The value of a call, as JSON.
    async fn value(&self, call: &Call) -> Result<Reply<Json>, Error> {
        if let Some(key) = &call.idempotency_key {
            // A header would not bring every key as it is.
            let checked = check_idempotency_key(key.as_str());
            checked.map_err(|problem| Error::answer(problem, None))?;
        }
        let (entity, method) = (&call.parts.entity, &call.parts.method);
        let mut pairs = Vec::new();
        let delay = call.delay_ms.map(|delay| delay.to_string());
        pairs.extend(delay.map(|delay| (routes::PARAM_DELAY_MS, delay)));
        let seq = call.min_seq.map(|seq| seq.to_string());
        pairs.extend(seq.map(|seq| (routes::PARAM_MIN_SEQ, seq)));
        let outline = Outline {
            verb: Verb::POST,
            path: with_pairs(path::method_path(call.op, entity, method), &pairs),
            media: routes::MEDIA_JSON,
            body: call.parts.args.clone(),
            key: call.idempotency_key.clone(),
            effect: call.effect(),
            ordered: true,
        };
        let (seq, value) = self.shared.ask(&outline).await?;
        Ok(Reply { seq, value })
    }

    pub(crate) async fn get<R: DeserializeOwned>(&self, path: String) -> Result<R, Error> {
        self.decoded(&Outline::get(path)).await
    }

    pub(crate) async fn decoded<R: DeserializeOwned>(&self, outline: &Outline) -> Result<R, Error> {
        let (_, body) = self.shared.ask(outline).await?;
        serde_json::from_slice(&body).map_err(|error| self.shared.protocol(error.to_string()))
    }
}

impl Outline {
    pub(crate) fn get(path: String) -> Self {
        Self {
            verb: Verb::GET,
            path,
            media: routes::MEDIA_JSON,
            body: Json::new(),
            key: None,
            effect: Effect::Safe,
            ordered: false,
        }
    }
}

impl Shared {
    /// Asks until there is an answer that is final, or the retries are used up.
    async fn ask(&self, outline: &Outline) -> Result<(Option<Seq>, Bytes), Error> {
        self.retrying_as(outline.effect, || async {
            let answered = self.attempt(outline).await?;
            if !answered.status.is_success() {
                return Err(self.problem(&answered));
            }
            // Something else on the way may answer anything with 200.
            if outline.ordered && answered.seq.is_none() {
                let reason = format!("its answer has no {}", routes::HEADER_SEQ);
                return Err(self.protocol(reason));
            }
            Ok((answered.seq, answered.body))
        })
        .await
    }

    /// Repeats what may pass, with waits between.
    pub(crate) async fn retrying<T, F>(&self, attempt: impl FnMut() -> F) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        self.retrying_as(Effect::Safe, attempt).await
    }

    async fn retrying_as<T, F>(
        &self,
        effect: Effect,
        mut attempt: impl FnMut() -> F,
    ) -> Result<T, Error>
    where
        F: Future<Output = Result<T, Error>>,
    {
        let mut retries = Retries::new(self.retries);
        // How the first answer was lost of an attempt that may have done what was asked.
        let mut lost = None;
        loop {
            let error = match attempt().await {
                Ok(value) => return Ok(value),
                Err(error) => error,
            };
            let may = effect != Effect::Once || did_nothing(&error);
            match retries.next(&error).filter(|_| may) {
                Some(wait) => {
                    if effect == Effect::Keyed {
                        lost = lost.or_else(|| error.loss());
                    }
                    tokio::time::sleep(wait).await;
                }
                None => return Err(error.of(effect).after(lost.as_deref(), &self.base.text)),
            }
        }
    }

    async fn attempt(&self, outline: &Outline) -> Result<Answered, Error> {
        let body = Full::new(outline.body.clone())
            .map_err(|never| match never {})
            .boxed_unsync();
        let mut builder = HttpRequest::builder().method(outline.verb.clone());
        if outline.verb == Verb::POST {
            builder = builder.header(CONTENT_TYPE, outline.media);
        }
        if let Some(key) = &outline.key {
            builder = builder.header(routes::HEADER_IDEMPOTENCY_KEY, key.as_str().as_bytes());
        }
        let whole = async {
            let response = self.send(builder, &outline.path, body).await?;
            self.answered(response).await
        };
        match tokio::time::timeout(self.timeout, whole).await {
            Ok(result) => result,
            Err(_) => Err(self.timed_out()),
        }
    }

    /// Sends one request and gives the head of its answer.
    pub(crate) async fn send(
        &self,
        mut builder: http::request::Builder,
        path: &str,
        body: Body,
    ) -> Result<http::Response<Incoming>, Error> {
        if let Some(token) = &self.token {
            builder = builder.header(AUTHORIZATION, token.clone());
        }
        let request = builder
            .uri(self.base.uri(path)?)
            .body(body)
            .map_err(|error| self.protocol(error.to_string()))?;
        self.http.request(request).await.map_err(|error| {
            let (url, reason) = (self.base.text.clone(), innermost(&error));
            match (error.is_connect(), distrust(&error)) {
                (true, Some(reason)) => Error::Certificate { url, reason },
                (true, None) => Error::Connect { url, reason },
                (false, _) => self.lost(reason),
            }
        })
    }

    async fn answered(&self, response: http::Response<Incoming>) -> Result<Answered, Error> {
        let status = response.status();
        let seq = response.headers().get(routes::HEADER_SEQ);
        let seq = seq.and_then(|seq| seq.to_str().ok()?.parse().ok()).map(Seq);
        let limited = Limited::new(response.into_body(), BODY_BYTES_MAX);
        let body = limited
            .collect()
            .await
            .map_err(|error| match error.downcast() {
                Ok(error) => self.lost(innermost(&*error as &hyper::Error)),
                Err(_) => {
                    self.protocol(format!("the answer is larger than {BODY_BYTES_MAX} bytes"))
                }
            })?;
        let body = body.to_bytes();
        Ok(Answered { status, seq, body })
    }

    /// The answer to an open request, read to its end because it is no success.
    pub(crate) async fn refusal(&self, response: http::Response<Incoming>) -> Error {
        match tokio::time::timeout(self.timeout, self.answered(response)).await {
            Ok(Ok(answered)) => self.problem(&answered),
            Ok(Err(error)) => error,
            Err(_) => self.timed_out(),
        }
    }

    fn problem(&self, answered: &Answered) -> Error {
        match serde_json::from_slice::<Problem>(&answered.body) {
            Ok(problem) => Error::answer(problem, answered.seq),
            Err(_) => self.undocumented(answered.status),
        }
    }

    /// What an answer means that is no value and has no problem document. A proxy gives some of those
    /// itself, while it cannot reach the server or has waited long enough: that is a want of an answer.
    pub(crate) fn undocumented(&self, status: StatusCode) -> Error {
        let said = format!("it answers {status} without a problem document");
        match status {
            StatusCode::TOO_MANY_REQUESTS
            | StatusCode::BAD_GATEWAY
            | StatusCode::SERVICE_UNAVAILABLE
            | StatusCode::GATEWAY_TIMEOUT => self.lost(said),
            _ => self.protocol(said),
        }
    }

    pub(crate) fn protocol(&self, reason: String) -> Error {
        let url = self.base.text.clone();
        Error::Protocol { url, reason }
    }

    pub(crate) fn lost(&self, reason: String) -> Error {
        Error::Lost {
            url: self.base.text.clone(),
            reason,
            effect: Effect::Keyed,
        }
    }

    pub(crate) fn timed_out(&self) -> Error {
        Error::Timeout {
            url: self.base.text.clone(),
            after: self.timeout,
            effect: Effect::Keyed,
        }
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_tuple("Client").field(&self.url()).finish()
    }
}

fn bearer(token: &str) -> Result<HeaderValue, Error> {
    let value = HeaderValue::try_from(format!("Bearer {token}"));
    let mut value = value.map_err(|error| Error::Setting {
        what: "the token",
        reason: error.to_string(),
    })?;
    value.set_sensitive(true);
    Ok(value)
}

pub(crate) fn with_pairs(mut path: String, pairs: &[(&str, String)]) -> String {
    for (at, (name, value)) in pairs.iter().enumerate() {
        path.push(if at == 0 { '?' } else { '&' });
        path.push_str(name);
        path.push('=');
        path.push_str(&path::encode_query_value(value));
    }
    path
}

/// What went wrong at the bottom: the layers above only say that something did.
pub(crate) fn innermost(error: &(dyn std::error::Error + 'static)) -> String {
    let chain = std::iter::successors(Some(error), |error| error.source());
    chain.last().unwrap_or(error).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn bad_tokens_and_certificates_are_told_at_once() {
        let build = |builder: Builder| builder.build().map(|_| ()).unwrap_err().to_string();
        let token = build(Client::builder("http://a").token("a\nb"));
        assert!(token.starts_with("the token cannot be used"), "{token}");
        let root = build(Client::builder("https://a").root_pem("nothing"));
        assert!(root.contains("no PEM certificate"), "{root}");
    }
}
