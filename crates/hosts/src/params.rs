//! Arguments held against the parameters that a module describes: one JSON object, no unknown names, none
//! missing, no value of another shape than is described, in a spelling of its own.

use std::borrow::Cow;
use std::collections::BTreeSet;
use std::fmt;
use std::str::from_utf8;

use ordain_engine::ArgumentError;
use ordain_types::{Json, Param, limits};
use serde::Deserializer as _;
use serde::de::{MapAccess, Visitor};
use serde_json::value::RawValue;

use crate::depth::nests_deeper;
use crate::halves;
use crate::scanner::Scanner;
use crate::shape::Shape;

/// A parameter, as arguments are held against it.
#[derive(Debug, Clone)]
pub struct Parameter {
    name: String,
    required: bool,
    shape: Shape,
}

impl Parameter {
    /// One whose value must be what its schema says.
    #[cfg(feature = "javascript")]
    pub fn typed(param: &Param) -> Self {
        Self {
            shape: Shape::of(&param.schema),
            ..Self::named(param)
        }
    }

    /// One whose value is the method's own business.
    pub fn named(param: &Param) -> Self {
        Self {
            name: param.name.clone(),
            required: param.required,
            shape: Shape::Any,
        }
    }
}

/// The arguments in their one spelling: parameters in declared order where they are described, no white
/// space. Nothing at all is the empty object.
///
/// # Errors
/// Which argument does not fit.
pub fn canonical(params: Option<&[Parameter]>, json: &[u8]) -> Result<Json, ArgumentError> {
    if json.len() > limits::ARGUMENT_BYTES_MAX {
        let (size, limit) = (json.len(), limits::ARGUMENT_BYTES_MAX);
        return Err(whole(format!(
            "{size} bytes of arguments, more than the limit of {limit}"
        )));
    }
    match params {
        Some(params) if is_spelled(params, json).is_some() => Ok(Json::copy_from_slice(json)),
        _ => of_any_spelling(params, json),
    }
}

fn of_any_spelling(params: Option<&[Parameter]>, json: &[u8]) -> Result<Json, ArgumentError> {
    if json.iter().all(u8::is_ascii_whitespace) {
        return spell(params, Vec::new());
    }
    if json.iter().find(|byte| !byte.is_ascii_whitespace()) != Some(&b'{') {
        return Err(whole(
            "the arguments are not a JSON object of names and values",
        ));
    }
    let pairs = pairs(json)
        .map_err(|error| whole(format!("the arguments are not one JSON object: {error}")))?;
    spell(params, pairs)
}

/// Whether these are the parameters' one spelling already, with values that are plain and fit: what most callers send.
fn is_spelled(params: &[Parameter], json: &[u8]) -> Option<()> {
    let mut json = Scanner::new(json);
    let mut params = params.iter();
    json.skip(b'{').then_some(())?;
    let mut more = !json.skip(b'}');
    while more {
        let name = json.string()?;
        let next = params.find(|param| param.required || param.name == name)?;
        (next.name == name).then_some(())?;
        json.skip(b':').then_some(())?;
        let (first, from) = (json.peek()?, json.at());
        let read = match first {
            b'"' => json.string().is_some(),
            b't' => json.word(b"true"),
            b'f' => json.word(b"false"),
            b'n' => json.word(b"null"),
            _ => json.number().is_some(),
        };
        read.then_some(())?;
        let fits = || next.shape.check(from_utf8(json.since(from)).ok()?).ok();
        (next.shape.admits(first) || fits().is_some()).then_some(())?;
        more = json.skip(b',');
        (more || json.skip(b'}')).then_some(())?;
    }
    (json.at_end() && params.all(|param| !param.required)).then_some(())
}

/// A name and its value.
pub type Pair<'j> = (Cow<'j, str>, &'j RawValue);

/// The names and values of one JSON object, in its order.
pub fn pairs(json: &[u8]) -> serde_json::Result<Vec<Pair<'_>>> {
    let mut reader = serde_json::Deserializer::from_slice(json);
    let pairs = reader.deserialize_map(Pairs)?;
    reader.end().map(|()| pairs)
}

struct Pairs;

impl<'j> Visitor<'j> for Pairs {
    type Value = Vec<Pair<'j>>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_map<A: MapAccess<'j>>(self, mut map: A) -> Result<Self::Value, A::Error> {
        let mut pairs = Vec::new();
        while let Some(Name(name)) = map.next_key()? {
            pairs.push((name, map.next_value()?));
        }
        Ok(pairs)
    }
}

#[derive(serde::Deserialize)]
struct Name<'j>(#[serde(borrow)] Cow<'j, str>);

