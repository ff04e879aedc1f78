//! The settings in effect: flag over environment over `ordain.toml` over default, each with where it
//! was said. Everything is checked here, once; what commands get are values that fit.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use ordain_server::{Scope, Token, TokenError, bounded};
use ordain_types::near::near;
use toml::Value;

use crate::settings::{CONFIG_ENV, CONFIG_FILE, ENV_PREFIX, Kind, SETTINGS, Setting, TOKEN_TABLES};
use crate::units;

/// More than anyone's settings and tokens: whatever file has more bytes was named by mistake.
const CONFIG_BYTES_MAX: usize = 1 << 20;

/// Where a value was said.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Origin {
    /// Nowhere.
    Default,
    /// In the file of settings.
    File(PathBuf),
    /// In this variable.
    Env(String),
    /// On the command line.
    Flag(String),
}

/// A setting's value.
#[derive(Debug, Clone)]
pub struct Said {
    /// As it was said; fits the setting's kind. Empty: none.
    pub text: String,
    /// Where.
    pub origin: Origin,
}

/// The settings in effect.
#[derive(Debug, Clone)]
pub struct Config {
    said: BTreeMap<&'static str, Said>,
    /// The bearer tokens a server takes.
    pub tokens: Vec<Token>,
}

/// What cannot be used, and where it was said.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the settings in {}: {error}", path.display())]
    Read {
        /// The file.
        path: PathBuf,
        /// What the system said.
        error: std::io::Error,
    },
    /// The file is not TOML.
    #[error("{} is not TOML: {error}", path.display())]
    Toml {
        /// The file.
        path: PathBuf,
        /// Where and why.
        error: String,
    },
    /// No setting of this key or variable.
    #[error("there is no setting `{name}` ({origin}){}", meant(near))]
    Unknown {
        /// As it was said.
        name: String,
        /// Where.
        origin: Origin,
        /// Settings like it.
        near: Vec<String>,
    },
    /// A value that does not fit.
    #[error("the setting {key} is `{text}` ({origin}), but must be {expected}")]
    Value {
        /// The setting.
        key: &'static str,
        /// As it was said.
        text: String,
        /// Where.
        origin: Origin,
        /// What it may be.
        expected: String,
    },
    /// A `[[token]]` that is none.
    #[error("a [[token]] in {} cannot be used: {reason}", path.display())]
    Token {
        /// The file.
        path: PathBuf,
        /// Why not.
        reason: String,
    },
    /// One of two that belong together.
    #[error("the setting {there} needs {missing} too")]
    Pair {
        /// The one.
        there: &'static str,
        /// The other.
        missing: &'static str,
    },
}

fn meant(near: &[String]) -> String {
    match near {
        [] => "; `ordain config` lists all settings".to_owned(),
        near => format!("; did you mean {}?", near.join(" or ")),
    }
}

/// What settings are taken from.
pub struct Sources {
    /// Flags by key, as given.
    pub flags: BTreeMap<&'static str, String>,
    /// The file named by `--config`.
    pub file: Option<PathBuf>,
    /// The environment.
    pub env: Vec<(OsString, OsString)>,
}

