//! The first inputs of the targets without a socket: real ones, and some known to be nasty.

use ordain_api::Problem;
use ordain_api::batch::CallLine;
use ordain_api::error::Code;
use ordain_api::frame::{self, CallFrame};
use ordain_types::{Batch, Command, Granule, Seq};

use super::{Seed, log_of, rows, seed, state};
use crate::targets::log_segment::{ACKED, HEADED, LAST_UNSEALED, SEALED, SETTLED, TWO};
use crate::targets::store_files::{CHANGED, CUT, REPLACED, template};
use crate::{seal, targets::config::SECRET};

pub fn all(batches: &[Batch]) -> Vec<Seed> {
    let mut seeds = Vec::new();
    log_segment(batches, &mut seeds);
    records(batches, &mut seeds);
    stored(&mut seeds);
    texts(&mut seeds);
    lines_and_frames(&mut seeds);
    settings(&mut seeds);
    seeds
}

fn trimmed(bytes: &[u8]) -> &[u8] {
    let end = bytes
        .iter()
        .rposition(|byte| *byte != 0)
        .map_or(0, |at| at + 1);
    &bytes[..end]
}

fn log_segment(batches: &[Batch], seeds: &mut Vec<Seed>) {
    let disk = log_of(batches, 8192);
    let whole = disk.contents("0000000001.segment").expect("a segment");
    let last = batches.last().expect("a batch").first_seq.0 as u8;
    let body = trimmed(&whole[4096..]);
    let mut put = |name: &str, mode: u8, acked: u8, body: &[u8]| {
        seeds.push(seed("log_segment", name, &[&[mode, acked], body]));
    };
    put("raw", ACKED | SETTLED, last, &whole);
    put("raw-header", 0, 0, &whole[..512]);
    put("sealed", HEADED | SEALED, last, body);
    put("settled", HEADED | SEALED | ACKED | SETTLED, last, body);
    put("unsettled", HEADED | SEALED | ACKED, last, body);
    put("ahead", HEADED | SEALED | ACKED, last + 1, body);
    put("torn", HEADED | LAST_UNSEALED, 0, &body[..body.len() - 40]);
    put(
        "torn-acked",
        HEADED | LAST_UNSEALED | ACKED,
        last,
        &body[..body.len() - 40],
    );
    put("empty", HEADED, 0, b"");
    put("foreign", 0, 0, b"#!/bin/sh\n");
    put("base-zero", 0, 0, &seal::segment(1, 0, b""));
    put("base-last", 0, 0, &seal::segment(1, u64::MAX, b""));
    put("other-ordinal", 0, 0, &seal::segment(2, 1, b""));
    let half = 4096;
    let mut two = body.to_vec();
    two.resize(half, 0);
    two.extend_from_slice(&whole[4096..4096 + half]);
    put("two", HEADED | SEALED | TWO, 0, trimmed(&two));
    let mut long = body.to_vec();
    long[4..8].copy_from_slice(&u32::MAX.to_le_bytes());
    put("length-of-four-gigabytes", HEADED | SEALED, 0, &long);
    let mut late = body.to_vec();
    late[8..16].copy_from_slice(&(u64::MAX - 1).to_le_bytes());
    put("last-seq-there-is", HEADED | SEALED, 0, &late);
}

fn records(batches: &[Batch], seeds: &mut Vec<Seed>) {
    for (batch, at) in batches.iter().zip(0..) {
        let bytes = batch.encode();
        seeds.push(seed("records", format!("batch-{at}"), &[&[0], &bytes]));
        for follows in 0..4 {
            let name = format!("batch-{at}-{follows}");
            let count = batch.commands.len() as u8;
            seeds.push(seed("replay", name, &[&[count, follows], &bytes]));
        }
        for (command, n) in batch.commands.iter().zip(0..) {
            let mut bytes = vec![1];
            Command::encode_into(command, &mut bytes);
            seeds.push(seed("records", format!("command-{at}-{n}"), &[&bytes]));
        }
    }
    let huge = [0xff, 0xff, 0xff, 0xff, 0x0f];
    seeds.push(seed("records", "many-digests", &[&[0, 1, 1], &huge]));
    seeds.push(seed("records", "many-commands", &[&[0, 1, 1, 0], &huge]));
    seeds.push(seed("records", "many-outcomes", &[&[4, 1], &huge]));
    let last = [0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0x01];
    let two = [&[0][..], &last, &[1, 0, 2, 4, 1, 1, 4, 1, 1]].concat();
    seeds.push(seed("records", "past-the-last-seq", &[&two]));
    let back = Batch {
        timestamp: ordain_types::Timestamp(1),
        ..batches[3].clone()
    };
    seeds.push(seed("replay", "time-goes-back", &[&[1, 0], &back.encode()]));
}

