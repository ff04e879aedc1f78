//! What becomes of one call, whichever way it came: the node's replies and refusals as values and
//! problems, and those as HTTP. The only place where the node's words become the API's.

use std::hash::{BuildHasher, Hasher, RandomState};

use bytes::Bytes;
use http::header::{RETRY_AFTER, WWW_AUTHENTICATE};
use http::{HeaderName, HeaderValue, StatusCode};
use ordain_api::error::PROBLEM_JSON;
use ordain_api::{Op, Problem, Request, routes};
use ordain_node::{Body, Node, Past, Refused, Reply, StoreTrouble, Unavailable};
use ordain_types::{
    Call, EntityType, Fault, IdempotencyKey, Json, Method, MethodKind, Outcome, Seq,
};

use crate::auth::Caller;
use crate::body::{HttpReply, whole};

const SEQ: HeaderName = HeaderName::from_static(routes::HEADER_SEQ);
const REPEATED: HeaderName = HeaderName::from_static(routes::HEADER_REPEATED);

/// What must be known of a call to answer it.
#[derive(Debug, Clone)]
pub(crate) struct Asked {
    op: Op,
    min_seq: Seq,
    idempotency_key: Option<IdempotencyKey>,
    traces: bool,
}

#[cfg(test)]
impl Asked {
    /// A query that asks for nothing special.
    pub fn query() -> Self {
        Self {
            op: Op::Query,
            min_seq: Seq::ZERO,
            idempotency_key: None,
            traces: false,
        }
    }
}

/// The answer to one call.
#[derive(Debug)]
pub(crate) struct Answer {
    op: Op,
    /// The seq of an update; of a query, the last it saw. None if nothing ran.
    pub seq: Option<Seq>,
    repeated: bool,
    /// The value as JSON, or what was wrong.
    pub result: Result<Json, Problem>,
}

/// Lets a call in: the caller may, the method is there and of the right kind, the arguments fit.
pub(crate) fn admit(
    node: &Node,
    caller: &Caller,
    request: Request<'_>,
) -> Result<(ordain_node::Op, Asked), Problem> {
    let op = request.op;
    caller.may(op)?;
    let asked = Asked {
        op,
        min_seq: request.min_seq,
        idempotency_key: request.idempotency_key.clone(),
        traces: caller.sees_traces(),
    };
    let args = match request.args {
        [] => ordain_api::call::NO_ARGS,
        args => args,
    };
    let again = again(&request, &caller.name, args);
    let of_one_kind = (op != Op::Call).then(|| request.entity.ty.clone());
    let accepted = match node.accept(
        request.entity,
        request.method.as_str(),
        args,
        &caller.name,
        request.idempotency_key,
    ) {
        Ok(accepted) => accepted,
        Err(refused) => {
            check_is_json(&refused, args)?;
            let delay_ms = (op == Op::Send).then_some(request.delay_ms);
            let past = match again {
                Some(call) => Past::of(call, delay_ms, refused),
                None => Err(refused),
            };
            let past = past.map_err(|refused| {
                let other = of_one_kind.and_then(|ty| other_kind(node, &ty, &request.method, op));
                other.unwrap_or_else(|| refusal(refused, op))
            })?;
            return Ok((ordain_node::Op::Answered(past), asked));
        }
    };
    match (op, accepted.kind) {
        // It may have been sent when it was an update.
        (Op::Send, MethodKind::Query) => {
            let refused = Refused::not_an_update(&accepted.call);
            let past = Past::of(*accepted.call, Some(request.delay_ms), refused);
            let past = past.map_err(|refused| refusal(refused, op))?;
            Ok((ordain_node::Op::Answered(past), asked))
        }
        (Op::Query, MethodKind::Update) => Err(refusal(Refused::not_a_query(&accepted.call), op)),
        (Op::Call, _) => Ok((ordain_node::Op::Call(accepted), asked)),
        (Op::Query, _) => {
            let at_least = (asked.min_seq > Seq::ZERO).then_some(asked.min_seq);
            Ok((ordain_node::Op::Query { accepted, at_least }, asked))
        }
        (Op::Send, _) => {
            let delay_ms = request.delay_ms;
            Ok((ordain_node::Op::Send { accepted, delay_ms }, asked))
        }
    }
}

