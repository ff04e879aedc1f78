//! `ordain.toml` and single settings: what is taken can be used as what it is; what is refused names the
//! file or the setting; and no message shows a bearer token.

use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::OnceLock;

use ordain_cli::settings::{Kind, SETTINGS, Setting};
use ordain_cli::{Config, ConfigError, Sources, parse_duration, parse_size, show_size};
use tempfile::TempDir;

use crate::refused;

/// What a token's text looks like in an input: no message may hold it.
pub const SECRET: &str = "s3cr3t";

/// The target for the file.
pub fn file(data: &[u8]) {
    let path = dir().join(format!("{:?}.toml", std::thread::current().id()));
    fs::write(&path, data).expect("a file is written");
    let config = Config::load(&Sources {
        flags: BTreeMap::new(),
        file: Some(path.clone()),
        env: Vec::new(),
    });
    match config {
        Ok(config) => usable(&config),
        Err(error) => {
            let pair = matches!(error, ConfigError::Pair { .. });
            let place = path.to_str().expect("a path is text");
            refused(&error, if pair { "tls_" } else { place });
            silent(&error, data);
        }
    }
}

/// A setting of a secret kind is never shown, whatever is wrong with it.
fn silent(error: &ConfigError, data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let elsewhere = text.matches(SECRET).count() != 1;
    if let ConfigError::Value { key, .. } = error
        && Setting::find(key).is_some_and(|setting| setting.secret)
    {
        let shown = error.to_string();
        assert!(
            elsewhere || !shown.contains(SECRET),
            "{shown} shows a secret"
        );
    }
}

fn usable(config: &Config) {
    for setting in SETTINGS {
        let said = config.said(setting.key);
        assert_eq!(setting.check(&said.text), Ok(()), "{}", setting.key);
        match setting.kind {
            Kind::Size => drop(config.size(setting.key)),
            Kind::Duration => drop(config.duration(setting.key)),
            Kind::Count => drop(config.count(setting.key)),
            Kind::Names => {
                let names = config.names(setting.key);
                assert!(names.iter().all(|name| !name.is_empty()));
            }
            _ => drop(config.path(setting.key)),
        }
    }
    let _ = (config.dir(), config.listen());
    for token in &config.tokens {
        assert!(!token.name().is_empty() && !token.name().contains(char::is_control));
    }
}

/// The target for one setting: its key and its value, with a line end between.
pub fn setting(data: &[u8]) {
    let text = String::from_utf8_lossy(data);
    let (key, value) = text.split_once('\n').unwrap_or((&text, ""));
    units(value);
    let Some(setting) = Setting::find(key) else {
        return;
    };
    let env = vec![(OsString::from(setting.env()), OsString::from(value))];
    let said = Config::load(&Sources {
        flags: BTreeMap::new(),
        file: Some(empty_file()),
        env,
    });
    match (said, setting.check(value)) {
        (Ok(config), Ok(())) => {
            assert_eq!(config.said(key).text, value);
            usable(&config);
        }
        (Err(ConfigError::Pair { .. }), Ok(())) => assert!(key.starts_with("tls_")),
        (Err(error), Err(expected)) => refused(&error, &expected),
        (said, checked) => panic!("{key}: {said:?}, but {checked:?}"),
    }
}

fn units(text: &str) {
    if let Ok(bytes) = parse_size(text) {
        assert_eq!(parse_size(&bytes.to_string()), Ok(bytes));
        let shown = show_size(bytes);
        if !shown.contains('.') {
            assert_eq!(parse_size(&shown), Ok(bytes), "{shown}");
        }
    }
    if let Ok(time) = parse_duration(text) {
        let ms = format!("{}ms", time.as_millis());
        assert_eq!(parse_duration(&ms), Ok(time));
    }
}

fn dir() -> &'static Path {
    static DIR: OnceLock<TempDir> = OnceLock::new();
    let memory = Path::new("/dev/shm");
    let made = || match memory.is_dir() {
        true => tempfile::tempdir_in(memory).expect("a directory"),
        false => tempfile::tempdir().expect("a directory"),
    };
    DIR.get_or_init(made).path()
}

fn empty_file() -> std::path::PathBuf {
    let path = dir().join("empty.toml");
    if !path.exists() {
        fs::write(&path, b"").expect("a file is written");
    }
    path
}
