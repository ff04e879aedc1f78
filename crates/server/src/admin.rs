//! What operators ask for: checkpoints, hashes, backups. All of it blocks, so none of it runs on the
//! threads that answer calls.

use http::Version;
use ordain_api::Problem;
use ordain_api::replies::{Checkpoint, StateHash};
use ordain_api::routes::MEDIA_BACKUP;
use ordain_node::{BackupError, Node, Unavailable};

use crate::answer::{internal, unavailable};
use crate::body::{HttpReply, json, streamed};
use crate::outlet::{BlockingOutlet, outlet};
use crate::service::Asking;

/// `POST /v1/admin/checkpoint`.
pub(crate) async fn checkpoint(node: Node) -> Result<HttpReply, Problem> {
    let seq = blocking(move || node.checkpoint()).await?;
    Ok(json(&Checkpoint { seq }))
}

/// `GET /v1/admin/state-hash`.
pub(crate) async fn state_hash(node: Node) -> Result<HttpReply, Problem> {
    let (seq, hash) = blocking(move || node.state_hash()).await?;
    let hash = hash.to_string();
    Ok(json(&StateHash { seq, hash }))
}

/// `GET /v1/admin/backup`: the backup as it is written. What can fail before that is answered as such;
/// one that fails on the way breaks off.
pub(crate) async fn backup(node: Node, asking: Asking) -> Result<HttpReply, Problem> {
    let Asking {
        shared,
        held,
        request,
        ..
    } = asking;
    if request.version() < Version::HTTP_11 {
        let detail = "a backup has no length, and ends with the connection over HTTP/1.0, so that half of one would \
                      pass for a whole one; ask over HTTP/1.1 or HTTP/2";
        return Err(Problem::bad_request("version", detail));
    }
    let begun = blocking(move || {
        node.begin_backup().map_err(|error| match error {
            BackupError::Unavailable(why) => why,
            BackupError::Store(error) => {
                tracing::error!(%error, "a backup could not be begun");
                Unavailable::from(&error)
            }
            other => Unavailable::Halted(other.to_string()),
        })
    });
    let backup = begun.await?;
    let (outlet, body) = outlet(shared.config.limits.write_timeout);
    let mut out = BlockingOutlet::new(outlet);
    shared.tasks.spawn_blocking(move || {
        let (busy, _in_flight) = held;
        let written = backup.write(&mut out, &mut |_| {});
        let ended = match written {
            Ok(_) => out.end().map_err(|error| error.to_string()),
            Err(error) => Err(error.to_string()),
        };
        if let Err(error) = ended {
            tracing::warn!(%error, "a backup was not taken to its end");
            busy.hang_up();
        }
    });
    Ok(streamed(MEDIA_BACKUP, body))
}

async fn blocking<T: Send + 'static>(
    ask: impl FnOnce() -> Result<T, Unavailable> + Send + 'static,
) -> Result<T, Problem> {
    match tokio::task::spawn_blocking(ask).await {
        Ok(answer) => answer.map_err(|why| unavailable(&why)),
        Err(_) => Err(internal("the request's thread panicked")),
    }
}
