//! Who asks, and what they may: bearer tokens and their scopes. Tokens are known only by their
//! SHA-256; what a scope is good for is the routes' business.

use std::fmt;
use std::sync::Arc;

use http::HeaderMap;
use http::header::AUTHORIZATION;
use ordain_api::{Op, Problem, routes};
use sha2::{Digest, Sha256};
use subtle::{Choice, ConstantTimeEq};

/// One thing a token may be good for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Scope {
    /// Call, query and send.
    Call,
    /// Query; read states, invocations and metrics.
    Read,
    /// Modules, checkpoints, hashes and backups; the traces of faults.
    Admin,
}

impl Scope {
    /// Every scope.
    pub const ALL: [Scope; 3] = [Scope::Call, Scope::Read, Scope::Admin];

    /// As configured and as answered.
    pub fn as_str(self) -> &'static str {
        match self {
            Scope::Call => routes::SCOPE_CALL,
            Scope::Read => routes::SCOPE_READ,
            Scope::Admin => routes::SCOPE_ADMIN,
        }
    }
}

/// A set of scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Scopes(u8);

impl Scopes {
    pub const NONE: Scopes = Scopes(0);
    pub const ALL: Scopes = Scopes::of(&Scope::ALL);

    pub const fn of(scopes: &[Scope]) -> Self {
        let (mut bits, mut at) = (0, 0);
        while at < scopes.len() {
            bits |= 1 << scopes[at] as u8;
            at += 1;
        }
        Self(bits)
    }

    fn meets(self, other: Scopes) -> bool {
        self.0 & other.0 != 0
    }
}

/// A token, as configured.
#[derive(Clone)]
pub struct Token {
    name: Arc<str>,
    sha256: [u8; 32],
    scopes: Scopes,
}

/// A token that is none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// Its name is empty, too long or holds a control character.
    #[error("a token's name has 1 to 64 characters and none of them a control character")]
    Name,
    /// Its hash is not one.
    #[error(
        "the token `{0}` needs the SHA-256 of its text as 64 hexadecimal digits; \
         `printf %s TOKEN | sha256sum` prints it"
    )]
    Hash(String),
    /// It is the hash of no text at all, as of a variable that was not set.
    #[error(
        "the token `{0}` has the SHA-256 of an empty text, which everyone knows; \
         make a token with `ordain token new`"
    )]
    Empty(String),
    /// It is good for nothing.
    #[error("the token `{0}` has no scope; give it some of call, read, admin")]
    NoScope(String),
    /// No such scope.
    #[error("there is no scope `{0}`; there are call, read, admin")]
    Scope(String),
}

impl std::str::FromStr for Scope {
    type Err = TokenError;
    fn from_str(text: &str) -> Result<Self, TokenError> {
        let found = Scope::ALL.into_iter().find(|scope| scope.as_str() == text);
        found.ok_or_else(|| TokenError::Scope(text.chars().take(64).collect()))
    }
}

impl Token {
    /// A token whose text has this SHA-256.
    ///
    /// # Errors
    /// What is wrong with any part.
    pub fn new(name: &str, sha256_hex: &str, scopes: &[Scope]) -> Result<Self, TokenError> {
        let length = name.chars().count();
        if !(1..=64).contains(&length) || name.chars().any(char::is_control) {
            return Err(TokenError::Name);
        }
        if scopes.is_empty() {
            return Err(TokenError::NoScope(name.to_owned()));
        }
        let sha256 = from_hex(sha256_hex).ok_or_else(|| TokenError::Hash(name.to_owned()))?;
        if sha256 == *Sha256::digest("") {
            return Err(TokenError::Empty(name.to_owned()));
        }
        let scopes = Scopes::of(scopes);
        Ok(Self {
            name: name.into(),
            sha256,
            scopes,
        })
    }

    /// What to configure for a token's text.
    pub fn hash(text: &str) -> String {
        use fmt::Write;
        let mut hex = String::with_capacity(64);
        for byte in Sha256::digest(text) {
            write!(hex, "{byte:02x}").expect("a string takes text");
        }
        hex
    }

    /// Its name: the caller that methods see.
    pub fn name(&self) -> &str {
        &self.name
    }
}

impl fmt::Debug for Token {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Token")
            .field("name", &self.name)
            .finish_non_exhaustive()
    }
}

fn from_hex(text: &str) -> Option<[u8; 32]> {
    let (pairs, []) = text.as_bytes().as_chunks::<2>() else {
        return None;
    };
    let digit = |byte: u8| (byte as char).to_digit(16);
    let byte = |pair: &[u8; 2]| Some((digit(pair[0])? * 16 + digit(pair[1])?) as u8);
    let bytes: Option<Vec<u8>> = pairs.iter().map(byte).collect();
    bytes?.try_into().ok()
}

/// Who asks.
#[derive(Debug, Clone)]
pub(crate) struct Caller {
    /// What methods see: the token's name, empty without tokens.
    pub name: Arc<str>,
    scopes: Scopes,
    /// Whether all see the traces of faults.
    traces: bool,
}