/// That a method is not of the kind asked for comes before what its arguments lack: none would do.
fn other_kind(node: &Node, ty: &EntityType, method: &Method, op: Op) -> Option<Problem> {
    let (ty, method) = (ty.as_str(), method.as_str());
    let catalog = node.catalog();
    let (_, def) = catalog.get(catalog.index(ty)?).method(method)?;
    match (op, def.kind) {
        (Op::Query, MethodKind::Update) | (Op::Send, MethodKind::Query) => {
            Some(Problem::wrong_method_kind(ty, method, def.kind, op))
        }
        _ => None,
    }
}

/// It is not the method's fault if it is no JSON at all.
fn check_is_json(refused: &Refused, args: &[u8]) -> Result<(), Problem> {
    if let Refused::Argument(_) = refused
        && let Err(error) = serde_json::from_slice::<serde::de::IgnoredAny>(args)
    {
        return Err(Problem::malformed_json("the arguments' text", error));
    }
    Ok(())
}

/// The call, if it may be a retry of what ran before methods were what they are.
fn again(request: &Request<'_>, caller: &str, args: &[u8]) -> Option<Call> {
    let is_kept = request.op != Op::Query && request.idempotency_key.is_some();
    is_kept.then(|| Call {
        entity: request.entity.clone(),
        method: request.method.clone(),
        args: Json::copy_from_slice(args),
        caller: caller.to_owned(),
        idempotency_key: request.idempotency_key.clone(),
    })
}

/// A refusal at the node's door as a problem.
pub(crate) fn refusal(refused: Refused, op: Op) -> Problem {
    let text = refused.to_string();
    match refused {
        Refused::Name(error) => error.into(),
        Refused::UnknownEntity { name, near } => {
            Problem::unknown_entity(&name, near.iter().map(String::as_str))
        }
        Refused::UnknownMethod { entity, name, near } => {
            Problem::unknown_method(&entity, &name, near.iter().map(String::as_str))
        }
        Refused::NotAQuery { entity, method } => {
            Problem::wrong_method_kind(&entity, &method, MethodKind::Update, op)
        }
        Refused::NotAnUpdate { entity, method } => {
            Problem::wrong_method_kind(&entity, &method, MethodKind::Query, op)
        }
        Refused::Argument(error) => Problem::unfit_argument(error.field.as_deref(), error.message),
        Refused::ArgumentBytes { limit, .. } => {
            Problem::request_too_large("the arguments' JSON", "argument_bytes", limit as u64)
        }
        Refused::Delay { .. } => Problem::bad_request(routes::PARAM_DELAY_MS, text),
        Refused::Overloaded { retry_after_ms, .. } => Problem::overloaded(retry_after_ms),
        Refused::Unavailable(why) => unavailable(&why),
    }
}

/// A fault as a problem, with its trace for those who may see it.
pub(crate) fn fault_problem(fault: Fault, traces: bool) -> Problem {
    let mut problem = Problem::from(&fault);
    problem.trace = Some(fault.trace).filter(|trace| traces && !trace.is_empty());
    problem
}

/// Why nothing runs, as a problem.
pub(crate) fn unavailable(why: &Unavailable) -> Problem {
    match why {
        Unavailable::Stopping => Problem::stopping(),
        Unavailable::DiskFull(reason) => Problem::disk_full(reason),
        Unavailable::DiskFailed(reason) => Problem::disk_failed(reason),
        Unavailable::Store { trouble, what } => match trouble {
            StoreTrouble::Full => Problem::no_space_for_checkpoint(what),
            StoreTrouble::Damaged => Problem::store_damaged(what),
            StoreTrouble::Failed => Problem::store_failed(what),
        },
        Unavailable::Halted(_) => Problem::halted(&why.to_string()),
    }
}

/// A defect of the server, as a problem that names the line which the server's log has of it.
pub(crate) fn internal(what: &str) -> Problem {
    // Each is seeded anew.
    let instance = format!("{:016x}", RandomState::new().build_hasher().finish());
    tracing::error!(instance, "a defect: {what}");
    let mut problem = Problem::internal(what);
    problem.instance = Some(instance);
    problem
}

impl Asked {
    /// What was asked for.
    pub fn op(&self) -> Op {
        self.op
    }

