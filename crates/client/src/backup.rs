//! Backups of a running server: one answer that may be of any length, written where the caller wants it.

use std::io::Write;

use http::Request as HttpRequest;
use http_body_util::{BodyExt, Full};
use ordain_api::routes;

use crate::client::{Client, innermost};
use crate::error::Error;

impl Client {
    /// Writes a backup of the whole state to `out` while the server goes on, and gives its size in
    /// bytes; `progress` hears of the bytes so far. Syncing `out`, and checking what came with
    /// `ordain_store::snapshot::verify`, are the caller's. Not tried again once it began.
    ///
    /// # Errors
    /// Why there is no backup, or only part of one in `out`.
    pub async fn backup(
        &self,
        out: &mut (dyn Write + Send),
        progress: &mut (dyn FnMut(u64) + Send),
    ) -> Result<u64, Error> {
        let shared = &self.shared;
        let body = Full::default().map_err(|never| match never {});
        let response = shared.send(HttpRequest::builder(), routes::BACKUP, body.boxed_unsync());
        let broken = |reason: String| Error::Incomplete {
            url: shared.base.text.clone(),
            reason,
        };
        let silent = || broken(format!("nothing came for {:?}", shared.timeout));
        let response = tokio::time::timeout(shared.timeout, response).await;
        let response = response.map_err(|_| silent())?;
        let response = response.map_err(|error| match error {
            Error::Lost { reason, .. } => broken(reason),
            other => other,
        })?;
        if !response.status().is_success() {
            return Err(shared.refusal(response).await);
        }
        let (mut body, mut bytes) = (response.into_body(), 0);
        loop {
            let frame = tokio::time::timeout(shared.timeout, body.frame()).await;
            let Some(frame) = frame.map_err(|_| silent())? else {
                return Ok(bytes);
            };
            let frame = frame.map_err(|error| broken(innermost(&error)))?;
            if let Some(data) = frame.data_ref() {
                out.write_all(data)
                    .map_err(|error| Error::Write(error.to_string()))?;
                bytes += data.len() as u64;
                progress(bytes);
            }
        }
    }
}
