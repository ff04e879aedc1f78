//! The task that moves a stream's bytes: connects, writes what is ready, reads what comes, and
//! connects again. What calls and replies mean is for [`super::state`].

use std::sync::Arc;
use std::time::Instant;

use futures_util::{SinkExt, StreamExt};
use http::header::AUTHORIZATION;
use ordain_api::frame::MESSAGE_BYTES_MAX;
use ordain_api::{Problem, routes};
use tokio_tungstenite::WebSocketStream;
use tokio_tungstenite::tungstenite::client::IntoClientRequest;
use tokio_tungstenite::tungstenite::protocol::WebSocketConfig;
use tokio_tungstenite::tungstenite::{Error as WsError, Message};

use super::state::{Shared, Work};
use crate::client::Shared as Server;
use crate::connect::{Wire, distrust};
use crate::error::Error;
use crate::retry;

/// Bytes asked from the socket at once.
const READ_BUFFER_BYTES: usize = 128 << 10;

type Socket = WebSocketStream<Wire>;

/// Moves bytes until the stream is closed and everything is answered.
pub(super) async fn run(server: Arc<Server>, shared: Arc<Shared>, first: Socket) {
    let shared = &Ended(shared).0;
    let mut socket = Some(first);
    loop {
        let connected = match socket.take() {
            Some(socket) => Ok(Some(socket)),
            None => reconnect(&server, shared).await,
        };
        let error = match connected {
            Ok(Some(socket)) => match talk(&server, shared, socket).await {
                Ok(()) => return,
                Err(error) => error,
            },
            Ok(None) => return,
            Err(error) => {
                shared.fail_all(&error);
                continue;
            }
        };
        shared.broke(&error);
    }
}

/// Whatever ends the task, its runtime going away among it, leaves nobody waiting.
struct Ended(Arc<Shared>);

impl Drop for Ended {
    fn drop(&mut self) {
        self.0.room.close();
        self.0.fail_all(&Error::Closed);
    }
}

/// A new connection, once somebody needs it; none if nobody will.
async fn reconnect(server: &Server, shared: &Shared) -> Result<Option<Socket>, Error> {
    while shared.in_flight() == 0 {
        // Asks and takes nothing: what is put meanwhile is written once there is a connection.
        if shared.is_over() {
            return Ok(None);
        }
        shared.bell.notified().await;
    }
    tokio::time::sleep(retry::backoff(0)).await;
    server.retrying(|| connect(server)).await.map(Some)
}

/// One attempt to connect.
pub(super) async fn connect(server: &Server) -> Result<Socket, Error> {
    match tokio::time::timeout(server.timeout, upgrade(server)).await {
        Ok(result) => result,
        Err(_) => Err(server.timed_out()),
    }
}

async fn upgrade(server: &Server) -> Result<Socket, Error> {
    let url = &server.base.text;
    let refused = |reason: String| Error::Connect {
        url: url.clone(),
        reason,
    };
    let wire = server.connector.connect(&server.base.as_uri()?).await;
    let wire = wire.map_err(|error| match distrust(&error) {
        Some(reason) => Error::Certificate {
            url: url.clone(),
            reason,
        },
        None => refused(error.to_string()),
    })?;
    // http becomes ws, https wss.
    let address = format!("ws{}{}", &url["http".len()..], routes::STREAM);
    let request = address.into_client_request();
    let mut request = request.map_err(|error| server.protocol(error.to_string()))?;
    if let Some(token) = &server.token {
        request.headers_mut().insert(AUTHORIZATION, token.clone());
    }
    let config = WebSocketConfig::default()
        .read_buffer_size(READ_BUFFER_BYTES)
        .max_message_size(Some(MESSAGE_BYTES_MAX))
        .max_frame_size(Some(MESSAGE_BYTES_MAX));
    match tokio_tungstenite::client_async_with_config(request, wire, Some(config)).await {
        Ok((socket, _)) => Ok(socket),
        Err(WsError::Http(response)) => {
            let body = response.body().as_deref().unwrap_or_default();
            Err(match serde_json::from_slice::<Problem>(body) {
                Ok(problem) => Error::answer(problem, None),
                Err(_) => server.undocumented(response.status()),
            })
        }
        Err(error) => Err(refused(error.to_string())),
    }
}

/// Writes and reads at once, so that neither waits for the other, until the stream ends or the
/// connection breaks.
async fn talk(server: &Server, shared: &Shared, socket: Socket) -> Result<(), Error> {
    let (mut output, mut input) = socket.split();
    let write = async {
        loop {
            match shared.take(Instant::now()) {
                Work::Write(messages) => {
                    for message in messages {
                        output.feed(Message::Binary(message.into())).await?;
                    }
                    output.flush().await?;
                }
                Work::Wait(None) => shared.bell.notified().await,
                Work::Wait(Some(due)) => {
                    let bell = shared.bell.notified();
                    let _ = tokio::time::timeout_at(due.into(), bell).await;
                }
                Work::End => {
                    output.close().await?;
                    return Ok(());
                }
            }
        }
    };
    let read = async {
        let mut waited = false;
        loop {
            let message = match tokio::time::timeout(server.timeout, input.next()).await {
                Ok(Some(Ok(message))) => message,
                Ok(Some(Err(error))) => return server.lost(error.to_string()),
                Ok(None) => return server.lost("the server closed the connection".to_owned()),
                // What was submitted just before has its own time still.
                Err(_) if waited && shared.in_flight() > 0 => return server.timed_out(),
                Err(_) => {
                    waited = shared.in_flight() > 0;
                    continue;
                }
            };
            waited = false;
            if let Some(error) = took(server, shared, message) {
                return error;
            }
        }
    };
    tokio::select! {
        ended = write => ended.map_err(|error: WsError| server.lost(error.to_string())),
        error = read => Err(error),
    }
}

/// Takes in one message; says why the connection cannot go on.
fn took(server: &Server, shared: &Shared, message: Message) -> Option<Error> {
    match message {
        Message::Binary(bytes) => {
            let taken = shared.answer(&bytes, Instant::now());
            taken.err().map(|strange| server.lost(strange.to_string()))
        }
        Message::Close(frame) => {
            let why = frame.map_or_else(String::new, |frame| format!(": {frame}"));
            Some(server.lost(format!("the server closed the connection{why}")))
        }
        // Pings are answered below us.
        _ => None,
    }
}
