//! Keeps web pages of other sites away from a server that asks no one for a token: their requests
//! come from the user's own machine. A name that points here without being ours (DNS rebinding) shows
//! in `Host`; a page of another site shows in `Origin`, or in `Sec-Fetch-Site`. With tokens none of this is needed, since no
//! browser adds one by itself.

use std::net::IpAddr;

use http::header::{HOST, ORIGIN};
use http::{HeaderMap, Uri};
use ordain_api::Problem;

const SEC_FETCH_SITE: &str = "sec-fetch-site";
const SEC_FETCH_MODE: &str = "sec-fetch-mode";
const SEC_FETCH_DEST: &str = "sec-fetch-dest";

/// What becomes of a link on a page of another site that leads here.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Links {
    /// The user follows it.
    Followed,
    /// It is refused.
    Refused,
}

/// Refuses a request whose `Host` does not name this server or that comes from a page of another.
pub(crate) fn check(
    uri: &Uri,
    headers: &HeaderMap,
    names: &[String],
    links: Links,
) -> Result<(), Problem> {
    let host = host_of(uri, headers)?;
    if !is_ours(host, names) {
        return Err(Problem::bad_host(host));
    }
    let mut origins = headers.get_all(ORIGIN).iter();
    match origins.next() {
        None if is_from_elsewhere(headers, links) => Err(Problem::bad_origin("another site")),
        None => Ok(()),
        Some(origin) => {
            let origin = origin.to_str().unwrap_or("?");
            let same = origin
                .split_once("://")
                .is_some_and(|(_, authority)| authority.eq_ignore_ascii_case(host));
            match same && origins.next().is_none() {
                true => Ok(()),
                false => Err(Problem::bad_origin(origin)),
            }
        }
    }
}

/// Whether a page of another site has this as its image, its script or the like: such a request has no
/// `Origin`, but browsers say of it whose it is. A link that the user follows is the user's own, though
/// whether there was a click they do not say.
fn is_from_elsewhere(headers: &HeaderMap, links: Links) -> bool {
    let is = |name: &str, value: &[u8]| {
        headers
            .get(name)
            .is_some_and(|given| given.as_bytes() == value)
    };
    let elsewhere = is(SEC_FETCH_SITE, b"cross-site") || is(SEC_FETCH_SITE, b"same-site");
    let followed = is(SEC_FETCH_MODE, b"navigate") && is(SEC_FETCH_DEST, b"document");
    elsewhere && !(followed && links == Links::Followed)
}

/// The one authority the request was made to.
fn host_of<'r>(uri: &'r Uri, headers: &'r HeaderMap) -> Result<&'r str, Problem> {
    // If both are there, they are the same: what is ambiguous was refused before.
    let header = headers.get(HOST).map(|host| host.to_str().unwrap_or("?"));
    let target = uri.authority().map(|authority| authority.as_str());
    target.or(header).ok_or_else(|| Problem::bad_host(""))
}

fn is_ours(host: &str, names: &[String]) -> bool {
    let name = without_port(host);
    let ip = name
        .strip_prefix('[')
        .and_then(|name| name.strip_suffix(']'));
    if let Ok(ip) = ip.unwrap_or(name).parse::<IpAddr>() {
        return ip.is_loopback() || names.iter().any(|ours| ours.parse() == Ok(ip));
    }
    name.eq_ignore_ascii_case("localhost")
        || names.iter().any(|ours| ours.eq_ignore_ascii_case(name))
}

fn without_port(host: &str) -> &str {
    match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => host,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_our_names_are_ours() {
        let names = ["ordain.test", "10.0.0.2", "fd00::1"].map(str::to_owned);
        for ours in [
            "localhost",
            "LOCALHOST:80",
            "127.0.0.1:8080",
            "127.1.2.3",
            "[::1]:8080",
            "[::1]",
            "ordain.test",
            "Ordain.Test:443",
            "10.0.0.2:8080",
            "[fd00::1]:8080",
            "[FD00:0::1]",
        ] {
            assert!(is_ours(ours, &names), "{ours}");
        }
        for other in [
            "",
            ":80",
            "evil.test",
            "localhost.evil.test",
            "evil.test:127",
            "127.0.0.1.evil.test",
            "0.0.0.0:80",
            "10.0.0.1",
            "[::2]",
            "localhost:80@evil.test",
            "x.ordain.test",
        ] {
            assert!(!is_ours(other, &names), "{other}");
        }
    }
}
