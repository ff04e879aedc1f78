//! What a module says it brings, checked: names, counts, schemas. An error says what the module's author
//! has to change.

use std::collections::BTreeSet;

use ordain_types::limits::METHODS_MAX;
use ordain_types::module::{EntityManifest, Language, Manifest, MethodManifest, Param};
use ordain_types::{EntityType, Method, MethodKind};

use super::json;
use super::world::{self, Kind, SDK};

/// Bytes of all texts of a manifest.
const TEXT_BYTES_MAX: usize = 1 << 20;

/// Parameters of a method: each call looks for each of them among its arguments.
const PARAMS_MAX: usize = 256;

/// The manifest, in the order of names.
///
/// # Errors
/// What is wrong with it.
pub(super) fn manifest(described: world::Manifest) -> Result<Manifest, String> {
    if described.sdk != SDK {
        return Err(format!(
            "the module is made for version `{}` of the SDK, and this is `{SDK}`: build it with the SDK \
             of this release",
            described.sdk
        ));
    }
    if described.entities.is_empty() {
        return Err("the module describes no entity type: there is nothing to call".to_owned());
    }
    let bytes = text_bytes(&described);
    if bytes > TEXT_BYTES_MAX {
        return Err(format!(
            "the module's description has {bytes} bytes, more than the limit of {TEXT_BYTES_MAX}"
        ));
    }
    let entities: Result<Vec<_>, _> = described.entities.into_iter().map(entity).collect();
    let mut entities = entities?;
    entities.sort_by(|a, b| a.name.cmp(&b.name));
    once(
        entities.iter().map(|entity| entity.name.as_str()),
        "entity types of the module",
    )?;
    Ok(Manifest {
        language: Language::Wasm,
        sdk: described.sdk,
        entities,
    })
}

fn text_bytes(described: &world::Manifest) -> usize {
    let param = |param: &world::Param| param.name.len() + param.schema.len();
    let method = |method: &world::Method| {
        let params = method.params.iter().flatten().map(param).sum::<usize>();
        method.name.len() + method.returns.len() + params
    };
    let entities = described.entities.iter();
    entities
        .map(|entity| entity.name.len() + entity.methods.iter().map(method).sum::<usize>())
        .sum()
}

fn entity(described: world::EntityType) -> Result<EntityManifest, String> {
    let name = EntityType::new(&described.name).map_err(|error| {
        format!(
            "the module names an entity type `{}`: {error}",
            described.name
        )
    })?;
    if described.version == 0 {
        return Err(format!(
            "the state of `{name}` has version 0: versions count from 1"
        ));
    }
    if described.methods.len() > METHODS_MAX {
        let count = described.methods.len();
        return Err(format!(
            "`{name}` has {count} methods, more than the limit of {METHODS_MAX}"
        ));
    }
    let methods = described.methods.into_iter();
    let methods: Result<Vec<_>, _> = methods.map(|described| method(&name, described)).collect();
    let mut methods = methods?;
    methods.sort_by(|a, b| a.name.cmp(&b.name));
    let names = methods.iter().map(|method| method.name.as_str());
    once(names, &format!("methods of `{name}`"))?;
    Ok(EntityManifest {
        name,
        version: described.version,
        migrates: described.migrates,
        methods,
    })
}

fn method(entity: &EntityType, described: world::Method) -> Result<MethodManifest, String> {
    let shown = format!("{entity}.{}", described.name);
    let name = Method::new(&described.name)
        .map_err(|error| format!("the module names a method `{shown}`: {error}"))?;
    schema(&described.returns)
        .map_err(|error| format!("the schema of the value of `{shown}`: {error}"))?;
    let params = match described.params {
        None => None,
        Some(params) if params.len() > PARAMS_MAX => {
            let count = params.len();
            return Err(format!(
                "`{shown}` has {count} parameters, more than the limit of {PARAMS_MAX}"
            ));
        }
        Some(params) => {
            let params = params.into_iter().map(|described| param(&shown, described));
            let params: Vec<_> = params.collect::<Result<_, _>>()?;
            let names = params.iter().map(|param| param.name.as_str());
            once(names, &format!("parameters of `{shown}`"))?;
            Some(params)
        }
    };
    Ok(MethodManifest {
        name,
        kind: match described.kind {
            Kind::Query => MethodKind::Query,
            Kind::Update => MethodKind::Update,
        },
        params,
        result: described.returns,
    })
}

fn param(method: &str, described: world::Param) -> Result<Param, String> {
    schema(&described.schema)
        .map_err(|error| format!("the schema of `{}` of `{method}`: {error}", described.name))?;
    Ok(Param {
        name: described.name,
        schema: described.schema,
        required: described.required,
    })
}

fn schema(text: &str) -> Result<(), String> {
    json::check(text).map_err(|error| format!("it is not JSON: {error}"))?;
    match text.trim_start().as_bytes().first() {
        Some(b'{' | b't' | b'f') => Ok(()),
        _ => Err(format!(
            "it is {text}, and a schema is an object: write {{}} where nothing is known"
        )),
    }
}

fn once<'a>(names: impl Iterator<Item = &'a str>, what: &str) -> Result<(), String> {
    let mut seen = BTreeSet::new();
    for name in names {
        if !seen.insert(name) {
            return Err(format!("two {what} are named `{name}`"));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn schemas_are_what_others_can_read() {
        for good in ["{}", " { \"type\": \"string\" }", "true", "false"] {
            assert_eq!(schema(good), Ok(()), "{good}");
        }
        for bad in ["5", "null", "\"string\"", "[]", "", "{"] {
            assert!(schema(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn parameters_are_few() {
        let param = |at| world::Param {
            name: format!("p{at}"),
            schema: "{}".to_owned(),
            required: true,
        };
        let described = |count| world::Method {
            name: "run".to_owned(),
            kind: Kind::Update,
            params: Some((0..count).map(param).collect()),
            returns: "{}".to_owned(),
        };
        let thing = EntityType::new("thing").expect("a name");
        let of = |count| method(&thing, described(count));
        assert_eq!(
            of(PARAMS_MAX).map(|method| method.name.to_string()),
            Ok("run".to_owned())
        );
        let refused = of(PARAMS_MAX + 1).expect_err("one too many");
        assert!(
            refused.contains("`thing.run` has 257 parameters"),
            "{refused}"
        );
    }
}
