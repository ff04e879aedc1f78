//! Query strings: read strictly, so that a typing mistake does not pass for a default. A `+` is a
//! space, as browsers and most libraries write it. Also the arguments of a `GET` query.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::str::FromStr;

use ordain_api::{MethodDescription, Problem, json, routes};
use percent_encoding::percent_decode;
use serde_json::value::RawValue;

/// The parameters of a query string, decoded; none twice. By name: a query string has room for thousands,
/// and whether one was there before must not cost a look at all others.
#[derive(Debug)]
pub(crate) struct Params<'q>(BTreeMap<Cow<'q, str>, Cow<'q, str>>);

impl<'q> Params<'q> {
    /// Reads a raw query string.
    pub fn parse(query: Option<&'q str>) -> Result<Self, Problem> {
        Self::read(query, |_| Ok(()))
    }

    /// Reads a query string of which only these parameters are known, and none of it behind one that is not.
    pub fn of(query: Option<&'q str>, known: &[&str]) -> Result<Self, Problem> {
        Self::read(query, |name| match known.contains(&name) {
            true => Ok(()),
            false => Err(Problem::unknown_query_parameter(name, known)),
        })
    }

    fn read(
        query: Option<&'q str>,
        check: impl Fn(&str) -> Result<(), Problem>,
    ) -> Result<Self, Problem> {
        let mut all = BTreeMap::new();
        let pairs = query
            .unwrap_or("")
            .split('&')
            .filter(|pair| !pair.is_empty());
        for pair in pairs {
            let (name, value) = pair.split_once('=').unwrap_or((pair, ""));
            let name = decode(name, name)?;
            check(&name)?;
            if all.contains_key(&name) {
                return Err(Problem::bad_request(&name, "it is there more than once"));
            }
            let value = decode(value, &name)?;
            all.insert(name, value);
        }
        Ok(Self(all))
    }

    /// The value of a parameter.
    pub fn text(&self, name: &str) -> Option<&str> {
        self.0.get(name).map(|value| &**value)
    }

    /// The value of a parameter that is a number.
    pub fn number<N: FromStr>(&self, name: &str) -> Result<Option<N>, Problem> {
        let Some(text) = self.text(name) else {
            return Ok(None);
        };
        number(name, text).map(Some)
    }

    /// Whether a parameter says `true`; without it, it does not.
    pub fn flag(&self, name: &str) -> Result<bool, Problem> {
        match self.text(name) {
            None | Some("false") => Ok(false),
            Some("true") => Ok(true),
            Some(_) => Err(Problem::bad_request(name, "it must be true or false")),
        }
    }

    /// The arguments of a `GET` query: those in `args`, one JSON object, or else every parameter but
    /// `min_seq` by its own name. Such a value is text where the method takes text, and otherwise
    /// JSON if it is, and text if not.
    pub fn args(&self, method: Option<&MethodDescription>) -> Result<Vec<u8>, Problem> {
        let own = || {
            self.0
                .iter()
                .filter(|(name, _)| *name != routes::PARAM_MIN_SEQ)
        };
        if let Some(args) = self.text(routes::PARAM_ARGS) {
            return match own().find(|(name, _)| *name != routes::PARAM_ARGS) {
                None => Ok(args.as_bytes().to_vec()),
                Some((name, _)) => Err(Problem::bad_request(
                    name,
                    "arguments are given either all in `args` or each by its name",
                )),
            };
        }
        let args: BTreeMap<&str, Box<RawValue>> = own()
            .map(|(name, value)| Ok((&**name, argument(value, takes_text(method, name))?)))
            .collect::<Result<_, Problem>>()?;
        Ok(serde_json::to_vec(&args).expect("JSON encodes into memory"))
    }
}

/// A number in a header or query parameter.
pub(crate) fn number<N: FromStr>(name: &str, text: &str) -> Result<N, Problem> {
    let digits = !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_digit());
    let number = digits.then(|| text.parse().ok()).flatten();
    number.ok_or_else(|| Problem::bad_request(name, "it must be a whole number within its bounds"))
}

fn takes_text(method: Option<&MethodDescription>, name: &str) -> bool {
    let param = method.and_then(|method| method.params.iter().find(|param| param.name == name));
    param.is_some_and(|param| is_text(&param.schema))
}

/// Whether a schema takes texts alone.
fn is_text(schema: &serde_json::Value) -> bool {
    let all = |name: &str, is: fn(&serde_json::Value) -> bool| {
        let values = schema[name].as_array();
        values.is_some_and(|values| values.iter().all(is))
    };
    schema["type"] == "string"
        || schema["const"].is_string()
        || all("enum", serde_json::Value::is_string)
        || all("anyOf", is_text)
}

fn argument(value: &str, text: bool) -> Result<Box<RawValue>, Problem> {
    if !text {
        json::check_depth(value.as_bytes())?;
        if let Ok(json) = RawValue::from_string(value.to_owned()) {
            return Ok(json);
        }
    }
    Ok(serde_json::value::to_raw_value(value).expect("text encodes into memory"))
}