impl Caller {
    /// Whether the traces of faults are shown.
    pub fn sees_traces(&self) -> bool {
        self.traces || self.scopes.meets(Scopes::of(&[Scope::Admin]))
    }

    /// Refuses a caller that has none of the scopes. No scope at all: anyone may.
    pub fn needs_one_of(&self, needed: &'static [Scope]) -> Result<(), Problem> {
        match needed {
            [first, ..] if !self.scopes.meets(Scopes::of(needed)) => {
                Err(Problem::forbidden(first.as_str()))
            }
            _ => Ok(()),
        }
    }

    /// Refuses an op that is beyond the caller's scopes.
    pub fn may(&self, op: Op) -> Result<(), Problem> {
        self.needs_one_of(scopes_of(op))
    }
}

/// The scopes of which one is needed.
pub(crate) const fn scopes_of(op: Op) -> &'static [Scope] {
    match op {
        Op::Call | Op::Send => &[Scope::Call],
        Op::Query => &[Scope::Read, Scope::Call],
    }
}

/// Two tokens that cannot be told apart, if there are any.
pub(crate) fn same_text(tokens: &[Token]) -> Option<(&Token, &Token)> {
    let mut by_text: Vec<&Token> = tokens.iter().collect();
    by_text.sort_by_key(|token| token.sha256);
    let mut pairs = by_text.windows(2);
    let twins = pairs.find(|pair| pair[0].sha256 == pair[1].sha256)?;
    Some((twins[0], twins[1]))
}

/// Tells callers from strangers.
pub(crate) struct Doorman {
    tokens: Vec<Token>,
    anyone: Caller,
}

impl Doorman {
    /// Knows these tokens; `traces`: whether all see the traces of faults.
    pub fn new(tokens: Vec<Token>, traces: bool) -> Self {
        let name = Arc::from("");
        let scopes = match tokens.is_empty() {
            true => Scopes::ALL,
            false => Scopes::NONE,
        };
        Self {
            tokens,
            anyone: Caller {
                name,
                scopes,
                traces,
            },
        }
    }

    /// Whether anyone may ask.
    pub fn is_open(&self) -> bool {
        self.tokens.is_empty()
    }

    /// Who asks, where one of `needed` is needed.
    pub fn admit(&self, headers: &HeaderMap, needed: &'static [Scope]) -> Result<Caller, Problem> {
        if self.is_open() || needed.is_empty() {
            return Ok(self.anyone.clone());
        }
        let caller = self
            .recognise(headers)
            .ok_or_else(Problem::unauthenticated)?;
        caller.needs_one_of(needed)?;
        Ok(caller)
    }

    fn recognise(&self, headers: &HeaderMap) -> Option<Caller> {
        let mut given = headers.get_all(AUTHORIZATION).iter();
        let (value, None) = (given.next()?, given.next()) else {
            return None;
        };
        let (scheme, text) = value.as_bytes().split_at_checked(7)?;
        if !scheme.eq_ignore_ascii_case(b"bearer ") {
            return None;
        }
        let hash = Sha256::digest(text.trim_ascii());
        // All are compared, and each in constant time: how long it takes says nothing.
        let mut found = None;
        for token in &self.tokens {
            let same: Choice = token.sha256.ct_eq(hash.as_slice());
            if bool::from(same) {
                found = Some(token);
            }
        }
        let Token { name, scopes, .. } = found?.clone();
        Some(Caller {
            name,
            scopes,
            traces: self.anyone.traces,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hashes_are_read_and_written() {
        let hash = Token::hash("secret");
        assert_eq!(hash.len(), 64);
        assert!(Token::new("a", &hash, &[Scope::Call]).is_ok());
        assert!(Token::new("a", &hash.to_uppercase(), &[Scope::Call]).is_ok());
        for bad in [
            "",
            "00",
            &hash[1..],
            &format!("{hash}0"),
            &hash.replace('a', "g"),
        ] {
            let refused = Token::new("a", bad, &[Scope::Call]);
            assert_eq!(refused.err(), Some(TokenError::Hash("a".into())), "{bad}");
        }
        assert_eq!(
            Token::new("", &hash, &[Scope::Call]).err(),
            Some(TokenError::Name)
        );
        assert_eq!(
            Token::new("a", &Token::hash(""), &[Scope::Call]).err(),
            Some(TokenError::Empty("a".into()))
        );
        assert_eq!(
            Token::new("a", &hash, &[]).err(),
            Some(TokenError::NoScope("a".into()))
        );
    }

    #[test]
    fn a_token_does_not_show_its_hash() {
        let hash = Token::hash("secret");
        let shown = format!("{:?}", Token::new("ops", &hash, &[Scope::Admin]).unwrap());
        assert!(
            shown.contains("ops") && !shown.contains("sha256"),
            "{shown}"
        );
    }
}
