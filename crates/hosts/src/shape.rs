//! What a value must be, as a parameter's JSON schema says it: read once, when a module is loaded, and held against
//! JSON text without making values of it. Knows the words that modules' descriptions use; whatever else a schema says
//! is not held against anything.

use std::borrow::Cow;
use std::fmt::Write as _;

use serde_json::Value;
use serde_json::value::RawValue;

use crate::params::{Pair, pairs};

/// What a value must be.
#[derive(Debug, Clone, PartialEq)]
pub enum Shape {
    /// Nothing is known: anything goes.
    Any,
    String,
    Number,
    Boolean,
    Null,
    /// One of these texts, numbers, `true`, `false` and `null`.
    OneOf(Vec<Value>),
    List(Box<List>),
    Object(Box<Object>),
    /// What fits one of these.
    Either(Vec<Shape>),
}

/// An array.
#[derive(Debug, Clone, PartialEq)]
pub struct List {
    /// What the first items must be.
    first: Vec<Shape>,
    /// What the others must be.
    rest: Shape,
    /// How many items there must be, and may be.
    len: (usize, usize),
}

/// An object.
#[derive(Debug, Clone, PartialEq)]
pub struct Object {
    members: Vec<Member>,
    /// What members of other names must be.
    rest: Shape,
}

#[derive(Debug, Clone, PartialEq)]
struct Member {
    name: String,
    shape: Shape,
    required: bool,
}

/// A value that does not fit.
#[derive(Debug, PartialEq, Eq)]
pub struct Misfit {
    /// Where in the value: `[0].sku`; empty: the value itself.
    pub path: String,
    pub wrong: Wrong,
}

/// What is wrong with it.
#[derive(Debug, PartialEq, Eq)]
pub enum Wrong {
    /// It is not there.
    Missing,
    /// It is something else than what is expected.
    Other { found: String, expected: String },
}

impl Shape {
    /// What a JSON schema says, given as text.
    pub fn of(schema: &str) -> Self {
        serde_json::from_str(schema).map_or(Self::Any, |schema| Self::of_value(&schema))
    }

    fn of_value(schema: &Value) -> Self {
        if let Some(one) = schema.get("const") {
            return Self::one_of(std::slice::from_ref(one));
        }
        if let Some(Value::Array(values)) = schema.get("enum") {
            return Self::one_of(values);
        }
        if let Some(Value::Array(shapes)) = schema.get("anyOf") {
            return Self::either(shapes.iter().map(Self::of_value).collect());
        }
        match schema.get("type").and_then(Value::as_str) {
            Some("string") => Self::String,
            Some("number") => Self::Number,
            Some("boolean") => Self::Boolean,
            Some("null") => Self::Null,
            Some("array") => Self::List(Box::new(List::of(schema))),
            Some("object") => Self::Object(Box::new(Object::of(schema))),
            _ => Self::Any,
        }
    }

    fn one_of(values: &[Value]) -> Self {
        match values.iter().any(|it| it.is_array() || it.is_object()) {
            true => Self::Any,
            false => Self::OneOf(values.to_vec()),
        }
    }

    fn either(shapes: Vec<Self>) -> Self {
        match shapes.contains(&Self::Any) {
            true => Self::Any,
            false => Self::Either(shapes),
        }
    }

    /// Whether all JSON that begins with this byte fits: seen without reading it.
    #[inline]
    pub fn admits(&self, first: u8) -> bool {
        match self {
            Self::Any => true,
            Self::String => first == b'"',
            Self::Number => first == b'-' || first.is_ascii_digit(),
            Self::Boolean => first == b't' || first == b'f',
            Self::Null => first == b'n',
            Self::OneOf(values) => first == b'n' && values.contains(&Value::Null),
            Self::List(_) | Self::Object(_) => false,
            Self::Either(shapes) => shapes.iter().any(|it| it.admits(first)),
        }
    }