fn stored(seeds: &mut Vec<Seed>) {
    for ((key, value), at) in state().iter().zip(0..) {
        seeds.push(seed("granule", format!("{at}"), &[key]));
        seeds.push(seed("rows", format!("{at}"), &[&rows([(key, value)])]));
        let kind = match Granule::from_bytes(key).as_bytes()[0] {
            6 => 3,
            2 => 2,
            _ => continue,
        };
        seeds.push(seed("records", format!("row-{at}"), &[&[kind], value]));
    }
    seeds.push(seed("rows", "all", &[&rows(state())]));
    seeds.push(seed("rows", "none", &[]));
    for (name, bytes) in [
        ("table-alone", &b"\x01"[..]),
        ("no-key", b"\x01ledger\0\0"),
        ("no-end", b"\x01ledger\0a"),
        ("capital", b"\x01Ledger\0a\0"),
        ("short-send", b"\x03\0\0\0"),
        ("ends", b"\xff\xff\xff"),
        ("unknown", b"\x09x"),
    ] {
        seeds.push(seed("granule", name, &[bytes]));
    }
    let entries: Vec<(&[u8], &[u8])> = state().iter().map(|(k, v)| (&k[..], &v[..])).collect();
    let all = rows(state());
    seeds.push(seed(
        "snapshot",
        "file",
        &[&[0], &seal::snapshot(9, &entries, 4)],
    ));
    seeds.push(seed(
        "snapshot",
        "file-empty",
        &[&[0], &seal::snapshot(0, &[], 4)],
    ));
    seeds.push(seed("snapshot", "entries", &[&[1], &all]));
    seeds.push(seed("snapshot", "entries-in-one-block", &[&[255], &all]));
    let twice = [
        &rows(state().iter().take(1))[..],
        &rows(state().iter().take(1)),
    ]
    .concat();
    seeds.push(seed("snapshot", "a-key-twice", &[&[1], &twice]));
    seeds.push(seed("snapshot", "no-key", &[&[1], &[0, 1, 0, b'v']]));
    for ((path, bytes), at) in template().files().zip(0..) {
        let name = path.display().to_string().replace('/', "-");
        let start = &bytes[..bytes.len().min(1024)];
        seeds.push(seed(
            "store_files",
            format!("{name}-same"),
            &[&[at, CHANGED]],
        ));
        seeds.push(seed(
            "store_files",
            format!("{name}-cut"),
            &[&[at, CUT, 20, 0]],
        ));
        seeds.push(seed(
            "store_files",
            format!("{name}-start"),
            &[&[at, REPLACED], start],
        ));
        let changes = [1, 0, 1, 9, 0, 128, 30, 0, 3];
        seeds.push(seed(
            "store_files",
            format!("{name}-changed"),
            &[&[at, CHANGED], &changes],
        ));
    }
}

