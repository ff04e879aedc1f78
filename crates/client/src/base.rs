//! A server's address, checked.

use http::Uri;

use crate::error::Error;

/// The address: `http://host:port`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Base {
    pub(crate) text: String,
}

impl Base {
    pub fn parse(url: &str) -> Result<Self, Error> {
        let none = |reason: &str| Error::Url {
            url: url.to_owned(),
            reason: reason.to_owned(),
        };
        let uri: Uri = url
            .parse()
            .map_err(|error: http::uri::InvalidUri| none(&error.to_string()))?;
        let Some(scheme @ ("http" | "https")) = uri.scheme_str() else {
            return Err(none("it does not begin with http:// or https://"));
        };
        let authority = uri.authority().ok_or_else(|| none("it names no host"))?;
        if authority.as_str().contains('@') {
            return Err(none("it holds a user name; a token is given by itself"));
        }
        // What is no port would be passed over, and another one be asked.
        let port = authority.as_str().rsplit_once(':');
        let given = port.is_some_and(|(_, port)| !port.is_empty() && !port.ends_with(']'));
        if given && authority.port_u16().is_none() {
            return Err(none("its port is none; ports go up to 65535"));
        }
        if uri.path() != "/" || uri.query().is_some() {
            return Err(none("something follows the host and port"));
        }
        let text = format!("{scheme}://{authority}");
        Ok(Self { text })
    }

    pub fn uri(&self, path: &str) -> Result<Uri, Error> {
        let whole = format!("{}{path}", self.text);
        whole.parse().map_err(|error: http::uri::InvalidUri| {
            let reason = error.to_string();
            Error::Url { url: whole, reason }
        })
    }

    /// The same address for connections that are no requests.
    pub fn as_uri(&self) -> Result<Uri, Error> {
        self.uri("/")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_checked() {
        for good in [
            "http://localhost:1",
            "https://a.b",
            "http://[::1]:9/",
            "http://[::1]",
            "http://a:65535",
        ] {
            assert!(Base::parse(good).is_ok(), "{good}");
        }
        for bad in [
            "",
            "localhost:1",
            "ftp://a",
            "http://a/b",
            "http://u@a",
            "http://a?x",
            "http://a:65536",
            "http://[::1]:70046",
            "http://a:99999999999999999999",
            "/a",
        ] {
            assert!(matches!(Base::parse(bad), Err(Error::Url { .. })), "{bad}");
        }
    }
}
