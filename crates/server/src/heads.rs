//! Heads that two readers could read differently: one in front of this server, which decides by what it
//! reads, and the server itself. What is ambiguous is refused before anything else is looked at, and
//! its connection ends: where the next request begins is then not certain either.

use http::header::{
    AUTHORIZATION, CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE, EXPECT, HOST, ORIGIN,
    SEC_WEBSOCKET_KEY, SEC_WEBSOCKET_VERSION, TRANSFER_ENCODING,
};
use http::{HeaderMap, HeaderName, Request, Uri, Version};
use ordain_api::{Problem, routes};

/// Headers that say one thing: of two, each reader may take another.
const ONCE: [HeaderName; 13] = [
    AUTHORIZATION,
    CONTENT_ENCODING,
    CONTENT_LENGTH,
    CONTENT_TYPE,
    EXPECT,
    HOST,
    HeaderName::from_static(routes::HEADER_IDEMPOTENCY_KEY),
    HeaderName::from_static(routes::HEADER_AT_LEAST),
    ORIGIN,
    HeaderName::from_static("sec-fetch-site"),
    SEC_WEBSOCKET_KEY,
    SEC_WEBSOCKET_VERSION,
    TRANSFER_ENCODING,
];

/// Refuses what is ambiguous.
pub(crate) fn check<B>(request: &Request<B>) -> Result<(), Problem> {
    let headers = request.headers();
    if headers.len() != headers.keys_len() {
        once(headers)?;
    }
    framing(headers)?;
    host(request.uri(), headers, request.version())
}

fn once(headers: &HeaderMap) -> Result<(), Problem> {
    for name in &ONCE {
        if headers.get_all(name).iter().nth(1).is_some() {
            let detail = "it is there more than once";
            return Err(Problem::bad_request(name.as_str(), detail));
        }
    }
    Ok(())
}

/// A body's length is told by its length or by chunks. Codings before the chunks would have to be
/// undone, and a reader that knows none of them takes something else for the body.
fn framing(headers: &HeaderMap) -> Result<(), Problem> {
    match headers.get(TRANSFER_ENCODING) {
        Some(coding) if !coding.as_bytes().eq_ignore_ascii_case(b"chunked") => {
            let detail = "the only coding is `chunked`, once";
            Err(Problem::bad_request(TRANSFER_ENCODING.as_str(), detail))
        }
        _ => Ok(()),
    }
}

/// Whom the request is for is said once, or twice the same.
fn host(uri: &Uri, headers: &HeaderMap, version: Version) -> Result<(), Problem> {
    let header = headers.get(HOST).map(|host| host.as_bytes());
    let detail = match (uri.authority(), header) {
        (Some(target), Some(host)) if !target.as_str().as_bytes().eq_ignore_ascii_case(host) => {
            let host = String::from_utf8_lossy(host);
            format!("the request's target names the host `{target}`, its Host header `{host}`")
        }
        (None, None) if version == Version::HTTP_11 => "HTTP/1.1 needs one".to_owned(),
        _ => return Ok(()),
    };
    Err(Problem::bad_request(HOST.as_str(), detail))
}