impl Config {
    /// Puts the sources over each other.
    ///
    /// # Errors
    /// The first thing that cannot be used.
    pub fn load(sources: &Sources) -> Result<Self, ConfigError> {
        let default = |setting: &'static Setting| {
            let (text, origin) = (setting.default.to_owned(), Origin::Default);
            (setting.key, Said { text, origin })
        };
        let mut config = Self {
            said: SETTINGS.iter().map(default).collect(),
            tokens: Vec::new(),
        };
        let in_env = sources.env.iter().find(|(name, _)| name == CONFIG_ENV);
        // An empty one names none, as an empty variable of a setting without default says nothing.
        let in_env = in_env.filter(|(_, path)| !path.is_empty());
        let in_env = in_env.map(|(_, path)| PathBuf::from(path));
        config.read_file(sources.file.clone().or(in_env).as_deref())?;
        config.read_env(&sources.env)?;
        for (key, text) in &sources.flags {
            let setting = Setting::find(key).expect("flags are made from the table");
            config.say(setting, text.clone(), Origin::Flag(setting.flag()))?;
        }
        config.check_pairs()?;
        Ok(config)
    }

    fn read_env(&mut self, env: &[(OsString, OsString)]) -> Result<(), ConfigError> {
        for (name, value) in env {
            let name = name.to_str().filter(|name| name.starts_with(ENV_PREFIX));
            let Some(name) = name.filter(|name| *name != CONFIG_ENV) else {
                continue;
            };
            let origin = Origin::Env(name.to_owned());
            let Some(setting) = SETTINGS.iter().find(|setting| setting.env() == name) else {
                let known: Vec<String> = SETTINGS.iter().map(Setting::env).collect();
                let near = near(name, known.iter().map(String::as_str));
                let name = name.to_owned();
                return Err(ConfigError::Unknown { name, origin, near });
            };
            let text = utf8(setting, value, &origin)?;
            self.say(setting, text, origin)?;
        }
        Ok(())
    }

    /// Reads the file that was named; else the one in the current directory, if there is one.
    fn read_file(&mut self, named: Option<&Path>) -> Result<(), ConfigError> {
        let path = named.unwrap_or(Path::new(CONFIG_FILE));
        let read = bounded::read_file(path, CONFIG_BYTES_MAX).and_then(bounded::text);
        let text = match read {
            Ok(text) => text,
            Err(error) if named.is_none() && error.kind() == std::io::ErrorKind::NotFound => {
                return Ok(());
            }
            Err(error) => {
                let path = path.to_owned();
                return Err(ConfigError::Read { path, error });
            }
        };
        let table: toml::Table = text.parse().map_err(|error: toml::de::Error| {
            let (path, error) = (path.to_owned(), placed(&error, &text));
            ConfigError::Toml { path, error }
        })?;
        for (key, value) in &table {
            self.read_key(path, key, value)?;
        }
        Ok(())
    }

    fn read_key(&mut self, path: &Path, key: &str, value: &Value) -> Result<(), ConfigError> {
        let origin = Origin::File(path.to_owned());
        if key == TOKEN_TABLES {
            self.tokens = tokens(value).map_err(|reason| {
                let path = path.to_owned();
                ConfigError::Token { path, reason }
            })?;
            return Ok(());
        }
        let Some(setting) = Setting::find(key) else {
            let known = SETTINGS.iter().map(|setting| setting.key);
            let near = near(key, known.chain([TOKEN_TABLES]));
            let name = key.to_owned();
            return Err(ConfigError::Unknown { name, origin, near });
        };
        let Some(text) = as_text(setting, value) else {
            let expected = match setting.check(&value.to_string()) {
                Err(expected) => expected,
                Ok(()) => "a string".to_owned(),
            };
            return Err(unfit(setting, value.to_string(), origin, expected));
        };
        let text = match (setting.kind, path.parent()) {
            (Kind::Path, Some(parent)) if !text.is_empty() => {
                utf8(setting, parent.join(text).as_os_str(), &origin)?
            }
            _ => text,
        };
        self.say(setting, text, origin)
    }

    fn say(
        &mut self,
        setting: &'static Setting,
        text: String,
        origin: Origin,
    ) -> Result<(), ConfigError> {
        if let Err(expected) = setting.check(&text) {
            return Err(unfit(setting, text, origin, expected));
        }
        self.said.insert(setting.key, Said { text, origin });
        Ok(())
    }

    fn check_pairs(&self) -> Result<(), ConfigError> {
        match (self.path("tls_cert"), self.path("tls_key")) {
            (Some(_), None) => Err(ConfigError::Pair {
                there: "tls_cert",
                missing: "tls_key",
            }),
            (None, Some(_)) => Err(ConfigError::Pair {
                there: "tls_key",
                missing: "tls_cert",
            }),
            _ => Ok(()),
        }
    }

    /// That what was said of a setting is out of its bounds.
    pub fn unfit(&self, key: &str, expected: &str) -> ConfigError {
        let setting = Setting::find(key).expect("bounds are those of settings");
        let Said { text, origin } = self.said(key).clone();
        unfit(setting, text, origin, expected.to_owned())
    }

    /// What was said of a setting.
    ///
    /// # Panics
    /// If there is no such setting.
    pub fn said(&self, key: &str) -> &Said {
        self.said
            .get(key)
            .unwrap_or_else(|| panic!("the table has no setting {key}"))
    }

    /// Whether a setting was given as a flag.
    pub fn is_flag(&self, key: &str) -> bool {
        matches!(self.said(key).origin, Origin::Flag(_))
    }

    /// A text; none if empty.
    pub fn text(&self, key: &str) -> Option<&str> {
        Some(self.said(key).text.as_str()).filter(|text| !text.is_empty())
    }

    /// A path; none if empty.
    pub fn path(&self, key: &str) -> Option<PathBuf> {
        self.text(key).map(PathBuf::from)
    }

    /// A number of bytes.
    pub fn size(&self, key: &str) -> u64 {
        units::parse_size(&self.said(key).text).expect("checked when it was said")
    }

    /// A time.
    pub fn duration(&self, key: &str) -> Duration {
        units::parse_duration(&self.said(key).text).expect("checked when it was said")
    }

    /// A whole number.
    pub fn count(&self, key: &str) -> u32 {
        self.said(key)
            .text
            .parse()
            .expect("checked when it was said")
    }

    /// Names.
    pub fn names(&self, key: &str) -> Vec<String> {
        let names = self.text(key).into_iter().flat_map(|text| text.split(','));
        names.map(|name| name.trim().to_owned()).collect()
    }

    /// The data directory.
    pub fn dir(&self) -> PathBuf {
        self.path("dir")
            .expect("it has a default and is never empty")
    }

    /// Where to listen.
    pub fn listen(&self) -> SocketAddr {
        let ip: IpAddr = self
            .said("listen")
            .text
            .parse()
            .expect("checked when it was said");
        let port: u16 = self
            .said("port")
            .text
            .parse()
            .expect("checked when it was said");
        SocketAddr::new(ip, port)
    }
}