    /// Holds one JSON value against it, which has no white space around it.
    ///
    /// # Errors
    /// The first place that does not fit.
    pub fn check(&self, json: &str) -> Result<(), Misfit> {
        let first = json.as_bytes().first().copied().unwrap_or_default();
        let fits = match self {
            _ if self.admits(first) => true,
            Self::OneOf(values) => values.iter().any(|value| is(json, value)),
            Self::Either(shapes) => return self.check_either(shapes, json, first),
            Self::List(list) if first == b'[' => return list.check(self, json),
            Self::Object(object) if first == b'{' => return object.check(self, json),
            _ => false,
        };
        if fits { Ok(()) } else { Err(self.misfit(json)) }
    }

    /// Says what is wrong within the one shape that it could be, if that is one.
    fn check_either(&self, shapes: &[Self], json: &str, first: u8) -> Result<(), Misfit> {
        let mut within = Vec::new();
        for shape in shapes {
            match shape.check(json) {
                Ok(()) => return Ok(()),
                Err(misfit) if shape.begins_with(first) => within.push(misfit),
                Err(_) => {}
            }
        }
        match <[Misfit; 1]>::try_from(within) {
            Ok([misfit]) => Err(misfit),
            Err(_) => Err(self.misfit(json)),
        }
    }

    fn begins_with(&self, first: u8) -> bool {
        matches!(
            (self, first),
            (Self::List(_), b'[') | (Self::Object(_), b'{')
        )
    }

    fn misfit(&self, json: &str) -> Misfit {
        let expected = self.words();
        let wrong = Wrong::Other {
            found: found(json),
            expected,
        };
        Misfit {
            path: String::new(),
            wrong,
        }
    }

    fn words(&self) -> String {
        let or = |all: Vec<String>| all.join(" or ");
        match self {
            Self::Any => "any value".to_owned(),
            Self::String => "a string".to_owned(),
            Self::Number => "a number".to_owned(),
            Self::Boolean => "a boolean".to_owned(),
            Self::Null => "null".to_owned(),
            Self::OneOf(values) => or(values.iter().map(Value::to_string).collect()),
            Self::List(list) => list.words(),
            Self::Object(_) => "an object".to_owned(),
            Self::Either(shapes) => {
                let mut all: Vec<_> = shapes.iter().map(Self::words).collect();
                all.dedup();
                or(all)
            }
        }
    }
}

impl List {
    fn of(schema: &Value) -> Self {
        let first = schema.get("prefixItems").and_then(Value::as_array);
        let count = |name| schema.get(name).and_then(Value::as_u64);
        Self {
            first: first.map_or_else(Vec::new, |it| it.iter().map(Shape::of_value).collect()),
            rest: schema.get("items").map_or(Shape::Any, Shape::of_value),
            len: (
                count("minItems").map_or(0, |len| len as usize),
                count("maxItems").map_or(usize::MAX, |len| len as usize),
            ),
        }
    }

    fn check(&self, shape: &Shape, json: &str) -> Result<(), Misfit> {
        let Ok(items) = serde_json::from_str::<Vec<&RawValue>>(json) else {
            return Err(shape.misfit(json));
        };
        if !(self.len.0..=self.len.1).contains(&items.len()) {
            return Err(Misfit {
                path: String::new(),
                wrong: Wrong::Other {
                    found: format!("an array of {}", items.len()),
                    expected: shape.words(),
                },
            });
        }
        for (at, item) in items.iter().enumerate() {
            let shape = self.first.get(at).unwrap_or(&self.rest);
            shape
                .check(item.get())
                .map_err(|misfit| misfit.within(&format!("[{at}]")))?;
        }
        Ok(())
    }

    fn words(&self) -> String {
        match self.len {
            (0, usize::MAX) => "an array".to_owned(),
            (min, max) if min == max => format!("an array of {min}"),
            (min, usize::MAX) => format!("an array of {min} or more"),
            (min, max) => format!("an array of {min} to {max}"),
        }
    }
}

