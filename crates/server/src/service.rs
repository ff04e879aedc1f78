//! One request, from its head to its answer: the order of the checks is here, and nowhere else.

use std::sync::Arc;
use std::time::Instant;

use bytes::Bytes;
use http::header::{ALLOW, CONNECTION};
use http::{HeaderName, HeaderValue, Method, Request, StatusCode, Version};
use hyper::body::Incoming;
use ordain_api::error::HELP_TEXT;
use ordain_api::path::MethodPath;
use ordain_api::{Op, Problem, call, routes};
use ordain_types::{IdempotencyKey, Seq};

use crate::answer::{self, problem_reply};
use crate::auth::Caller;
use crate::body::{self, HttpReply, json, whole};
use crate::connection::Busy;
use crate::params::{Params, number};
use crate::route::{Lane, Route};
use crate::shared::{InFlight, Open, Shared};
use crate::site::Links;
use crate::{admin, batch, heads, inspect, metrics, modules, site, stream};

const IDEMPOTENCY_KEY: HeaderName = HeaderName::from_static(routes::HEADER_IDEMPOTENCY_KEY);
const AT_LEAST: HeaderName = HeaderName::from_static(routes::HEADER_AT_LEAST);

/// A request that is let in, and all it needs to be answered.
pub(crate) struct Asking {
    pub shared: Arc<Shared>,
    pub caller: Caller,
    pub request: Request<Incoming>,
    /// Kept for as long as the answer takes.
    pub held: Held,
}

/// What tells the limits that a request is being answered.
pub(crate) type Held = (Busy, InFlight);

/// Answers one request.
pub(crate) async fn answer(
    shared: Arc<Shared>,
    busy: Busy,
    request: Request<Incoming>,
) -> HttpReply {
    let began = Instant::now();
    let method = request.method().clone();
    let route = Route::of(request.uri().path());
    let mut reply = match heads::check(&request) {
        Ok(()) => match respond(&shared, busy, route, request).await {
            Ok(reply) => reply,
            Err(problem) => refuse(&problem, route),
        },
        Err(problem) => refuse_and_close(&problem, request.version()),
    };
    if method == Method::HEAD {
        reply = body::head_of(reply);
    }
    let (status, took) = (reply.status().as_u16(), began.elapsed());
    shared.metrics.answered(route, status, took);
    let route = route.map_or("none", Route::pattern);
    tracing::debug!(%method, route, status, ?took, "answered");
    reply
}

async fn respond(
    shared: &Arc<Shared>,
    busy: Busy,
    route: Option<Route>,
    mut request: Request<Incoming>,
) -> Result<HttpReply, Problem> {
    if shared.doorman.is_open() {
        let names = &shared.config.names;
        site::check(request.uri(), request.headers(), names, links_to(route))?;
    }
    let route = route.ok_or_else(|| Problem::no_route(request.uri().path()))?;
    if !route.methods().contains(request.method()) {
        return Err(Problem::method_not_allowed(
            route.pattern(),
            &allowed(route),
        ));
    }
    let caller = shared.doorman.admit(request.headers(), route.scopes())?;
    let held = (busy, shared.begin(route.lane())?);
    if let Some(instead) = route.instead_of_body(request.method()) {
        let timeout = shared.config.limits.body_timeout;
        body::none(request.body_mut(), timeout, instead).await?;
    }
    let asking = Asking {
        shared: shared.clone(),
        caller,
        request,
        held,
    };
    match route {
        Route::Method(op) => method(asking, op).await,
        Route::Batch => batch::answer(asking).await,
        Route::Stream => stream::answer(asking).await,
        Route::Modules | Route::Module | Route::Rollback => modules::answer(asking, route).await,
        _ => asking.plain(route).await,
    }
}

/// What a link of another site may lead to. What operators ask reads the whole state, and a page needs no click
/// of the user's to go where a link would.
fn links_to(route: Option<Route>) -> Links {
    match route.map(Route::lane) {
        Some(Lane::Admin) => Links::Refused,
        _ => Links::Followed,
    }
}

