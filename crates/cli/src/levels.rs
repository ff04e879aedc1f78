//! The setting `log_level`: which messages are told, of the whole program and of its parts.

use tracing_subscriber::EnvFilter;

use crate::settings::{Kind, meant};

/// The levels of messages.
pub const LEVELS: &[&str] = &["error", "warn", "info", "debug", "trace"];

/// Below this level these libraries print headers and payloads, which no log may hold: whatever the
/// setting says, they stay above it.
const QUIET: &str = "h2=info,hyper=info,hyper_util=info,tungstenite=info,rustls=info";

/// What lets such messages through: what this refuses no start takes. What reads levels takes any other word for the name
/// of a part whose messages are all wanted, and so a typing mistake would silence the rest.
///
/// # Errors
/// What is expected instead.
pub fn filter(text: &str) -> Result<EnvFilter, String> {
    let mut directives = Vec::new();
    for directive in text.split(',') {
        let (part, level) = match directive.rsplit_once('=') {
            Some((part, level)) => (Some(part.trim()), level.trim()),
            None => (None, directive.trim()),
        };
        let known = LEVELS.iter().any(|known| known.eq_ignore_ascii_case(level));
        if !known || part == Some("") {
            return Err(Kind::Levels.expected() + &meant(level, LEVELS));
        }
        directives.push(match part {
            Some(part) => format!("{part}={level}"),
            None => level.to_owned(),
        });
    }
    let all = format!("{},{QUIET}", directives.join(","));
    let filter = EnvFilter::builder().parse(all);
    filter.map_err(|error| format!("{} ({error})", Kind::Levels.expected()))
}
