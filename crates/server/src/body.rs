//! Bodies: a request's, read whole within its size and its time, and a reply's.

use std::time::Duration;

use bytes::{Bytes, BytesMut};
use http::header::{CONTENT_ENCODING, CONTENT_LENGTH, CONTENT_TYPE};
use http::{HeaderMap, HeaderValue, Response, StatusCode};
use http_body_util::{BodyExt, Either, Full};
use hyper::body::{Body as _, Incoming};
use ordain_api::{Problem, routes};
use tokio::time::Instant;

use crate::config::BODY_BYTES_PER_SEC_MIN;

/// A reply's body: whole, or as it comes.
pub(crate) type Body = Either<Full<Bytes>, axum::body::Body>;

/// A reply over HTTP.
pub(crate) type HttpReply = Response<Body>;

/// A whole body with its status and media type.
pub(crate) fn whole(status: StatusCode, media: &'static str, body: impl Into<Bytes>) -> HttpReply {
    let mut reply = Response::new(Either::Left(Full::new(body.into())));
    *reply.status_mut() = status;
    let media = HeaderValue::from_static(media);
    reply.headers_mut().insert(CONTENT_TYPE, media);
    reply
}

/// A value as JSON.
pub(crate) fn json(value: &impl serde::Serialize) -> HttpReply {
    let body = serde_json::to_vec(value).expect("replies encode into memory");
    whole(StatusCode::OK, routes::MEDIA_JSON, body)
}

/// A body that comes bit by bit.
pub(crate) fn streamed(media: &'static str, body: axum::body::Body) -> HttpReply {
    let mut reply = Response::new(Either::Right(body));
    let media = HeaderValue::from_static(media);
    reply.headers_mut().insert(CONTENT_TYPE, media);
    reply
}

/// The reply without its body, as it answers HEAD. Over HTTP/1.1 the library leaves the body out by
/// itself; over HTTP/2 it would send it, and clients take that for an error.
pub(crate) fn head_of(reply: HttpReply) -> HttpReply {
    let (mut head, body) = reply.into_parts();
    if let Some(length) = body.size_hint().exact() {
        head.headers
            .insert(CONTENT_LENGTH, HeaderValue::from(length));
    }
    Response::from_parts(head, Either::Left(Full::new(Bytes::new())))
}

/// Reads a JSON body whole. No body is no bytes, and then needs no media type.
///
/// A media type is demanded because of browsers: their forms cannot send JSON's.
pub(crate) async fn read_json(
    headers: &HeaderMap,
    body: Incoming,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
    let typed = check_media(headers, routes::MEDIA_JSON)?;
    let bytes = read(body, bytes_max, timeout).await?;
    if !typed && !bytes.is_empty() {
        return Err(Problem::unsupported_media_type(None, routes::MEDIA_JSON));
    }
    Ok(bytes)
}

/// Refuses another media type, or one that is packed; whether there is one.
pub(crate) fn check_media(headers: &HeaderMap, wanted: &'static str) -> Result<bool, Problem> {
    for packing in headers.get_all(CONTENT_ENCODING) {
        if !packing.as_bytes().eq_ignore_ascii_case(b"identity") {
            let packing = packing.to_str().unwrap_or("?");
            return Err(Problem::unsupported_content_encoding(packing));
        }
    }
    let Some(value) = headers.get(CONTENT_TYPE) else {
        return Ok(false);
    };
    // All but a few requests say just this.
    if value.as_bytes() == wanted.as_bytes() {
        return Ok(true);
    }
    let given = value.to_str().unwrap_or("?");
    let media = given.split(';').next().unwrap_or("").trim();
    match media.eq_ignore_ascii_case(wanted) {
        true => Ok(true),
        false => Err(Problem::unsupported_media_type(Some(given), wanted)),
    }
}

/// Refuses a body that holds anything: it would be passed over, while whoever sent it relies on it. `instead` is where to
/// say what it may say.
pub(crate) async fn none(
    body: &mut Incoming,
    timeout: Duration,
    instead: &str,
) -> Result<(), Problem> {
    if body.is_end_stream() {
        return Ok(());
    }
    let empty = body.size_hint().lower() == 0
        && next_in_time(body, Instant::now(), timeout).await?.is_none();
    match empty {
        true => Ok(()),
        false => {
            let detail = format!("no body is taken here: {instead}");
            Err(Problem::bad_request("body", detail))
        }
    }
}

/// Reads a body whole.
pub(crate) async fn read(
    body: Incoming,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
    if body.is_end_stream() {
        return Ok(Bytes::new());
    }
    if body.size_hint().lower() > bytes_max as u64 {
        return Err(too_large(bytes_max));
    }
    collect(body, bytes_max, timeout).await
}

async fn collect(
    mut body: Incoming,
    bytes_max: usize,
    timeout: Duration,
) -> Result<Bytes, Problem> {
    let began = Instant::now();
    let Some(first) = next_in_time(&mut body, began, timeout).await? else {
        return Ok(Bytes::new());
    };
    if body.is_end_stream() && first.len() <= bytes_max {
        return Ok(first);
    }
    let mut all = BytesMut::from(first);
    while all.len() <= bytes_max {
        let time = timeout + Duration::from_secs((all.len() / BODY_BYTES_PER_SEC_MIN) as u64);
        match next_in_time(&mut body, began, time).await? {
            Some(more) => all.extend_from_slice(&more),
            None => return Ok(all.freeze()),
        }
    }
    Err(too_large(bytes_max))
}

/// The next bytes of a body, by so long after its reading began; none at its end.
pub(crate) async fn next_in_time(
    body: &mut Incoming,
    began: Instant,
    time: Duration,
) -> Result<Option<Bytes>, Problem> {
    match tokio::time::timeout_at(began + time, next(body)).await {
        Ok(read) => read,
        Err(_) => Err(Problem::request_timeout(time.as_millis() as u64)),
    }
}

/// The next bytes of a body; none at its end.
pub(crate) async fn next(body: &mut Incoming) -> Result<Option<Bytes>, Problem> {
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|error| {
            Problem::bad_request("body", format!("the body ended before its end: {error}"))
        })?;
        if let Ok(data) = frame.into_data()
            && !data.is_empty()
        {
            return Ok(Some(data));
        }
    }
    Ok(None)
}

fn too_large(bytes_max: usize) -> Problem {
    Problem::request_too_large("the body", "body_bytes", bytes_max as u64)
}