fn spell(params: Option<&[Parameter]>, pairs: Vec<Pair<'_>>) -> Result<Json, ArgumentError> {
    let repeated = repeated(&pairs);
    for (at, (name, value)) in pairs.iter().enumerate() {
        if repeated == Some(at) {
            return Err(at_field(name, format!("duplicate field `{name}`")));
        }
        let limit = limits::JSON_DEPTH_MAX;
        // One level is the object that it is in.
        if nests_deeper(value.get().as_bytes(), limit - 1) {
            return Err(at_field(
                name,
                format!("`{name}` nests deeper than {limit} levels"),
            ));
        }
        if let Some(half) = halves::find(value.get()) {
            return Err(at_field(
                name,
                format!("`{name}` holds {half}, half of a surrogate pair, which is no character"),
            ));
        }
    }
    let mut out = Vec::with_capacity(64);
    let Some(params) = params else {
        write(&mut out, pairs.iter());
        return Ok(out.into());
    };
    if let Some((name, _)) = pairs
        .iter()
        .find(|(name, _)| params.iter().all(|param| param.name != *name))
    {
        let known: Vec<_> = params
            .iter()
            .map(|param| format!("`{}`", param.name))
            .collect();
        let expected = match known.is_empty() {
            true => "there are no fields".to_owned(),
            false => format!("expected {}", known.join(", ")),
        };
        return Err(at_field(
            name,
            format!("unknown field `{name}`, {expected}"),
        ));
    }
    let find = |param: &Parameter| pairs.iter().find(|(name, _)| *name == param.name);
    if let Some(param) = params
        .iter()
        .find(|param| param.required && find(param).is_none())
    {
        let name = &param.name;
        return Err(at_field(name, format!("missing field `{name}`")));
    }
    for (param, (name, value)) in params.iter().filter_map(|it| Some((it, find(it)?))) {
        if let Err(misfit) = param.shape.check(value.get()) {
            let (place, message) = misfit.of(name);
            return Err(at_field(&place, message));
        }
    }
    write(&mut out, params.iter().filter_map(find));
    Ok(out.into())
}

/// So many names are compared one by one.
const FEW: usize = 16;

/// The first pair whose name another had before.
fn repeated(pairs: &[Pair<'_>]) -> Option<usize> {
    let before = |at: usize| pairs[..at].iter().any(|(other, _)| *other == pairs[at].0);
    if pairs.len() <= FEW {
        return (0..pairs.len()).find(|at| before(*at));
    }
    let mut seen = BTreeSet::new();
    pairs.iter().position(|(name, _)| !seen.insert(name))
}

fn write<'p, 'j: 'p>(out: &mut Vec<u8>, pairs: impl Iterator<Item = &'p Pair<'j>>) {
    out.push(b'{');
    for (at, (name, value)) in pairs.enumerate() {
        if at > 0 {
            out.push(b',');
        }
        serde_json::to_writer(&mut *out, name).expect("text is JSON");
        out.push(b':');
        compact(out, value.get());
    }
    out.push(b'}');
}

/// Appends JSON without the white space between its parts.
fn compact(out: &mut Vec<u8>, json: &str) {
    if !json.bytes().any(|byte| byte.is_ascii_whitespace()) {
        return out.extend_from_slice(json.as_bytes());
    }
    let (mut in_text, mut escaped) = (false, false);
    for byte in json.bytes() {
        if !in_text && byte.is_ascii_whitespace() {
            continue;
        }
        out.push(byte);
        match byte {
            _ if escaped => escaped = false,
            b'\\' => escaped = in_text,
            b'"' => in_text = !in_text,
            _ => {}
        }
    }
}

fn whole(message: impl Into<String>) -> ArgumentError {
    ArgumentError {
        field: None,
        message: message.into(),
    }
}