fn texts(seeds: &mut Vec<Seed>) {
    let mut put = |target, all: &[&str]| {
        for (text, at) in all.iter().zip(0..) {
            seeds.push(seed(target, format!("{at}"), &[text.as_bytes()]));
        }
    };
    put(
        "path",
        &[
            "/v1/call/account/alice/deposit",
            "/v1/query/account/a%2Fb%25/balance",
            "/v1/send/account/%C3%BC/deposit",
            "/v1/call/account/%2E%2E/deposit",
            "/v1/call/account/../deposit",
            "/v1/call/account/%00/deposit",
            "/v1/call/account/%FF/deposit",
            "/v1/call/account/a//deposit",
            "/v1/entities/account/a%20b",
            "/v1/invocations/12.0",
            "/v1/invocations/012.0",
        ],
    );
    put(
        "names",
        &[
            "account/alice",
            "account",
            "12.3",
            "12.03",
            "a\u{85}b",
            "ü/\u{202e}",
            "a\nb",
            "_a",
            "%2F",
        ],
    );
    let long = "k".repeat(513);
    put("names", &[]);
    let json = [
        "\x01{\"amount\":5,\"note\":\"x\"}",
        "\x01{\"amount\":5,\"amount\":6}",
        "\x01{\"amount\":-9223372036854775808,\"note\":null}",
        "\x01[5]",
        "\x02{\"to\":\"b\",\"amount\":1,\"delay_ms\":4294967295}",
        "\x03{\"large\":18446744073709551615,\"ratio\":1e40,\"initial\":\"\\ud83d\\ude00\",\"shape\":{\"Circle\":-0.0},\"tags\":{\"\":[]},\"pair\":[1,\"\"]}",
        "\x03{\"large\":1,\"ratio\":0.1,\"initial\":\"a\",\"shape\":{\"Path\":{\"parts\":[\"Point\",{\"Box\":[1,-1]}]}},\"tags\":{},\"pair\":[1,\"\"]}",
        "\0{\"total\":1,\"large\":2,\"ratio\":3.4e38,\"last\":null,\"initial\":\"x\",\"shape\":\"Point\",\"tags\":{\"a\":[null,true]},\"pair\":[0,\"\"]}",
        "\0{\"total\":1,\"large\":2,\"ratio\":1e39,\"last\":null,\"initial\":\"\\u0000\",\"shape\":{\"Circle\":1e-400},\"tags\":{},\"pair\":[0,\"\"]}",
    ];
    put("values", &json);
    let documents = [
        "\0[[[[[[[[{\"a\":[]}]]]]]]]]",
        "\0{\"a\":\"[[[[\\\"[[[\",\"b\":[{}]}",
        "\0{\"a\":[[[]]],\"a\":1}",
        "\x02{\"id\":\"6.0\",\"status\":\"pending\",\"entity\":\"ledger\",\"key\":\"b\",\"method\":\"add\",\"due_ms\":1}",
        "\x04{\"status\":\"starting\",\"progress\":{\"at\":1,\"first\":1,\"last\":3}}",
        "\x04{\"status\":\"ready\"}",
        "\x05{\"entities\":[]}",
        "\x06{\"id\":\"6.0\"}",
        "\x07acount",
    ];
    put("json", &documents);
    let modules = [
        r#"{"main":"bank.ts","files":{"bank.ts":"import { a } from \"./lib/money\";\n","lib/money.ts":"export const a = 1;"}}"#,
        r#"{"files":{"b":"é\u0000\ud83d\ude00","a":""},"main":"a"}"#,
        r#"{"main":"a","files":{"a":"","\u0061":""}}"#,
        r#"{"main":"../a","files":{"../a":""}}"#,
        r#"{"main":"a","files":{"b":""}}"#,
        r#"{"main":"a","files":{"a":[[]]},"x":1}"#,
    ];
    put("module_files", &modules);
    let problem = Problem::overloaded(2_000).to_json();
    seeds.push(seed("json", "problem", &[&[1], &problem]));
    let problem = Problem::new(Code::BadKey, "the key is empty").to_json();
    seeds.push(seed("json", "problem-bad-key", &[&[1], &problem]));
    seeds.push(seed("names", "long", &[long.as_bytes()]));
    let deep = "[".repeat(200);
    seeds.push(seed("json", "deep", &[&[0], deep.as_bytes()]));
}

const CALLS: &[&str] = &[
    r#"{"id":7,"op":"call","entity":"account","key":"alice","method":"deposit","args":{"amount":5}}"#,
    r#"{"id":{"a":[1]},"op":"query","entity":"account","key":"a/b","method":"balance","min_seq":3}"#,
    r#"{"op":"send","entity":"account","key":"\u00fc","method":"deposit","args":{"amount":5},"delay_ms":10,"idempotency_key":"k-1"}"#,
    r#"{"id":null,"entity":"account","key":"a","method":"deposit","args":null}"#,
    r#"{"id":1,"entity":"account","key":"a","method":"deposit","argz":{}}"#,
    r#"{"id":"\n","entity":"","key":"","method":"","args":[]}"#,
];

