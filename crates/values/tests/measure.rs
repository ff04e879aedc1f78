//! The measured length of a value is the length of its JSON, and what could not be read back is
//! refused with the place.

use std::collections::BTreeMap;

use ordain_types::limits::JSON_DEPTH_MAX;
use ordain_values::{encoded_len, to_json};
use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde::{Deserialize, Serialize, Serializer};

#[derive(Debug, Clone, Serialize)]
struct Unit;

#[derive(Debug, Clone, Serialize)]
struct Newtype(i128);

#[derive(Debug, Clone, Serialize)]
struct Pair(u8, String);

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
enum Name {
    Plain,
    #[serde(rename = "with \"quotes\"\n")]
    Quoted,
}

/// Every kind of value that serde knows.
#[derive(Debug, Clone, Serialize)]
enum Value {
    Unit(Unit, ()),
    Bool(bool),
    Small(i8, u8, i16, u16, i32, u32),
    Large(i64, u64, i128, u128),
    Float(f32, f64),
    Text(String, char),
    Bytes(#[serde(serialize_with = "as_bytes")] Vec<u8>),
    Shown(#[serde(serialize_with = "as_shown")] String),
    Option(Option<Box<Value>>),
    List(Vec<Value>),
    Tuple(Newtype, Pair, Name),
    Struct {
        first: Box<Value>,
        #[serde(skip_serializing_if = "Option::is_none")]
        second: Option<bool>,
        r#type: u8,
    },
    Texts(BTreeMap<String, Value>),
    Numbers(BTreeMap<i64, u8>),
    Wide(BTreeMap<u128, ()>),
    Bools(BTreeMap<bool, char>),
    Chars(BTreeMap<char, ()>),
    Names(BTreeMap<Name, ()>),
    Raw(Box<serde_json::value::RawValue>),
    Json(serde_json::Value),
    Flat(Flat),
}

#[derive(Debug, Clone, Serialize)]
#[serde(tag = "kind")]
struct Flat {
    one: i32,
    #[serde(flatten)]
    rest: BTreeMap<String, u16>,
}

fn as_bytes<S: Serializer>(bytes: &[u8], to: S) -> Result<S::Ok, S::Error> {
    to.serialize_bytes(bytes)
}

fn as_shown<S: Serializer>(text: &str, to: S) -> Result<S::Ok, S::Error> {
    to.collect_str(text)
}

fn text() -> impl Strategy<Value = String> {
    vec(
        prop_oneof![any::<char>(), (0u8..0x80).prop_map(char::from)],
        0..12,
    )
    .prop_map(|chars| chars.into_iter().collect())
}

fn finite() -> impl Strategy<Value = f64> {
    prop_oneof![any::<f64>(), -1e6..1e6, any::<i32>().prop_map(f64::from)]
        .prop_filter("finite", |value| value.is_finite())
}

fn leaf() -> impl Strategy<Value = Value> {
    let small = any::<(i8, u8, i16, u16, i32, u32)>()
        .prop_map(|(a, b, c, d, e, f)| Value::Small(a, b, c, d, e, f));
    let large = (
        any::<i64>(),
        any::<u64>(),
        any::<i128>(),
        any::<u128>(),
        0u32..128,
    )
        .prop_map(|(a, b, c, d, by)| Value::Large(a >> (by / 2), b >> (by / 2), c >> by, d >> by));
    let name = || prop_oneof![Just(Name::Plain), Just(Name::Quoted)];
    let flat = (any::<i32>(), btree_map(text(), any::<u16>(), 0..3))
        .prop_map(|(one, rest)| Value::Flat(Flat { one, rest }));
    prop_oneof![
        Just(Value::Unit(Unit, ())),
        any::<bool>().prop_map(Value::Bool),
        small,
        large,
        (any::<i16>(), finite()).prop_map(|(a, b)| Value::Float(f32::from(a) / 3.0, b)),
        (text(), any::<char>()).prop_map(|(a, b)| Value::Text(a, b)),
        vec(any::<u8>(), 0..8).prop_map(Value::Bytes),
        text().prop_map(Value::Shown),
        (any::<i128>(), any::<u8>(), text(), name()).prop_map(|(a, b, c, d)| Value::Tuple(
            Newtype(a),
            Pair(b, c),
            d
        )),
        btree_map(any::<i64>(), any::<u8>(), 0..4).prop_map(Value::Numbers),
        btree_map(any::<u128>(), Just(()), 0..4).prop_map(Value::Wide),
        btree_map(any::<bool>(), any::<char>(), 0..3).prop_map(Value::Bools),
        btree_map(any::<char>(), Just(()), 0..4).prop_map(Value::Chars),
        btree_map(name(), Just(()), 0..3).prop_map(Value::Names),
        text().prop_map(|text| Value::Raw(serde_json::value::to_raw_value(&[text]).unwrap())),
        finite().prop_map(|number| Value::Json(serde_json::json!({ "n": number }))),
        flat,
    ]
}

fn value() -> impl Strategy<Value = Value> {
    leaf().prop_recursive(4, 32, 4, |inner| {
        prop_oneof![
            proptest::option::of(inner.clone()).prop_map(|v| Value::Option(v.map(Box::new))),
            vec(inner.clone(), 0..4).prop_map(Value::List),
            btree_map(text(), inner.clone(), 0..4).prop_map(Value::Texts),
            (inner, any::<Option<bool>>(), any::<u8>()).prop_map(|(first, second, r#type)| {
                Value::Struct {
                    first: Box::new(first),
                    second,
                    r#type,
                }
            }),
        ]
    })
}

proptest! {
    #[test]
    fn measured_as_written(value in value()) {
        let json = serde_json::to_vec(&value).unwrap();
        prop_assert_eq!(encoded_len(&value).unwrap(), json.len(), "{}", String::from_utf8_lossy(&json));
        prop_assert_eq!(to_json(&value).unwrap(), json);
    }
}

#[test]
fn the_ends_of_every_integer_are_measured_as_written() {
    macro_rules! check {
        ($($ty:ty)*) => {$(
            for value in [<$ty>::MIN, <$ty>::MAX, 0, 1, 9, 10, 99, 100] {
                let written = serde_json::to_string(&value).unwrap();
                assert_eq!(encoded_len(&value).unwrap(), written.len(), "{value}");
            }
        )*};
    }
    check!(i8 u8 i16 u16 i32 u32 i64 u64 i128 u128 isize usize);
}

#[track_caller]
fn refused(value: &impl Serialize, expected: &str) {
    let error = to_json(value).unwrap_err().to_string();
    assert!(error.starts_with(expected), "{error}");
}

#[test]
fn what_could_not_be_read_back_is_refused_with_its_place() {
    #[derive(Serialize)]
    struct Rates {
        today: Vec<f64>,
    }
    refused(&f64::NAN, "a number is NaN or infinite");
    refused(
        &Rates {
            today: vec![1.0, f64::INFINITY],
        },
        "at `today.[]`: a number is NaN",
    );
    refused(&Value::Float(f32::NAN, 0.0), "at `[]`: a number is NaN");
    let pairs = BTreeMap::from([((1, 2), 3)]);
    refused(
        &BTreeMap::from([("at", &pairs)]),
        "at `{}`: a map's keys are neither strings nor",
    );
    refused(
        &BTreeMap::from([(None::<u8>, 3)]),
        "a map's keys are neither",
    );
}

/// Whoever may choose a key of a map could else make a state that reads as another, or not at all.
#[test]
fn a_key_that_serde_json_takes_for_its_own_is_refused() {
    let key = "$serde_json::private::RawValue";
    for text in ["[1]", "["] {
        let object = serde_json::json!({"of": [{key: text}]});
        refused(
            &object,
            "at `{}.[]`: a map has the key `$serde_json::private::RawValue`",
        );
    }
    assert!(to_json(&serde_json::json!({"$serde_json": 1})).is_ok());
    let raw = serde_json::value::to_raw_value("itself").expect("it is JSON");
    assert_eq!(to_json(&raw).expect("so it is here"), "\"itself\"");
}

#[test]
fn a_shown_key_that_serde_json_takes_for_its_own_is_refused() {
    #[derive(PartialEq, Eq, PartialOrd, Ord)]
    struct Shown(&'static str);

    impl Serialize for Shown {
        fn serialize<S: Serializer>(&self, to: S) -> Result<S::Ok, S::Error> {
            to.collect_str(self.0)
        }
    }
    let key = Shown("$serde_json::private::Number");
    refused(
        &BTreeMap::from([(key, "1")]),
        "a map has the key `$serde_json::private::Number`",
    );
    let shown = BTreeMap::from([(Shown("a\"b"), 1)]);
    assert_eq!(to_json(&shown).expect("a key"), r#"{"a\"b":1}"#);
}

/// Such a state would be written and never read again, and a client may have chosen the key.
#[test]
fn a_name_that_comes_twice_is_refused() {
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    struct Account {
        balance: u8,
        #[serde(flatten)]
        rest: BTreeMap<String, u8>,
    }
    #[derive(Debug, PartialEq, Serialize, Deserialize)]
    #[serde(tag = "kind")]
    enum Tagged {
        Map(BTreeMap<String, String>),
        Maps(BTreeMap<String, BTreeMap<String, u8>>),
    }
    #[derive(Serialize)]
    #[serde(tag = "of")]
    enum Outer {
        Tagged(Tagged),
    }
    let account = |key: &str| Account {
        balance: 5,
        rest: BTreeMap::from([("a".into(), 1), (key.into(), 2)]),
    };
    let tagged = |key: &str| Tagged::Map(BTreeMap::from([(key.into(), "b".into())]));
    refused(&account("balance"), "the name `balance` comes twice");
    refused(&tagged("kind"), "the name `kind` comes twice");
    refused(&[tagged("kind")], "at `[]`: the name `kind`");
    for key in ["of", "kind"] {
        let twice = format!("the name `{key}` comes twice");
        refused(&Outer::Tagged(tagged(key)), &twice);
    }
    assert!(to_json(&Outer::Tagged(tagged("b"))).is_ok());
    for key in ["", "b", "Balance", "kinds"] {
        let json = to_json(&account(key)).expect("each name once");
        let read: Account = serde_json::from_slice(&json).expect("it reads back");
        assert_eq!(read, account(key));
        let json = to_json(&tagged(key)).expect("each name once");
        let read: Tagged = serde_json::from_slice(&json).expect("it reads back");
        assert_eq!(read, tagged(key));
    }
    // Each object has its own names, and those around it stay when it ends.
    let inner = BTreeMap::from([("kind".to_owned(), 1), ("balance".to_owned(), 2)]);
    let maps = |last: &str| {
        let each = ["a", "b", last].map(|key| (key.to_owned(), inner.clone()));
        Tagged::Maps(each.into())
    };
    assert!(to_json(&maps("c")).is_ok());
    refused(&maps("kind"), "the name `kind` comes twice");
}

#[test]
fn what_nests_too_deep_to_be_read_is_refused() {
    let nested = |depth: usize| {
        (0..depth).fold(serde_json::json!(1), |inner, _| {
            serde_json::Value::Array(vec![inner])
        })
    };
    let deepest = to_json(&nested(JSON_DEPTH_MAX)).unwrap();
    assert!(serde_json::from_slice::<serde_json::Value>(&deepest).is_ok());
    let error = to_json(&nested(JSON_DEPTH_MAX + 1))
        .unwrap_err()
        .to_string();
    assert!(error.ends_with("it nests deeper than 64 levels"), "{error}");
    let flat = vec![nested(JSON_DEPTH_MAX - 1); 3];
    assert!(to_json(&flat).is_ok(), "depth is not length");
}
