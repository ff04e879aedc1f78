//! What entity types and methods look like from outside: for `GET /v1/entities`, the command line
//! and the OpenAPI document. Schemas are JSON Schema 2020-12, self-contained (no `$ref`);
//! `true` allows anything.

use ordain_types::MethodKind;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// One entity type.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct EntityDescription {
    /// The type's name.
    pub name: String,
    /// What it is, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// In the order of their names.
    pub methods: Vec<MethodDescription>,
}

/// One method.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct MethodDescription {
    /// The method's name.
    pub name: String,
    /// Whether it may write.
    pub kind: MethodKind,
    /// What it does, for people.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub description: String,
    /// In declared order.
    pub params: Vec<Param>,
    /// Whether its parameters are not described, and any object is taken.
    #[serde(default, skip_serializing_if = "is_false")]
    pub any_args: bool,
    /// The schema of its value.
    pub result: Value,
}

/// One parameter.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Param {
    /// Its name in the arguments' object.
    pub name: String,
    /// The schema of its value.
    pub schema: Value,
    /// Whether a call without it is refused.
    pub required: bool,
}

fn is_false(flag: &bool) -> bool {
    !flag
}

impl MethodDescription {
    /// The schema of the arguments' object.
    pub fn args_schema(&self) -> Value {
        if self.any_args {
            return serde_json::json!({ "type": "object" });
        }
        let properties: serde_json::Map<String, Value> = self
            .params
            .iter()
            .map(|param| (param.name.clone(), param.schema.clone()))
            .collect();
        let required: Vec<&str> = self.required().map(|param| param.name.as_str()).collect();
        let mut schema = serde_json::json!({
            "type": "object",
            "properties": properties,
            "additionalProperties": false,
        });
        if !required.is_empty() {
            schema["required"] = required.into();
        }
        schema
    }

    /// The parameters that a call must give.
    pub fn required(&self) -> impl Iterator<Item = &Param> {
        self.params.iter().filter(|param| param.required)
    }
}
