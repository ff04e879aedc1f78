//! Looking at states: one entity's, a page at a time, and what became of a send.

use http::{HeaderMap, Uri};
use ordain_api::path::{parse_entity_path, parse_invocation_path};
use ordain_api::replies::{EntityState, Field, Invocation, InvocationStatus};
use ordain_api::{Op, Problem, routes};
use ordain_node::{Body, Invocation as Found, InvocationStatus as Status};
use ordain_types::{EntityId, FieldKey, Json, Outcome, SendId, Seq};
use serde_json::value::RawValue;

use crate::answer::{fault_problem, internal, refusal, unavailable};
use crate::auth::Caller;
use crate::body::{HttpReply, json};
use crate::config::{PAGE_BYTES_MAX, PAGE_FIELDS, PAGE_FIELDS_MAX};
use crate::params::Params;
use crate::service::min_seq;
use crate::shared::Open;

/// `GET /v1/entities/{type}/{key}`.
pub(crate) async fn entity(
    open: &Open,
    uri: &Uri,
    headers: &HeaderMap,
) -> Result<HttpReply, Problem> {
    let entity = parse_entity_path(uri.path())?;
    let page = Page::of(uri.query(), headers)?;
    let op = ordain_node::Op::Inspect {
        entity: Box::new(entity.clone()),
        after: page.after,
        // One more than the page holds says whether there are more.
        limit: page.limit + 1,
    };
    let reply = ask(open, op).await?;
    if reply.seq < page.min_seq {
        return Err(Problem::seq_not_reached(page.min_seq, reply.seq));
    }
    match reply.body {
        Body::Entity { root, fields } => {
            // Of a type that is out of force, there is what was kept.
            if root.is_none() && fields.is_empty() {
                open.knows(entity.ty.as_str())?;
            }
            Ok(json(&state(&entity, reply.seq, root, fields, page.limit)))
        }
        Body::Unavailable(why) => Err(unavailable(&why)),
        _ => Err(internal("the node gave no state for an entity")),
    }
}

/// Which fields are asked for.
struct Page {
    after: Option<FieldKey>,
    limit: usize,
    min_seq: Seq,
}

impl Page {
    fn of(query: Option<&str>, headers: &HeaderMap) -> Result<Self, Problem> {
        let known = [
            routes::PARAM_AFTER,
            routes::PARAM_LIMIT,
            routes::PARAM_MIN_SEQ,
        ];
        let params = Params::of(query, &known)?;
        let after = params.text(routes::PARAM_AFTER).map(FieldKey::new);
        let limit = params.number(routes::PARAM_LIMIT)?.unwrap_or(PAGE_FIELDS);
        // A page of none would have no field after which the next begins.
        if !(1..=PAGE_FIELDS_MAX).contains(&limit) {
            let detail = format!("a page has 1 to {PAGE_FIELDS_MAX} fields");
            return Err(Problem::bad_request(routes::PARAM_LIMIT, detail));
        }
        Ok(Self {
            after: after.transpose()?,
            limit,
            min_seq: min_seq(headers, &params, Op::Query)?,
        })
    }
}

fn state(
    entity: &EntityId,
    seq: Seq,
    root: Option<Json>,
    found: Vec<(FieldKey, Json)>,
    limit: usize,
) -> EntityState {
    let (mut fields, mut bytes) = (Vec::new(), 0);
    let mut next = None;
    for (at, (field, value)) in found.into_iter().enumerate() {
        // A page holds one field at least, or there were no way on.
        if at == limit || (at > 0 && bytes + value.len() > PAGE_BYTES_MAX) {
            next = fields.last().map(|last: &Field| last.field.clone());
            break;
        }
        bytes += value.len();
        fields.push(Field {
            field: field.to_string(),
            value: raw(&value),
        });
    }
    EntityState {
        entity: entity.ty.to_string(),
        key: entity.key.to_string(),
        seq,
        state: root.as_ref().map(raw),
        fields,
        next,
    }
}

/// `GET /v1/invocations/{id}`.
pub(crate) async fn invocation(
    open: &Open,
    caller: &Caller,
    path: &str,
) -> Result<HttpReply, Problem> {
    let id = parse_invocation_path(path)?;
    let reply = ask(open, ordain_node::Op::Invocation(id)).await?;
    match reply.body {
        Body::Invocation(Some(found)) => Ok(json(&told(id, *found, caller.sees_traces()))),
        Body::Invocation(None) => Err(Problem::no_invocation(&id.to_string())),
        Body::Unavailable(why) => Err(unavailable(&why)),
        _ => Err(internal("the node gave no invocation for a send")),
    }
}

async fn ask(open: &Open, op: ordain_node::Op) -> Result<ordain_node::Reply, Problem> {
    let pending = open.node.ask(op);
    Ok(pending
        .map_err(|refused| refusal(refused, Op::Query))?
        .await)
}

fn told(id: SendId, found: Found, traces: bool) -> Invocation {
    let mut told = Invocation {
        id,
        status: InvocationStatus::Pending,
        entity: found.entity.to_string(),
        method: found.method.to_string(),
        due: None,
        seq: None,
        value: None,
        problem: None,
    };
    match found.status {
        Status::Pending { due } => told.due = Some(due),
        Status::Done { seq, outcome } => {
            told.seq = Some(seq);
            told.status = match outcome {
                Outcome::Value(value) => {
                    told.value = Some(raw(&value));
                    InvocationStatus::Completed
                }
                Outcome::Rejected(rejection) => {
                    told.problem = Some(Problem::from(&*rejection));
                    InvocationStatus::Rejected
                }
                Outcome::Fault(fault) => {
                    told.problem = Some(fault_problem(*fault, traces));
                    InvocationStatus::Faulted
                }
            };
        }
    }
    told
}

/// The text as it is; what is no JSON, as a string, rather than no answer.
fn raw(json: &Json) -> Box<RawValue> {
    let text = String::from_utf8_lossy(json);
    serde_json::from_str(&text).unwrap_or_else(|_| {
        serde_json::value::to_raw_value(&text).expect("text encodes into memory")
    })
}
