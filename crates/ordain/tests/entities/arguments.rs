//! Arguments whose types are not their serde's own inverse: what runs is what the log holds, or nothing.

use ordain::prelude::*;
use ordain::{CallError, EntityId, Refused, Request, TestNode};
use ordain_types::{Json, Method, MethodKind, RequestParts};

/// What is never written stays out of the log.
#[derive(Serialize, Deserialize)]
struct Login {
    user: String,
    #[serde(default, skip_serializing)]
    note: Option<String>,
}

/// Written under one name, read under another, or not at all.
#[derive(Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
struct Renamed {
    #[serde(default)]
    the_user: String,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all(deserialize = "camelCase"))]
struct Misnamed {
    the_user: String,
}

#[derive(Debug, Default, Clone, PartialEq, Serialize, Deserialize)]
struct Door(Vec<String>);

#[entity]
impl Door {
    fn open(&mut self, login: Login) -> Result<()> {
        self.0.push(format!("{} {:?}", login.user, login.note));
        Ok(())
    }

    fn renamed(&mut self, by: Renamed) -> Result<()> {
        self.0.push(by.the_user);
        Ok(())
    }

    fn misnamed(&mut self, by: Misnamed) -> Result<()> {
        self.0.push(by.the_user);
        Ok(())
    }
}

fn raw(method: &str, args: &'static str) -> Request<()> {
    Request::from(Ok(RequestParts {
        entity: EntityId::new("door", "d").expect("an id"),
        method: Method::new(method).expect("a name"),
        kind: MethodKind::Update,
        args: Json::from_static(args.as_bytes()),
        ready: Default::default(),
    }))
}

#[test]
fn a_replay_comes_to_the_same_state() {
    let node = TestNode::new(entities![Door]);
    node.call(raw("open", r#"{"login":{"user":"ada","note":"hm"}}"#))
        .expect("what is not written is left out");
    let before: Option<Door> = node.state("door/d");
    assert_eq!(before, Some(Door(vec!["ada None".to_owned()])));
    let (node, _) = node.crash();
    assert_eq!(node.state("door/d"), before);
}

#[track_caller]
fn refused(method: &str, field: &str, message: &str) {
    let node = TestNode::new(entities![Door]);
    let error = node.call(raw(method, r#"{"by":{"theUser":"ada"}}"#));
    let Err(CallError::Refused(Refused::Argument(error))) = error else {
        panic!("{error:?}");
    };
    assert_eq!(error.field.as_deref(), Some(field), "{error}");
    let start = "the arguments do not read back from their own JSON: ";
    let why = error.message.strip_prefix(start);
    assert!(why.is_some_and(|why| why.starts_with(message)), "{error}");
}

#[test]
fn what_a_replay_could_not_read_is_refused() {
    refused("misnamed", "by.theUser", "missing field `theUser`");
}

#[test]
fn what_a_replay_would_read_as_another_is_refused() {
    refused("renamed", "by", "`by` is written and then read as another");
}