    /// The answer that a reply of the node makes.
    pub fn answer(&self, reply: Reply) -> Answer {
        let mut answer = Answer {
            op: self.op,
            seq: None,
            repeated: false,
            result: Ok(Json::new()),
        };
        answer.result = match reply.body {
            Body::Outcome { outcome, repeated } => {
                answer.seq = Some(reply.seq);
                answer.repeated = repeated;
                match outcome {
                    Outcome::Value(value) => Ok(self.value(value)),
                    Outcome::Rejected(rejection) => Err(Problem::from(&*rejection)),
                    Outcome::Fault(fault) => Err(fault_problem(*fault, self.traces)),
                }
            }
            Body::KeyReused { .. } => {
                let key = self
                    .idempotency_key
                    .as_ref()
                    .map_or("", IdempotencyKey::as_str);
                Err(Problem::idempotency_key_reused(key))
            }
            Body::SeqNotReached => Err(Problem::seq_not_reached(self.min_seq, reply.seq)),
            Body::Refused(refused) => Err(refusal(*refused, self.op)),
            Body::Unavailable(why) => Err(unavailable(&why)),
            _ => Err(internal(
                "the node answered another question than was asked",
            )),
        };
        answer
    }

    /// A send's value is its id; the API gives it in an object, so that it can say more one day.
    fn value(&self, value: Json) -> Json {
        match self.op {
            Op::Send => [b"{\"id\":", &value[..], b"}"].concat().into(),
            Op::Call | Op::Query => value,
        }
    }
}

impl Answer {
    /// The bytes of what can be long in it: its value, or a rejection's details.
    pub fn bytes(&self) -> usize {
        match &self.result {
            Ok(value) => value.len(),
            Err(problem) => problem
                .details
                .as_ref()
                .map_or(0, |details| details.get().len()),
        }
    }

    /// The answer to what did not get in.
    pub fn refused(problem: Problem) -> Self {
        Self {
            op: Op::Call,
            seq: None,
            repeated: false,
            result: Err(problem),
        }
    }

    /// The answer as HTTP.
    pub fn into_http(self) -> HttpReply {
        let mut reply = match self.result {
            Ok(value) => {
                let status = match self.op {
                    Op::Send => StatusCode::ACCEPTED,
                    Op::Call | Op::Query => StatusCode::OK,
                };
                whole(status, routes::MEDIA_JSON, value)
            }
            Err(problem) => problem_reply(&problem),
        };
        let headers = reply.headers_mut();
        if let Some(Seq(seq)) = self.seq {
            headers.insert(SEQ, HeaderValue::from(seq));
        }
        if self.repeated {
            headers.insert(REPEATED, HeaderValue::from_static("true"));
        }
        reply
    }
}

/// A problem as HTTP.
pub(crate) fn problem_reply(problem: &Problem) -> HttpReply {
    let status = StatusCode::from_u16(problem.status).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
    let mut reply = whole(status, PROBLEM_JSON, Bytes::from(problem.to_json()));
    if let Some(secs) = problem.retry_after_secs() {
        reply
            .headers_mut()
            .insert(RETRY_AFTER, HeaderValue::from(secs));
    }
    if status == StatusCode::UNAUTHORIZED {
        let scheme = HeaderValue::from_static("Bearer");
        reply.headers_mut().insert(WWW_AUTHENTICATE, scheme);
    }
    reply
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_node_that_has_ended_is_unavailable_and_says_why() {
        let told = unavailable(&Unavailable::Halted("no disk".to_owned()));
        assert_eq!((told.status, &*told.code), (503, "halted"));
        assert!(told.detail.contains("no disk"), "{}", told.detail);
        assert_eq!(told.instance, None, "it is not a defect of the server");
    }

    #[test]
    fn a_defect_names_its_place_in_the_log() {
        let (one, other) = (internal("it broke"), internal("it broke"));
        assert_eq!((one.status, &*one.code), (500, "internal"));
        assert!(one.instance.is_some());
        assert_ne!(one.instance, other.instance);
    }

    #[test]
    fn a_refusal_in_its_turn_is_told_as_one_at_the_door() {
        let refused = || Refused::NotAQuery {
            entity: "account".to_owned(),
            method: "close".to_owned(),
        };
        let answer = Asked::query().answer(Reply {
            seq: Seq(7),
            body: Body::Refused(Box::new(refused())),
        });
        let told = answer.result.expect_err("it was refused");
        assert_eq!(told.to_json(), refusal(refused(), Op::Query).to_json());
        assert_eq!(told.status, 400);
        assert_eq!(answer.seq, None, "nothing ran");
    }
}