/// What was said, as text. What is none would be another value if it were made one: another directory.
fn utf8(setting: &Setting, said: &OsStr, origin: &Origin) -> Result<String, ConfigError> {
    said.to_str().map(str::to_owned).ok_or_else(|| {
        let shown = said.to_string_lossy().into_owned();
        let expected = format!("a {} in UTF-8", setting.kind.unit());
        unfit(setting, shown, origin.clone(), expected)
    })
}

/// A value that does not fit; a secret one is not shown.
fn unfit(setting: &Setting, text: String, origin: Origin, expected: String) -> ConfigError {
    ConfigError::Value {
        key: setting.key,
        text: if setting.secret {
            "…".to_owned()
        } else {
            text
        },
        origin,
        expected,
    }
}

/// A TOML value as it would be said in a flag; none if it is of the wrong type.
fn as_text(setting: &Setting, value: &Value) -> Option<String> {
    match (setting.kind, value) {
        (_, Value::String(text)) => Some(text.clone()),
        (Kind::Port | Kind::Count | Kind::Size, Value::Integer(number)) => Some(number.to_string()),
        (Kind::Names, Value::Array(names)) => {
            let names: Option<Vec<&str>> = names.iter().map(Value::as_str).collect();
            Some(names?.join(","))
        }
        _ => None,
    }
}

/// An error with its place, and without the line that is there: it may hold a secret.
fn placed(error: &toml::de::Error, text: &str) -> String {
    let before = error.span().and_then(|span| text.get(..span.start));
    let Some(before) = before else {
        return error.message().to_owned();
    };
    let line = before.split('\n').count();
    let column = before
        .chars()
        .rev()
        .take_while(|char| *char != '\n')
        .count()
        + 1;
    format!("line {line}, column {column}: {}", error.message())
}

#[derive(serde::Deserialize)]
#[serde(deny_unknown_fields)]
struct TokenTable {
    name: String,
    scopes: Vec<String>,
    sha256: String,
}

fn tokens(value: &Value) -> Result<Vec<Token>, String> {
    let tables: Vec<TokenTable> = value
        .clone()
        .try_into()
        .map_err(|error: toml::de::Error| error.message().to_owned())?;
    let token = |table: &TokenTable| -> Result<Token, TokenError> {
        let scopes: Result<Vec<Scope>, _> =
            table.scopes.iter().map(|scope| scope.parse()).collect();
        Token::new(&table.name, &table.sha256, &scopes?)
    };
    tables
        .iter()
        .map(|table| token(table).map_err(|error| error.to_string()))
        .collect()
}

impl fmt::Display for Origin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Origin::Default => f.write_str("default"),
            Origin::File(path) => path.display().fmt(f),
            Origin::Env(name) => f.write_str(name),
            Origin::Flag(flag) => write!(f, "--{flag}"),
        }
    }
}