fn decode<'q>(raw: &'q str, field: &str) -> Result<Cow<'q, str>, Problem> {
    let bytes = raw.as_bytes();
    if !bytes.iter().any(|byte| matches!(byte, b'%' | b'+')) {
        return Ok(Cow::Borrowed(raw));
    }
    for at in (0..bytes.len()).filter(|&at| bytes[at] == b'%') {
        let digits = bytes.get(at + 1..at + 3);
        if !digits.is_some_and(|two| two.iter().all(u8::is_ascii_hexdigit)) {
            let detail = "it has a % without two hexadecimal digits after it";
            return Err(Problem::bad_request(field, detail));
        }
    }
    let spaced: Vec<u8> = bytes
        .iter()
        .map(|&byte| if byte == b'+' { b' ' } else { byte })
        .collect();
    match percent_decode(&spaced).decode_utf8() {
        Ok(text) => Ok(Cow::Owned(text.into_owned())),
        Err(_) => Err(Problem::bad_request(
            field,
            "it is not UTF-8 once its percent-encoding is undone",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use ordain_api::Param;
    use ordain_types::MethodKind;

    fn field(query: &str) -> String {
        let problem = Params::of(Some(query), &["after", "limit"]).unwrap_err();
        format!(
            "{} {}",
            problem.code,
            problem.field.as_deref().unwrap_or("")
        )
    }

    #[test]
    fn strings_are_read_and_strange_ones_refused() {
        let params = Params::of(Some("after=a%2Bb+c&limit=5&"), &["after", "limit"]).unwrap();
        assert_eq!(params.text("after"), Some("a+b c"));
        assert_eq!(params.number::<usize>("limit").unwrap(), Some(5));
        assert_eq!(params.number::<usize>("absent").unwrap(), None);
        assert!(params.number::<usize>("after").is_err());
        let flags = Params::parse(Some("a=true&b=false&c=&d=1")).unwrap();
        assert!(flags.flag("a").unwrap() && !flags.flag("b").unwrap());
        assert!(!flags.flag("absent").unwrap());
        assert!(flags.flag("c").is_err() && flags.flag("d").is_err());
        assert_eq!(field("limti=5"), "unknown_query_parameter limti");
        assert_eq!(field("limit=5&limit=6"), "bad_request limit");
        assert_eq!(field("after=%"), "bad_request after");
        assert_eq!(field("after=%4"), "bad_request after");
        assert_eq!(field("after=%FF"), "bad_request after");
        for bad in ["", "-1", "+1", "1.5", "99999999999999999999"] {
            assert!(number::<u64>("limit", bad).is_err(), "{bad}");
        }
    }

    /// What is behind a parameter that is not known is not looked at, however much it is.
    #[test]
    fn reading_ends_at_the_first_that_is_not_known() {
        assert_eq!(field("limti=5&after=%"), "unknown_query_parameter limti");
        assert_eq!(
            field("limti=5&limit=6&limit=7"),
            "unknown_query_parameter limti"
        );
        assert_eq!(field("limit=5&limit=%"), "bad_request limit");
    }

    #[test]
    fn thousands_are_read_and_one_that_is_doubled_is_found() {
        let many: String = (0..10_000).map(|at| format!("p{at}=&")).collect();
        assert_eq!(Params::parse(Some(&many)).unwrap().0.len(), 10_000);
        let doubled = Params::parse(Some(&format!("{many}p0="))).unwrap_err();
        assert_eq!(doubled.field.as_deref(), Some("p0"));
    }

    #[test]
    fn arguments_are_text_where_text_is_taken() {
        let text = |name: &str, schema| Param {
            name: name.into(),
            schema,
            required: false,
        };
        let method = MethodDescription {
            name: "find".into(),
            kind: MethodKind::Query,
            description: String::new(),
            params: vec![
                text("name", serde_json::json!({"type": "string"})),
                text(
                    "kind",
                    serde_json::json!({"anyOf": [{"enum": ["1", "2"]}, {"const": "3"}]}),
                ),
            ],
            any_args: false,
            result: serde_json::json!(true),
        };
        let args = |query| {
            let params = Params::parse(Some(query)).unwrap();
            let args = params.args(Some(&method));
            args.map(|args| String::from_utf8(args).unwrap())
        };
        assert_eq!(
            args("name=5&n=5&s=a%22b&o={\"a\":[1]}&min_seq=3").unwrap(),
            r#"{"n":5,"name":"5","o":{"a":[1]},"s":"a\"b"}"#
        );
        assert_eq!(args("kind=1").unwrap(), r#"{"kind":"1"}"#);
        assert_eq!(args("").unwrap(), "{}");
        assert_eq!(args("args={\"n\":1}&min_seq=3").unwrap(), r#"{"n":1}"#);
        assert_eq!(args("args={}&n=1").unwrap_err().code, "bad_request");
        let deep = format!("o={}", "[".repeat(65));
        assert_eq!(args(&deep).unwrap_err().code, "json_too_deep");
    }
}