fn lines_and_frames(seeds: &mut Vec<Seed>) {
    let mut frames = Vec::new();
    for (line, at) in CALLS.iter().zip(0..) {
        seeds.push(seed("call_lines", format!("{at}"), &[line.as_bytes()]));
        if let Ok(line) = CallLine::parse(line.as_bytes()) {
            let mut frame = Vec::new();
            let id = [0, 127, 128, u64::MAX][at % 4];
            CallFrame {
                id,
                call: line.call,
            }
            .write(&mut frame);
            seeds.push(seed("call_frames", format!("{at}"), &[&frame]));
            frames.extend_from_slice(&frame);
        }
    }
    seeds.push(seed(
        "call_lines",
        "several",
        &[CALLS.join("\n").as_bytes()],
    ));
    seeds.push(seed("call_frames", "several", &[&frames]));
    seeds.push(seed(
        "call_frames",
        "long",
        &[&[0xff, 0xff, 0xff, 0xff, 0x0f, 0]],
    ));
    seeds.push(seed(
        "call_frames",
        "longer-than-needed",
        &[&[0x85, 0, 0, 1, 1, b'a', 0]],
    ));
    let mut replies = Vec::new();
    frame::write_value(&mut replies, 7, Some(Seq(1234)), b"15");
    frame::write_value(&mut replies, u64::MAX, None, b"null");
    let problem = Problem::overloaded(10);
    frame::write_problem(&mut replies, 8, Some(Seq(1)), &problem);
    seeds.push(seed("reply_frames", "several", &[&replies]));
    let mut lines = b"{\"id\":7,\"seq\":1234,\"value\":15}\n{\"value\":null}\n".to_vec();
    ordain_api::batch::write_problem(&mut lines, Some("\"x\""), None, &problem);
    seeds.push(seed("reply_lines", "several", &[&lines]));
    seeds.push(seed(
        "reply_lines",
        "both",
        &[b"{\"value\":1,\"error\":{}}"],
    ));
}

fn settings(seeds: &mut Vec<Seed>) {
    let secret = format!("bearer_token = [\"{SECRET}\"]\n");
    for (name, text) in [
        (
            "all",
            "dir = \"data\"\nmemory_budget = \"1GiB\"\nport = 0\nnames = [\"a\", \"b\"]\nretention = \"7d\"\n\
             checkpoint_log = 4096\n\n[[token]]\nname = \"shop\"\nscopes = [\"call\", \"read\"]\n\
             sha256 = \"0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f0c4f\"\n",
        ),
        ("unknown", "prot = 4433\n"),
        ("wrong-type", "port = [[[[1]]]]\n"),
        ("not-toml", "port = = 1\n"),
        ("secret", &secret),
        ("pair", "tls_cert = \"a.pem\"\n"),
        ("names", "names = [\"a,b\", \"\", \" \"]\n"),
        (
            "token",
            "[[token]]\nname = \"\"\nscopes = []\nsha256 = \"zz\"\n",
        ),
        ("token-no-array", "token = 1\n"),
        ("time", "retention = 1979-05-27T07:32:00Z\n"),
        ("not-utf8", ""),
    ] {
        let text = if name == "not-utf8" {
            &b"dir = \"\xff\""[..]
        } else {
            text.as_bytes()
        };
        seeds.push(seed("config_file", name, &[text]));
    }
    for (name, text) in [
        ("size", "memory_budget\n64 MiB"),
        ("size-large", "memory_budget\n18446744073709551615TiB"),
        ("time", "retention\n500ms"),
        ("time-large", "retention\n18446744073709551615d"),
        ("port", "port\n65536"),
        ("port-plus", "port\n+1"),
        ("count", "retries\n+5"),
        ("address", "listen\n::1"),
        ("names", "names\na, b ,c"),
        ("word", "log_format\njson"),
        ("empty", "dir\n"),
    ] {
        seeds.push(seed("setting", name, &[text.as_bytes()]));
    }
}