fn refuse(problem: &Problem, route: Option<Route>) -> HttpReply {
    let mut reply = problem_reply(problem);
    if let Some(route) = route
        && reply.status() == StatusCode::METHOD_NOT_ALLOWED
    {
        let allowed = HeaderValue::from_str(&allowed(route)).expect("methods are visible ASCII");
        reply.headers_mut().insert(ALLOW, allowed);
    }
    reply
}

/// The last answer of a connection. Over HTTP/2 each request has its own frames: nothing is to be closed.
fn refuse_and_close(problem: &Problem, version: Version) -> HttpReply {
    let mut reply = problem_reply(problem);
    if version < Version::HTTP_2 {
        let close = HeaderValue::from_static("close");
        reply.headers_mut().insert(CONNECTION, close);
    }
    reply
}

/// The headers of one call: where there are many, each has its own.
pub(crate) fn no_header_of_one_call(headers: &http::HeaderMap) -> Result<(), Problem> {
    let idempotency_key =
        "it would be of no use here: each line or frame has an idempotency key of its own";
    let at_least = "it would be of no use here: each line or frame has a `min_seq` of its own";
    without(headers, routes::HEADER_IDEMPOTENCY_KEY, idempotency_key)?;
    without(headers, routes::HEADER_AT_LEAST, at_least)
}

/// Refuses a header that would be passed over, while whoever sent it relies on it.
pub(crate) fn without(
    headers: &http::HeaderMap,
    name: &'static str,
    why: &str,
) -> Result<(), Problem> {
    match headers.contains_key(name) {
        true => Err(Problem::bad_request(name, why)),
        false => Ok(()),
    }
}

fn allowed(route: Route) -> String {
    let names: Vec<&str> = route.methods().iter().map(Method::as_str).collect();
    names.join(", ")
}

impl Asking {
    /// The routes that take no body.
    async fn plain(self, route: Route) -> Result<HttpReply, Problem> {
        let Self {
            shared,
            caller,
            request,
            ..
        } = &self;
        let open = || shared.answering();
        let params = |known: &[&str]| Params::of(request.uri().query(), known).map(drop);
        match route {
            Route::Entity => {
                return inspect::entity(open()?, request.uri(), request.headers()).await;
            }
            Route::Backup => {
                params(&[])?;
                let node = open()?.node.clone();
                return admin::backup(node, self).await;
            }
            _ => params(&[])?,
        }
        let json_of = |body: Bytes| whole(StatusCode::OK, routes::MEDIA_JSON, body);
        let text = |media, body| whole(StatusCode::OK, media, body);
        Ok(match route {
            Route::Invocation => inspect::invocation(open()?, caller, request.uri().path()).await?,
            Route::Entities => json_of(open()?.entities_json()),
            Route::OpenApi => json_of(open()?.openapi_json()),
            Route::Checkpoint => admin::checkpoint(open()?.node.clone()).await?,
            Route::StateHash => admin::state_hash(open()?.node.clone()).await?,
            Route::Health => text("text/plain; charset=utf-8", Bytes::from_static(b"ok\n")),
            Route::Ready => ready(shared),
            Route::Metrics => text(METRICS, Bytes::from(metrics::text(shared))),
            _ => text(
                "text/markdown; charset=utf-8",
                Bytes::from_static(HELP_TEXT.as_bytes()),
            ),
        })
    }
}

const METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

