//! The body of a deployment: sources that are taken hold what the JSON says, each file once and in order,
//! and the file that is begun with among them.

use ordain_api::modules::ModuleFiles;
use ordain_types::Source;
use serde_json::Value;

use crate::refused;

/// The target.
pub fn check(data: &[u8]) {
    let source = match ModuleFiles::parse(data) {
        Ok(source) => source,
        Err(problem) => {
            refused(&problem, "");
            assert_eq!(problem.status, 400, "{problem}");
            assert!(problem.to_json().len() < 8_000, "{problem}");
            return;
        }
    };
    let said: Value = serde_json::from_slice(data).expect("what was taken is JSON");
    assert_eq!(said, written(&source));
    assert!(source.files.is_sorted_by(|a, b| a.path < b.path));
    assert!(source.files.iter().any(|file| file.path == source.main));
    let text = serde_json::to_vec(&said).expect("JSON encodes into memory");
    assert_eq!(ModuleFiles::parse(&text).ok(), Some(source.clone()));
    if let Err(error) = source.check() {
        refused(&error, "");
    }
}

/// The sources as the JSON they came as.
fn written(source: &Source) -> Value {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).expect("files are text");
    let files = source.files.iter();
    let files = files.map(|file| (file.path.clone(), text(&file.bytes).into()));
    let files: serde_json::Map<String, Value> = files.collect();
    serde_json::json!({ "main": source.main, "files": files })
}