impl Object {
    fn of(schema: &Value) -> Self {
        let required = |name: &String| {
            let names = schema.get("required").and_then(Value::as_array);
            names.is_some_and(|names| names.iter().any(|it| it == name))
        };
        let properties = schema.get("properties").and_then(Value::as_object);
        let member = |(name, schema): (&String, &Value)| Member {
            name: name.clone(),
            shape: Shape::of_value(schema),
            required: required(name),
        };
        let rest = schema.get("additionalProperties");
        Self {
            members: properties.map_or_else(Vec::new, |it| it.iter().map(member).collect()),
            rest: rest.map_or(Shape::Any, Shape::of_value),
        }
    }

    fn check(&self, shape: &Shape, json: &str) -> Result<(), Misfit> {
        let Ok(pairs) = pairs(json.as_bytes()) else {
            return Err(shape.misfit(json));
        };
        for (name, value) in &pairs {
            let member = self.members.iter().find(|member| member.name == *name);
            let shape = member.map_or(&self.rest, |member| &member.shape);
            shape
                .check(value.get())
                .map_err(|misfit| misfit.within(&format!(".{name}")))?;
        }
        let there = |member: &Member| {
            pairs
                .iter()
                .any(|(name, _): &Pair<'_>| *name == member.name)
        };
        match self.members.iter().find(|it| it.required && !there(it)) {
            None => Ok(()),
            Some(member) => Err(Misfit {
                path: format!(".{}", member.name),
                wrong: Wrong::Missing,
            }),
        }
    }
}

impl Misfit {
    fn within(mut self, place: &str) -> Self {
        self.path.insert_str(0, place);
        self
    }

