//! Clients that are slow, half there or gone: heads that do not end, bodies that stop in the middle,
//! answers that nobody reads, streams that are torn off. The others are served meanwhile.

use std::io::{Read, Write};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

use rand::RngExt;

use super::Fault;
use crate::scene::Scene;

/// Connections that stay open and do nothing, or something very slowly.
const HELD: usize = 60;
/// Connections that are torn off.
const TORN: usize = 200;
/// Calls that others must have answered meanwhile.
const MEANWHILE: u64 = 1_000;
/// A body is said to be so long, and is not.
const BODY_BYTES: usize = 4_096;

/// The fault.
pub const CLIENTS: Fault = Fault {
    name: "clients",
    about: "slow clients, half-open connections, resets in bodies and streams",
    ci: 1,
    hand: 20,
    run,
};

fn run(scene: &mut Scene) -> anyhow::Result<()> {
    scene.begin()?;
    scene.wait_acknowledged(100)?;
    let before = scene.acknowledged();
    let mut held = Vec::new();
    for number in 0..HELD {
        held.push(hold(scene, number)?);
    }
    for number in 0..TORN {
        tear(scene, number)?;
        if number % 20 == 0 {
            for connection in &mut held {
                // One byte more: not idle, and never done. The server may have given it up.
                let _ = connection.write(b"x");
            }
        }
    }
    let served = scene.until(Duration::from_secs(40), |scene| {
        scene.acknowledged() >= before + MEANWHILE
    })?;
    scene.check(served, || "the others were not served meanwhile".into());
    let alive = scene.server()?.wait(Duration::ZERO)?.is_none();
    scene.check(alive, || "the server ended".into());
    if served {
        scene.bit(format!("{HELD} connections held, {TORN} torn off"));
    }
    drop(held);
    scene.healed();
    Ok(())
}

fn connect(scene: &Scene) -> anyhow::Result<TcpStream> {
    let connection = TcpStream::connect(("127.0.0.1", scene.setup.port))?;
    connection.set_write_timeout(Some(Duration::from_secs(2)))?;
    connection.set_read_timeout(Some(Duration::from_secs(2)))?;
    Ok(connection)
}

/// A connection that is kept, in one of the ways in which it is never done.
fn hold(scene: &Scene, number: usize) -> anyhow::Result<TcpStream> {
    let mut connection = connect(scene)?;
    match number % 5 {
        // Nothing at all.
        0 => {}
        // A head that does not end.
        1 => connection
            .write_all(b"POST /v1/call/probe_counter/held/add HTTP/1.1\r\nhost: localh")?,
        // A body that does not come.
        2 => connection.write_all(&call(BODY_BYTES, b"{"))?,
        // Half closed: it will never say more, and waits.
        3 => {
            connection.write_all(&call(BODY_BYTES, b"{"))?;
            connection.shutdown(Shutdown::Write)?;
        }
        // Many requests, and no answer is read. What does not fit any more is not asked.
        _ => {
            let request = b"GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n";
            let _ = connection.write_all(&request.repeat(200));
        }
    }
    Ok(connection)
}

/// A connection that is torn off: with something unread, so that the other side gets a reset.
fn tear(scene: &mut Scene, number: usize) -> anyhow::Result<()> {
    let mut connection = connect(scene)?;
    let part = scene.chance.random_range(1..BODY_BYTES);
    match number % 4 {
        // In the middle of a body.
        0 => connection.write_all(&call(BODY_BYTES, &vec![b' '; part]))?,
        // After a whole request, before its answer.
        1 => connection.write_all(&call(2, b"{}"))?,
        // In the middle of an answer.
        2 => {
            connection.write_all(b"GET /v1/openapi.json HTTP/1.1\r\nhost: localhost\r\n\r\n")?;
            connection.read_exact(&mut [0; 8])?;
        }
        // In the middle of a stream's frame.
        _ => {
            connection.write_all(
                b"GET /v1/stream HTTP/1.1\r\nhost: localhost\r\nconnection: upgrade\r\n\
                  upgrade: websocket\r\nsec-websocket-version: 13\r\n\
                  sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
            )?;
            connection.read_exact(&mut [0; 8])?;
            connection.write_all(&[0x81, 0xfe, 0x10])?;
        }
    }
    Ok(())
}

/// The head of a call with a body of so many bytes, and the beginning of that.
fn call(bytes: usize, body: &[u8]) -> Vec<u8> {
    let head = format!(
        "POST /v1/call/probe_counter/torn/add HTTP/1.1\r\nhost: localhost\r\n\
         content-type: application/json\r\ncontent-length: {bytes}\r\n\r\n"
    );
    [head.as_bytes(), body].concat()
}
