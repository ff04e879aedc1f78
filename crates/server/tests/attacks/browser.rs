//! Pages of other sites in a browser on the server's own machine, where nobody is asked for a token:
//! what a browser lets a page send, with the headers it cannot keep it from sending.

use crate::canary::Canary;
use crate::victim::{Setup, Victim};
use crate::wire::{Raw, get, request};

const DEPOSIT: &str = "/v1/call/account/robbed/deposit";

async fn status(victim: &Victim, text: String) -> (u16, String) {
    victim.raw().await.ask(text).await.expect("an answer")
}

/// Request headers that let a page of another site read an answer, in a head.
async fn allows_others(victim: &Victim, text: String) -> bool {
    let mut raw: Raw = victim.raw().await;
    raw.send(text.replacen("\r\n", "\r\nconnection: close\r\n", 1))
        .await;
    let told = String::from_utf8_lossy(&raw.rest().await).to_lowercase();
    told.contains("access-control-")
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_site_changes_anything() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let port = victim.addr.port();
    let json = "content-type: application/json\r\n";
    let own = format!("host: localhost:{port}\r\n");
    for (name, headers, expected) in [
        // A form, or a fetch without CORS: only these three types, and an origin.
        (
            "form",
            format!("{own}origin: http://evil.test\r\ncontent-type: text/plain\r\n"),
            403,
        ),
        (
            "form",
            format!("{own}origin: null\r\ncontent-type: application/x-www-form-urlencoded\r\n"),
            403,
        ),
        (
            "form",
            format!(
                "{own}origin: http://evil.test\r\ncontent-type: multipart/form-data; boundary=x\r\n"
            ),
            403,
        ),
        // From a page that is told to hide where it is: no origin, and yet no JSON.
        (
            "no origin",
            format!("{own}content-type: text/plain\r\n"),
            415,
        ),
        (
            "no origin",
            format!("{own}content-type: text/plain; application/json\r\n"),
            415,
        ),
        (
            "no origin",
            format!("{own}content-type: application/jsonp\r\n"),
            415,
        ),
        ("no type", own.clone(), 415),
        // A fetch whose preflight somebody answered.
        (
            "fetch",
            format!("{own}{json}origin: http://evil.test\r\n"),
            403,
        ),
        ("fetch", format!("{own}{json}origin: null\r\n"), 403),
        (
            "another port",
            format!("{own}{json}origin: http://localhost:1\r\n"),
            403,
        ),
        (
            "a longer port",
            format!("{own}{json}origin: http://localhost:{port}0\r\n"),
            403,
        ),
        (
            "another name for this",
            format!("{own}{json}origin: http://127.0.0.1:{port}\r\n"),
            403,
        ),
        (
            "a name that begins so",
            format!("{own}{json}origin: http://localhost:{port}.evil.test\r\n"),
            403,
        ),
        (
            "a user that is called so",
            format!("{own}{json}origin: http://localhost:{port}@evil.test\r\n"),
            403,
        ),
        ("a file", format!("{own}{json}origin: file://\r\n"), 403),
        ("nonsense", format!("{own}{json}origin: \r\n"), 403),
        (
            "nonsense",
            format!("{own}{json}origin: localhost:{port}\r\n"),
            403,
        ),
        (
            "two origins",
            format!("{own}{json}origin: http://localhost:{port}\r\norigin: http://evil.test\r\n"),
            400,
        ),
        // A name of the attacker's that leads here, and so an origin that is the host.
        (
            "rebinding",
            format!("host: evil.test:{port}\r\n{json}origin: http://evil.test:{port}\r\n"),
            403,
        ),
        ("rebinding", format!("host: evil.test\r\n{json}"), 403),
        (
            "rebinding",
            format!("host: localhost.evil.test:{port}\r\n{json}"),
            403,
        ),
        (
            "rebinding",
            format!("host: 127.0.0.1.evil.test\r\n{json}"),
            403,
        ),
        (
            "all addresses",
            format!("host: 0.0.0.0:{port}\r\n{json}origin: http://0.0.0.0:{port}\r\n"),
            403,
        ),
        ("a dot", format!("host: localhost.:{port}\r\n{json}"), 403),
        (
            "two hosts",
            format!("host: localhost\r\nhost: evil.test\r\n{json}"),
            400,
        ),
        ("no host", json.to_owned(), 400),
        (
            "forwarded",
            format!("host: evil.test\r\nx-forwarded-host: localhost\r\n{json}"),
            403,
        ),
        // What a browser says of where a request comes from, where it says nothing else.
        (
            "another site's",
            format!("{own}{json}sec-fetch-site: cross-site\r\n"),
            403,
        ),
        (
            "another port's",
            format!("{own}{json}sec-fetch-site: same-site\r\n"),
            403,
        ),
    ] {
        let (status, told) = status(
            &victim,
            request("POST", DEPOSIT, &headers, "{\"amount\":1}"),
        )
        .await;
        assert_eq!(status, expected, "{name}: {headers:?}: {told}");
    }
    let target = format!("http://evil.test{DEPOSIT}");
    let headers = format!("{own}{json}");
    let (refused, _) = status(
        &victim,
        request("POST", &target, &headers, "{\"amount\":1}"),
    )
    .await;
    assert_eq!(refused, 400, "a target of another site");
    let balance = status(&victim, get("/v1/query/account/robbed/balance")).await;
    assert_eq!(balance, (200, "0".into()));
    // The same without what is wrong with it takes.
    let taken = status(
        &victim,
        request("POST", DEPOSIT, &headers, "{\"amount\":1}"),
    )
    .await;
    assert_eq!(taken, (200, "1".into()));
    let own_page =
        format!("{headers}origin: http://localhost:{port}\r\nsec-fetch-site: same-origin\r\n");
    let taken = status(
        &victim,
        request("POST", DEPOSIT, &own_page, "{\"amount\":1}"),
    )
    .await;
    assert_eq!(taken, (200, "2".into()));
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_site_reads_or_burdens() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let own = "host: localhost\r\n";
    for path in [
        "/v1/query/account/al/balance",
        "/v1/admin/backup",
        "/v1/admin/state-hash",
        "/v1/admin/modules",
        "/v1/entities",
        "/metrics",
    ] {
        // An image, a script: a GET without an origin, of which a browser of today says whose it is.
        let embedded = format!(
            "{own}sec-fetch-site: cross-site\r\nsec-fetch-mode: no-cors\r\nsec-fetch-dest: image\r\n"
        );
        let (refused, told) = status(&victim, request("GET", path, &embedded, "")).await;
        assert_eq!(refused, 403, "{path}: {told}");
        let followed = format!(
            "{own}sec-fetch-site: cross-site\r\nsec-fetch-mode: navigate\r\nsec-fetch-dest: document\r\n"
        );
        // A page can go there by itself, and download the whole state.
        let expected = if path.starts_with("/v1/admin/") {
            403
        } else {
            200
        };
        let (taken, told) = status(&victim, request("GET", path, &followed, "")).await;
        assert_eq!(taken, expected, "{path} as the user follows a link: {told}");
        let typed = format!("{own}sec-fetch-site: none\r\nsec-fetch-mode: navigate\r\n");
        let (taken, told) = status(&victim, request("GET", path, &typed, "")).await;
        assert_eq!(taken, 200, "{path} as the user types it: {told}");
        let preflight = format!(
            "{own}origin: http://evil.test\r\naccess-control-request-method: POST\r\n\
             access-control-request-headers: content-type\r\naccess-control-request-private-network: true\r\n"
        );
        let preflight = request("OPTIONS", path, &preflight, "");
        assert_eq!(status(&victim, preflight.clone()).await.0, 403, "{path}");
        assert!(!allows_others(&victim, preflight).await, "{path}");
        assert!(!allows_others(&victim, get(path)).await, "{path}");
    }
    canary.lives().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn no_page_of_another_site_opens_a_stream() {
    let victim = Victim::start(Setup::Usual);
    let canary = Canary::start(victim.addr).await;
    let port = victim.addr.port();
    let upgrade = "connection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
                   sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    for (host, more, expected) in [
        ("localhost", "origin: http://evil.test\r\n".to_owned(), 403),
        ("localhost", "origin: null\r\n".to_owned(), 403),
        (
            "localhost",
            "origin: https://localhost:1\r\n".to_owned(),
            403,
        ),
        ("evil.test", "origin: http://evil.test\r\n".to_owned(), 403),
        (
            "localhost",
            "sec-fetch-site: cross-site\r\n".to_owned(),
            403,
        ),
        (
            "localhost",
            format!("origin: http://localhost:{port}\r\n"),
            101,
        ),
        ("localhost", String::new(), 101),
    ] {
        let headers = format!("host: {host}:{port}\r\n{upgrade}{more}");
        let (told, body) = status(&victim, request("GET", "/v1/stream", &headers, "")).await;
        assert_eq!(told, expected, "{host} {more:?}: {body}");
    }
    canary.lives().await;
}
