//! Names and keys from text: what is taken reads back the same from its own text, from JSON and from a
//! log record; what is refused is refused in all three.

use std::fmt::{Debug, Display};
use std::str::FromStr;

use ordain_types::id::check_caller;
use ordain_types::{
    EntityId, EntityType, FieldKey, IdempotencyKey, Key, Method, NameError, SendId, limits,
};
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::refused;

/// The target.
pub fn check(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    text_id::<Key>(&text, limits::KEY_BYTES_MAX);
    text_id::<FieldKey>(&text, limits::FIELD_KEY_BYTES_MAX);
    text_id::<IdempotencyKey>(&text, limits::IDEMPOTENCY_KEY_BYTES_MAX);
    text_id::<EntityType>(&text, limits::NAME_BYTES_MAX);
    text_id::<Method>(&text, limits::NAME_BYTES_MAX);
    read::<EntityId>(&text);
    read::<SendId>(&text);
    if check_caller(&text).is_ok() {
        assert!(text.len() <= limits::CALLER_BYTES_MAX && !text.contains(char::is_control));
    }
}

fn read<T: FromStr<Err = NameError> + Display>(text: &str) -> Option<T> {
    match text.parse::<T>() {
        Err(error) => {
            refused(&error, "");
            None
        }
        Ok(read) => {
            assert_eq!(read.to_string(), text, "the text of a name is the name");
            Some(read)
        }
    }
}

fn text_id<T>(text: &str, limit: usize)
where
    T: FromStr<Err = NameError> + Display + Debug + PartialEq + Serialize + DeserializeOwned,
{
    let read = read::<T>(text);
    let json = serde_json::to_string(text).expect("text is JSON");
    let from_json = serde_json::from_str::<T>(&json).ok();
    assert_eq!(from_json, read, "JSON takes other names");
    let record = postcard::to_allocvec(text).expect("text encodes");
    let from_record = postcard::from_bytes::<T>(&record).ok();
    assert_eq!(from_record, read, "a record takes other names");
    if let Some(read) = read {
        assert!(!text.is_empty() && text.len() <= limit && !text.contains(char::is_control));
        assert_eq!(
            postcard::to_allocvec(&read).expect("a name encodes"),
            record
        );
    }
}
