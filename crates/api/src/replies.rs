//! Bodies of the endpoints beside calls: written by the server, read by clients. States, values and
//! details are passed on as the JSON text they are.

use ordain_types::{SendId, Seq, Timestamp};
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;

use crate::describe::EntityDescription;
use crate::error::Problem;

/// `POST /v1/send/…`, 202: what to ask for under `/v1/invocations/{id}`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sent {
    /// The send's id: `1234.0`.
    pub id: SendId,
}

/// How far a send is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum InvocationStatus {
    /// It waits for its time or its turn.
    Pending,
    /// The method gave its value.
    Completed,
    /// The method said no.
    Rejected,
    /// The call broke a limit or crashed.
    Faulted,
}

/// `GET /v1/invocations/{id}`.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Invocation {
    /// The send's id.
    pub id: SendId,
    /// How far it is.
    pub status: InvocationStatus,
    /// Whom it calls: `account/alice`.
    pub entity: String,
    /// What it calls.
    pub method: String,
    /// When it is due, in milliseconds since the Unix epoch, if pending.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub due: Option<Timestamp>,
    /// The seq at which it ran.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub seq: Option<Seq>,
    /// What the method gave, if completed.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub value: Option<Box<RawValue>>,
    /// What it said, if rejected or faulted.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub problem: Option<Problem>,
}

/// `GET /v1/entities`: the entity types present.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Entities {
    /// In the order of their names.
    pub entities: Vec<EntityDescription>,
}

/// One field of an entity.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Field {
    /// The field's key.
    pub field: String,
    /// Its value.
    pub value: Box<RawValue>,
}

/// `GET /v1/entities/{type}/{key}`: an entity's state and the first of its fields.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct EntityState {
    /// The entity's type.
    pub entity: String,
    /// The entity's key.
    pub key: String,
    /// The last seq this state has seen.
    pub seq: Seq,
    /// The root value; none before the first write.
    pub state: Option<Box<RawValue>>,
    /// Fields in the order of their keys.
    pub fields: Vec<Field>,
    /// If there are more: the `after` that continues.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub next: Option<String>,
}

/// How far a replay has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Progress {
    /// The seq of the checkpoint it began after.
    pub from: Seq,
    /// The last seq replayed.
    pub seq: Seq,
    /// The last seq of the log.
    pub to: Seq,
}

/// What the server does.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// Calls are answered.
    Ready,
    /// The log is being replayed.
    Starting,
    /// What was accepted is being finished.
    Stopping,
    /// Nothing can be made durable until there is space; queries are answered.
    DiskFull,
    /// Nothing can be made durable until a restart; queries are answered.
    DiskFailed,
    /// The server cannot go on until a restart.
    Halted,
}

/// `GET /readyz`: 200 if ready, else 503.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ready {
    /// Whether updates are taken.
    pub ready: bool,
    /// What the server does.
    pub status: Status,
    /// The last seq executed.
    pub seq: Seq,
    /// How far a start has come.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub progress: Option<Progress>,
    /// Why the server is not ready, for people.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub reason: Option<String>,
}

/// `GET /v1/admin/state-hash`: equal on two nodes if and only if their states at this seq are.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StateHash {
    /// The last seq the hash covers.
    pub seq: Seq,
    /// Hexadecimal.
    pub hash: String,
}

/// `POST /v1/admin/checkpoint`: everything up to this seq is in the store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Checkpoint {
    /// The seq it stands for.
    pub seq: Seq,
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde::de::DeserializeOwned;

    fn check<T: Serialize + DeserializeOwned>(reply: &T, text: &str) {
        assert_eq!(serde_json::to_string(reply).unwrap(), text);
        let read: T = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&read).unwrap(), text);
    }

    fn raw(text: &str) -> Box<RawValue> {
        RawValue::from_string(text.to_owned()).unwrap()
    }

    #[test]
    fn the_id_of_a_send_is_text_in_json() {
        let id: SendId = "300.3".parse().unwrap();
        check(&id, r#""300.3""#);
        let numbers = r#"{"seq":300,"index":3}"#; // as states of earlier versions may have it
        assert_eq!(serde_json::from_str::<SendId>(numbers).unwrap(), id);
        for bad in [r#""300""#, "300.3", r#"{"seq":300}"#, "null"] {
            let error = serde_json::from_str::<SendId>(bad).unwrap_err().to_string();
            assert!(error.contains("send"), "{bad}: {error}");
        }
    }

    #[test]
    fn replies_are_as_documented() {
        let id = "12.3".parse().unwrap();
        check(&Sent { id }, r#"{"id":"12.3"}"#);
        let mut invocation = Invocation {
            id,
            status: InvocationStatus::Pending,
            entity: "account/al".into(),
            method: "deposit".into(),
            due: Some(Timestamp(5)),
            seq: None,
            value: None,
            problem: None,
        };
        check(
            &invocation,
            r#"{"id":"12.3","status":"pending","entity":"account/al","method":"deposit","due":5}"#,
        );
        invocation.status = InvocationStatus::Completed;
        invocation.due = None;
        invocation.seq = Some(Seq(14));
        invocation.value = Some(raw("1.50"));
        check(
            &invocation,
            r#"{"id":"12.3","status":"completed","entity":"account/al","method":"deposit","seq":14,"value":1.50}"#,
        );
        check(
            &EntityState {
                entity: "cart".into(),
                key: "a".into(),
                seq: Seq(9),
                state: Some(raw(r#"{"n":1}"#)),
                fields: vec![Field {
                    field: "line/1".into(),
                    value: raw("2"),
                }],
                next: Some("line/1".into()),
            },
            r#"{"entity":"cart","key":"a","seq":9,"state":{"n":1},"fields":[{"field":"line/1","value":2}],"next":"line/1"}"#,
        );
        check(
            &Ready {
                ready: false,
                status: Status::DiskFull,
                seq: Seq(3),
                progress: None,
                reason: Some("no space".into()),
            },
            r#"{"ready":false,"status":"disk_full","seq":3,"reason":"no space"}"#,
        );
    }
}