fn ready(shared: &Shared) -> HttpReply {
    let ready = shared.ready();
    let mut reply = json(&ready);
    if !ready.ready {
        *reply.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    reply
}

/// A call, a query or a send.
async fn method(asking: Asking, op: Op) -> Result<HttpReply, Problem> {
    let Asking {
        shared,
        caller,
        request,
        held: _held,
    } = asking;
    let open = shared.answering()?;
    let (head, body) = request.into_parts();
    let path = MethodPath::parse(head.uri.path())?;
    let params = params(&head, op)?;
    let limits = &shared.config.limits;
    let args = match head.method {
        Method::GET => get_args(open, &path, &params)?,
        _ => {
            let (max, timeout) = (limits.body_bytes_max, limits.body_timeout);
            body::read_json(&head.headers, body, max, timeout).await?
        }
    };
    let request = ordain_api::Request {
        op,
        entity: path.entity,
        method: path.method,
        args: call::check_args(&args)?,
        idempotency_key: idempotency_key(&head.headers, op)?,
        delay_ms: delay_ms(&params)?,
        min_seq: min_seq(&head.headers, &params, op)?,
    };
    let (op, asked) = answer::admit(&open.node, &caller, request)?;
    let pending = open
        .node
        .ask(op)
        .map_err(|refused| answer::refusal(refused, asked.op()))?;
    Ok(asked.answer(pending.await).into_http())
}

fn params<'r>(head: &'r http::request::Parts, op: Op) -> Result<Params<'r>, Problem> {
    let query = head.uri.query();
    match op {
        Op::Query if head.method == Method::GET => Params::parse(query),
        Op::Query => Params::of(query, &[routes::PARAM_MIN_SEQ]),
        Op::Send => Params::of(query, &[routes::PARAM_DELAY_MS]),
        Op::Call => Params::of(query, &[]),
    }
}

fn get_args(open: &Open, path: &MethodPath, params: &Params<'_>) -> Result<Bytes, Problem> {
    let method = open.method(path.entity.ty.as_str(), path.method.as_str());
    params.args(method.as_ref()).map(Bytes::from)
}

fn delay_ms(params: &Params<'_>) -> Result<u64, Problem> {
    let delay_ms = params.number(routes::PARAM_DELAY_MS)?;
    call::check_delay(delay_ms.unwrap_or(0))
}

/// The seq to see at least: what the header or the parameter says.
pub(crate) fn min_seq(
    headers: &http::HeaderMap,
    params: &Params<'_>,
    op: Op,
) -> Result<Seq, Problem> {
    let header = match one(headers, &AT_LEAST)? {
        None => None,
        Some(_) if op != Op::Query => {
            let detail = "only a query can ask to see a seq";
            return Err(Problem::bad_request(AT_LEAST.as_str(), detail));
        }
        Some(text) => Some(number(AT_LEAST.as_str(), text)?),
    };
    let param = match op {
        Op::Query => params.number(routes::PARAM_MIN_SEQ)?,
        Op::Call | Op::Send => None,
    };
    Ok(Seq(header.max(param).unwrap_or(0)))
}

fn idempotency_key(headers: &http::HeaderMap, op: Op) -> Result<Option<IdempotencyKey>, Problem> {
    match one(headers, &IDEMPOTENCY_KEY)? {
        None => Ok(None),
        Some(_) if op == Op::Query => {
            let detail = "a query writes nothing and takes no idempotency key";
            Err(Problem::bad_request(IDEMPOTENCY_KEY.as_str(), detail))
        }
        Some(key) => {
            let checked = call::check_idempotency_key(key);
            checked.map(Some).map_err(|mut problem| {
                problem.field = Some(IDEMPOTENCY_KEY.as_str().to_owned());
                problem
            })
        }
    }
}

/// The value of a header that may be there once.
fn one<'h>(headers: &'h http::HeaderMap, name: &HeaderName) -> Result<Option<&'h str>, Problem> {
    let mut all = headers.get_all(name).iter();
    let (first, second) = (all.next(), all.next());
    let Some(value) = first else { return Ok(None) };
    if second.is_some() {
        return Err(Problem::bad_request(
            name.as_str(),
            "it is there more than once",
        ));
    }
    let text = std::str::from_utf8(value.as_bytes());
    text.map(Some)
        .map_err(|_| Problem::bad_request(name.as_str(), "it is not UTF-8"))
}
