//! Backups of a running server: one answer that may be of any length, written where the caller wants it.

use std::io::Write;

use http::{Request as HttpRequest, Response};
use http_body_util::{BodyExt, Full};
use hyper::body::Incoming;
use ordain_api::routes;

use crate::client::{Client, Shared, innermost};
use crate::error::Error;

impl Client {
    /// Writes a backup of the whole state to `out` while the server goes on, and gives its size in
    /// bytes; `progress` hears of the bytes so far. Syncing `out`, and checking what came with
    /// `ordain_store::snapshot::verify`, are the caller's. Tried again as other requests are until it
    /// begins, and not after.
    ///
    /// # Errors
    /// Why there is no backup, or only part of one in `out`.
    pub async fn backup(
        &self,
        out: &mut (dyn Write + Send),
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, Error> {
        let shared = &self.shared;
        let begun = shared.retrying(|| shared.begin_backup()).await;
        let response = begun.map_err(|error| match error {
            // Of a call they would say that it may have run.
            Error::Lost { reason, .. } => shared.broken_off(reason),
            Error::Timeout { .. } => shared.silent(),
            other => other,
        })?;
        let (mut body, mut bytes) = (response.into_body(), 0);
        loop {
            let frame = tokio::time::timeout(shared.timeout, body.frame()).await;
            let Some(frame) = frame.map_err(|_| shared.silent())? else {
                return Ok(bytes);
            };
            let frame = frame.map_err(|error| shared.broken_off(innermost(&error)))?;
            if let Some(data) = frame.data_ref() {
                out.write_all(data)
                    .map_err(|error| Error::Write(error.to_string()))?;
                bytes += data.len() as u64;
                progress(bytes);
            }
        }
    }
}

impl Shared {
    /// Asks for a backup and gives the head of its answer: there will be one, if nothing breaks.
    async fn begin_backup(&self) -> Result<Response<Incoming>, Error> {
        let body = Full::default().map_err(|never| match never {});
        let response = self.send(HttpRequest::builder(), routes::BACKUP, body.boxed_unsync());
        let response = tokio::time::timeout(self.timeout, response).await;
        let response = response.map_err(|_| self.timed_out())??;
        match response.status().is_success() {
            true => Ok(response),
            false => Err(self.refusal(response).await),
        }
    }

    fn silent(&self) -> Error {
        self.broken_off(format!("nothing came for {:?}", self.timeout))
    }

    fn broken_off(&self, reason: String) -> Error {
        Error::Incomplete {
            url: self.base.text.clone(),
            reason,
        }
    }
}
