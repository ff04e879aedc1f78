//! Live root values of modules' entities: JSON text, with the version of the shape it was written in.
//! It knows nothing of what the JSON says; each host parses it for its language.

use std::any::Any;

use ordain_engine::{State, StateType, Tx};
use ordain_types::Json;

use crate::versioned;

/// The root value of a module's entity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct JsonState {
    /// The value as JSON text; none before the first write.
    pub json: Option<Json>,
    /// The version of its shape.
    pub version: u32,
}

/// Makes root values of modules' entities.
#[derive(Debug, Clone, Copy)]
pub struct JsonType {
    /// The version that is written.
    pub version: u32,
}

impl State for JsonState {
    fn snapshot(&self) -> Box<dyn State> {
        Box::new(self.clone())
    }

    fn encode(&self, out: &mut Vec<u8>) -> Result<(), String> {
        let json = self.json.as_deref().unwrap_or(b"null");
        versioned::encode(self.version, out, |out| {
            out.extend_from_slice(json);
            Ok(())
        })
    }

    fn encoded_len(&self) -> Result<usize, String> {
        let json = self.json.as_ref().map_or(4, Json::len);
        Ok(json + versioned::around(self.version))
    }
}

impl StateType for JsonType {
    fn initial(&self) -> Box<dyn State> {
        Box::new(JsonState {
            json: None,
            version: self.version,
        })
    }

    fn decode(&self, stored: &[u8]) -> Result<Box<dyn State>, String> {
        let (version, json) = versioned::parse(stored);
        serde_json::from_slice::<serde::de::IgnoredAny>(json).map_err(|error| error.to_string())?;
        Ok(Box::new(JsonState {
            json: Some(Json::copy_from_slice(json)),
            version,
        }))
    }

    fn shown(&self, stored: Json) -> Json {
        versioned::shown(stored)
    }
}

pub(crate) const ITS_OWN: &str = "the state of a module's entity is JSON";

/// The root value of the entity whose method runs.
pub fn state(tx: &mut Tx) -> &JsonState {
    let state: &dyn Any = tx.state();
    state.downcast_ref().expect(ITS_OWN)
}

/// Writes the root value of the entity whose method runs.
pub fn set_state(tx: &mut Tx, json: Json, version: u32) {
    let state: &mut dyn Any = tx.state_mut();
    let state: &mut JsonState = state.downcast_mut().expect(ITS_OWN);
    state.json = Some(json);
    state.version = version;
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(state: &JsonState, stored: &str) {
        let mut out = Vec::new();
        state.encode(&mut out).expect("it encodes");
        assert_eq!(std::str::from_utf8(&out), Ok(stored));
        let json = state.json.as_ref().map_or(4, Json::len);
        let len = json + versioned::around(state.version);
        assert_eq!(state.encoded_len(), Ok(len));
        let ty = JsonType { version: 1 };
        let back: Box<dyn Any> = ty.decode(&out).expect("it decodes");
        let json = state.json.clone().unwrap_or(Json::from_static(b"null"));
        let expected = JsonState {
            json: Some(json.clone()),
            version: state.version,
        };
        assert_eq!(back.downcast_ref(), Some(&expected));
        assert_eq!(ty.shown(out.into()), json);
    }

    #[test]
    fn stored_forms_read_back() {
        let state = |json: Option<&'static [u8]>, version| JsonState {
            json: json.map(Json::from_static),
            version,
        };
        check(&state(Some(b"{\"a\":1}"), 1), "{\"a\":1}");
        check(&state(None, 1), "null");
        let stored = "{\"$version\":12,\"$state\":{\"a\":1}}";
        check(&state(Some(b"{\"a\":1}"), 12), stored);
        check(&state(Some(b"[]"), 0), "{\"$version\":0,\"$state\":[]}");
        // What a caller put there is not believed to be the host's.
        for json in [
            r#"{"$version":7,"$state":{"x":1}}"#,
            r#"{"$version":1,"$state":1,"more":2}"#,
            r#"{"$version":null}"#,
        ] {
            let stored = format!(r#"{{"$version":1,"$state":{json}}}"#);
            check(&state(Some(json.as_bytes()), 1), &stored);
            let stored = format!(r#"{{"$version":2,"$state":{json}}}"#);
            check(&state(Some(json.as_bytes()), 2), &stored);
        }
    }

    #[test]
    fn what_is_no_json_is_refused() {
        let ty = JsonType { version: 1 };
        for bad in ["", "{", "{\"$version\":2,\"$state\":{}", "1 2"] {
            assert!(ty.decode(bad.as_bytes()).is_err(), "{bad}");
        }
    }
}