fn at_field(name: &str, message: String) -> ArgumentError {
    ArgumentError {
        field: Some(name.to_owned()),
        message,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const NUMBER: &str = r#"{"type":"number"}"#;

    fn params() -> Vec<Parameter> {
        of("{}", "{}")
    }

    fn of(amount: &str, note: &str) -> Vec<Parameter> {
        let param = |name: &str, schema: &str, required| Parameter {
            name: name.to_owned(),
            shape: Shape::of(schema),
            required,
        };
        vec![param("amount", amount, true), param("note", note, false)]
    }

    #[test]
    fn the_spelling_is_one() {
        let check = |params: Option<&[Parameter]>, json: &str, expected: &str| {
            assert_eq!(
                canonical(params, json.as_bytes()).unwrap(),
                expected,
                "{json}"
            );
        };
        let params = params();
        check(
            Some(&params),
            " {\"note\": \"a \\\" b\", \"amount\" :5 }\n",
            r#"{"amount":5,"note":"a \" b"}"#,
        );
        check(Some(&params), r#"{"amount":5}"#, r#"{"amount":5}"#);
        check(Some(&[]), "", "{}");
        check(
            None,
            " { \"b\" : [ 1 , { } ] , \"a\":null}",
            r#"{"b":[1,{}],"a":null}"#,
        );
        check(None, " \n", "{}");
    }

    proptest! {
        #[test]
        fn what_is_taken_for_spelled_is(
            json in r#"\{("(amount|note|more|am\\u006funt)":(-?[0-9]{1,3}(\.[0-9]{0,2})?(e1)?|"[a-zü\\ ]{0,2}"|true|nul?l|\[\]),? ?){0,3}\} ?"#
        ) {
            for params in [params(), of(NUMBER, "{}"), of(r#"{"enum":[1,2,"a"]}"#, NUMBER)] {
                if is_spelled(&params, json.as_bytes()).is_some() {
                    prop_assert_eq!(of_any_spelling(Some(&params), json.as_bytes()).unwrap(), &json);
                }
            }
        }
    }

    #[test]
    fn what_most_callers_send_is_spelled() {
        let params = params();
        let check = |params: &[Parameter], json: &str, expected: bool| {
            assert_eq!(
                is_spelled(params, json.as_bytes()).is_some(),
                expected,
                "{json}"
            );
        };
        check(&params, r#"{"amount":-12.50}"#, true);
        check(&params, r#"{"amount":1,"note":"to ü"}"#, true);
        check(&params[1..], r#"{"note":null}"#, true);
        check(&params[1..], "{}", true);
        check(&params, "{}", false);
        check(&params, r#"{"note":true,"amount":1}"#, false);
        check(&params, r#"{"amount":1,"amount":1}"#, false);
        check(&params, r#"{"amount":1,"more":1}"#, false);
        check(&params, r#"{"amount":[1]}"#, false);
        check(&params, r#"{"amount":1,}"#, false);
        check(&params, r#"{"amount":1}}"#, false);
        let typed = of(NUMBER, r#"{"enum":["a","b"]}"#);
        check(&typed, r#"{"amount":1,"note":"b"}"#, true);
        check(&typed, r#"{"amount":"1"}"#, false);
        check(&typed, r#"{"amount":1,"note":"c"}"#, false);
    }

    #[test]
    fn values_of_other_types_are_named() {
        let items = r#"{"type":"array","items":{"type":"number"}}"#;
        let params = of(NUMBER, items);
        let check = |json: &str, field: &str, says: &str| {
            let error = canonical(Some(&params), json.as_bytes()).unwrap_err();
            let field = Some(field.to_owned());
            assert_eq!(
                (error.field, error.message.as_str()),
                (field, says),
                "{json}"
            );
        };
        let says = "`amount` is the string \"1\", expected a number";
        check(r#"{"amount":"1"}"#, "amount", says);
        check(r#"{ "amount" : "1" }"#, "amount", says);
        let says = "`note[1]` is null, expected a number";
        check(r#"{"note":[1,null],"amount":1}"#, "note[1]", says);
        let taken = canonical(Some(&params), br#"{"note":[1, 2],"amount":1}"#);
        assert_eq!(taken.unwrap(), r#"{"amount":1,"note":[1,2]}"#);
    }

    #[test]
    fn errors_name_the_parameter() {
        let params = params();
        let check = |json: &str, field: Option<&str>, says: &str| {
            let error = canonical(Some(&params), json.as_bytes()).unwrap_err();
            assert_eq!(error.field.as_deref(), field, "{json}: {error}");
            assert!(error.message.contains(says), "{json}: {error}");
        };
        check("{}", Some("amount"), "missing field `amount`");
        check("", Some("amount"), "missing field `amount`");
        check(
            r#"{"amount":1,"much":2}"#,
            Some("much"),
            "unknown field `much`, expected `amount`, `note`",
        );
        check(
            r#"{"amount":1,"amount":2}"#,
            Some("amount"),
            "duplicate field",
        );
        let many: String = (0..100).map(|at| format!(r#""n{at}":0,"#)).collect();
        check(&format!(r#"{{{many}"n7":1}}"#), Some("n7"), "duplicate");
        check("[1]", None, "not a JSON object");
        check("5", None, "not a JSON object");
        check(r#"{"amount":1} x"#, None, "trailing characters");
        check(r#"{"amount":1"#, None, "EOF");
        check(r#"{amount:1}"#, None, "not one JSON object");
        let deep = format!(r#"{{"amount":{}{}}}"#, "[".repeat(64), "]".repeat(64));
        check(&deep, Some("amount"), "nests deeper than 64");
        let long = format!(
            r#"{{"amount":"{}"}}"#,
            "x".repeat(limits::ARGUMENT_BYTES_MAX)
        );
        check(&long, None, "more than the limit of 1048576");
    }
}