    /// What is wrong with the value of a name: where, and in words.
    pub fn of(self, name: &str) -> (String, String) {
        let place = format!("{name}{}", self.path);
        let message = match self.wrong {
            Wrong::Missing => format!("missing field `{place}`"),
            Wrong::Other { found, expected } => {
                format!("`{place}` is {found}, expected {expected}")
            }
        };
        (place, message)
    }
}

/// Whether JSON is a plain value, however it is written.
fn is(json: &str, value: &Value) -> bool {
    match value {
        Value::String(text) => {
            let read = serde_json::from_str::<Cow<'_, str>>(json);
            json.starts_with('"') && read.is_ok_and(|read| read == text.as_str())
        }
        Value::Number(number) => json.parse::<f64>().ok() == number.as_f64(),
        Value::Bool(true) => json == "true",
        Value::Bool(false) => json == "false",
        Value::Null => json == "null",
        Value::Array(_) | Value::Object(_) => false,
    }
}

/// Bytes of a value that are told.
const TOLD_MAX: usize = 40;

/// A value in words.
fn found(json: &str) -> String {
    let mut words = match json.as_bytes().first() {
        Some(b'"') => "the string ",
        Some(b'[') => return "an array".to_owned(),
        Some(b'{') => return "an object".to_owned(),
        Some(b'-' | b'0'..=b'9') => "the number ",
        _ => "",
    }
    .to_owned();
    match json.char_indices().find(|(at, _)| *at >= TOLD_MAX) {
        None => words.push_str(json),
        Some((end, _)) => {
            let _ = write!(words, "{}…", &json[..end]);
        }
    }
    words
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn fits(schema: &str, values: &[&str]) {
        let shape = Shape::of(schema);
        for value in values {
            assert_eq!(shape.check(value), Ok(()), "{value} is {schema}");
        }
    }

    #[track_caller]
    fn says(schema: &str, value: &str, place: &str, message: &str) {
        let misfit = Shape::of(schema).check(value).unwrap_err();
        assert_eq!(
            misfit.of("a"),
            (place.to_owned(), message.to_owned()),
            "{value} is no {schema}"
        );
    }

    #[test]
    fn what_fits_is_taken() {
        fits("{}", &["1", "null", "[]", "\"\\ud800\""]);
        fits("no schema", &["1"]);
        fits(r#"{"type":"date"}"#, &["1"]);
        fits(r#"{"type":"number"}"#, &["1", "-1.5e300"]);
        fits(r#"{"type":"string"}"#, &["\"\"", "\"\\ud800\""]);
        fits(r#"{"type":"boolean"}"#, &["true", "false"]);
        fits(r#"{"type":"null"}"#, &["null"]);
        fits(r#"{"const":1}"#, &["1", "1.0", "10e-1"]);
        fits(
            r#"{"enum":["a",1,null,true]}"#,
            &[r#""\u0061""#, "1", "null", "true"],
        );
        fits(r#"{"anyOf":[{"type":"number"},{}]}"#, &["[]"]);
        let items = r#"{"type":"array","items":{"type":"number"}}"#;
        fits(items, &["[]", "[1, 2]"]);
        let object = r#"{"type":"object","properties":{"n":{"type":"number"}},"required":["n"]}"#;
        fits(object, &[r#"{"n":1}"#, r#"{"more":[],"n":1}"#]);
        let pair =
            r#"{"type":"array","prefixItems":[{"type":"number"}],"minItems":1,"maxItems":2}"#;
        fits(pair, &["[1]", "[1,null]"]);
        fits(
            r#"{"type":"object","additionalProperties":{"type":"number"}}"#,
            &["{}", r#"{"x":1}"#],
        );
    }

    #[test]
    fn what_does_not_fit_is_named_with_its_place() {
        let number = r#"{"type":"number"}"#;
        says(
            number,
            "\"7\"",
            "a",
            "`a` is the string \"7\", expected a number",
        );
        says(number, "{}", "a", "`a` is an object, expected a number");
        says(number, "null", "a", "`a` is null, expected a number");
        says(
            r#"{"type":"string"}"#,
            "7",
            "a",
            "`a` is the number 7, expected a string",
        );
        says(
            r#"{"type":"boolean"}"#,
            "\"true\"",
            "a",
            "`a` is the string \"true\", expected a boolean",
        );
        says(
            r#"{"type":"null"}"#,
            "false",
            "a",
            "`a` is false, expected null",
        );
        says(
            r#"{"enum":["a",null]}"#,
            "\"b\"",
            "a",
            "`a` is the string \"b\", expected \"a\" or null",
        );
        says(
            r#"{"const":1}"#,
            "\"1\"",
            "a",
            "`a` is the string \"1\", expected 1",
        );
        let items = r#"{"type":"array","items":{"type":"object","properties":{"n":{"type":"number"}},"required":["n"]}}"#;
        says(items, "{}", "a", "`a` is an object, expected an array");
        says(
            items,
            r#"[{"n":1},{"n":"1"}]"#,
            "a[1].n",
            "`a[1].n` is the string \"1\", expected a number",
        );
        says(items, "[{}]", "a[0].n", "missing field `a[0].n`");
        says(
            items,
            r#"[{"n":1,"n":null}]"#,
            "a[0].n",
            "`a[0].n` is null, expected a number",
        );
        let either = format!(r#"{{"anyOf":[{items},{{"type":"null"}}]}}"#);
        says(
            &either,
            "[1]",
            "a[0]",
            "`a[0]` is the number 1, expected an object",
        );
        says(
            &either,
            "1",
            "a",
            "`a` is the number 1, expected an array or null",
        );
        let pair =
            r#"{"type":"array","prefixItems":[{"type":"number"}],"minItems":2,"maxItems":2}"#;
        says(
            pair,
            "[1]",
            "a",
            "`a` is an array of 1, expected an array of 2",
        );
        says(
            pair,
            "[null,1]",
            "a[0]",
            "`a[0]` is null, expected a number",
        );
        let others = r#"{"type":"object","additionalProperties":{"type":"number"}}"#;
        says(
            others,
            r#"{"x":"1"}"#,
            "a.x",
            "`a.x` is the string \"1\", expected a number",
        );
        let long = format!("\"{}\"", "ü".repeat(100));
        let told = format!("`a` is the string \"{}…, expected null", "ü".repeat(20));
        says(r#"{"type":"null"}"#, &long, "a", &told);
    }
}
