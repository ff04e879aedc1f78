//! Paths of calls, entities and invocations: what is read is written so that it reads the same; what is
//! refused says why.

use ordain_api::Problem;
use ordain_api::path::{
    MethodPath, encode_query_value, entity_path, invocation_path, module_path, parse_entity_path,
    parse_invocation_path, parse_module_path,
};

use crate::refused;

/// The target.
pub fn check(data: &[u8]) {
    let Ok(raw) = std::str::from_utf8(data) else {
        return;
    };
    match MethodPath::parse(raw) {
        Ok(path) => {
            let written = path.to_string();
            assert!(written.bytes().all(unreserved), "{written}");
            assert_eq!(MethodPath::parse(&written).as_ref(), Ok(&path));
            assert!(!written.split('/').any(|part| part == "." || part == ".."));
        }
        Err(error) => problem(Problem::from(error)),
    }
    match parse_entity_path(raw) {
        Ok(entity) => {
            let written = entity_path(&entity);
            assert!(written.bytes().all(unreserved), "{written}");
            assert_eq!(parse_entity_path(&written), Ok(entity));
        }
        Err(error) => problem(Problem::from(error)),
    }
    match parse_module_path(raw) {
        Ok(name) => assert_eq!(parse_module_path(&module_path(&name)), Ok(name)),
        Err(error) => problem(Problem::from(error)),
    }
    match parse_invocation_path(raw) {
        Ok(id) => assert_eq!(invocation_path(id), raw, "an id is written in one way"),
        Err(error) => problem(error),
    }
    assert!(encode_query_value(raw).bytes().all(unreserved));
}

fn unreserved(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"-._~%/".contains(&byte)
}

fn problem(problem: Problem) {
    refused(&problem, "");
    assert!((400..500).contains(&problem.status), "{problem}");
    assert!(problem.table_code().is_some(), "{problem}");
}
