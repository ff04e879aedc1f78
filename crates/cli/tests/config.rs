//! The file of settings, through its public door.

use std::collections::BTreeMap;

use ordain_cli::{Config, ConfigError, Sources};

fn load(text: &str) -> Result<Config, ConfigError> {
    let dir = tempfile::tempdir().unwrap();
    let path = dir.path().join("ordain.toml");
    std::fs::write(&path, text).unwrap();
    Config::load(&Sources {
        flags: BTreeMap::new(),
        file: Some(path),
        env: Vec::new(),
    })
}

#[test]
fn a_secret_of_the_wrong_type_is_not_shown() {
    for text in [
        "bearer_token = [\"s3cr3t\"]",
        "bearer_token = { s3cr3t = 1 }",
    ] {
        let refused = load(text).unwrap_err().to_string();
        assert!(refused.contains("bearer_token"), "{refused}");
        assert!(!refused.contains("s3cr3t"), "{refused}");
    }
    let refused = load("port = [\"shown\"]").unwrap_err().to_string();
    assert!(
        refused.contains("shown"),
        "what is not secret helps: {refused}"
    );
}

#[test]
fn a_variable_that_names_no_file_is_none() {
    let named = |path: &str| {
        Config::load(&Sources {
            flags: BTreeMap::new(),
            file: None,
            env: vec![("ORDAIN_CONFIG".into(), path.into())],
        })
    };
    named("").expect("there is no file in this directory, nor need there be");
    let missing = named("nowhere.toml").unwrap_err().to_string();
    assert!(missing.contains("nowhere.toml"), "{missing}");
}
