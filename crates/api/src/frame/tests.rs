//! The frames' golden bytes, round trips, and what becomes of garbage.

use super::*;
use proptest::prelude::*;

fn call() -> CallFrame<'static> {
    CallFrame {
        id: 300,
        call: WireCall {
            op: Op::Send,
            entity: "account".into(),
            key: "al".into(),
            method: "deposit".into(),
            args: b"{\"amount\":5}",
            idempotency_key: Some("k1".into()),
            delay_ms: Some(1_000),
            min_seq: None,
        },
    }
}

fn only(message: &[u8]) -> &[u8] {
    let mut frames = Frames::new(message);
    let body = frames.next().unwrap().unwrap();
    assert!(frames.next().is_none());
    body
}

#[test]
fn golden_bytes_of_a_call() {
    let mut out = Vec::new();
    call().write(&mut out);
    let golden = b"\x27\x0e\xac\x02\x07account\x02al\x07deposit\x02k1\xe8\x07{\"amount\":5}";
    assert_eq!(out, golden);
    assert_eq!(CallFrame::decode(only(&out)), Ok(call()));
}

#[test]
fn golden_bytes_of_replies() {
    let mut out = Vec::new();
    write_value(&mut out, 7, Some(Seq(200)), b"15");
    write_value(&mut out, 8, None, b"");
    assert_eq!(out, b"\x06\x00\x07\xc8\x0115\x03\x00\x08\x00");
    let kinds = [
        Kind::Rejection,
        Kind::Fault,
        Kind::Refused,
        Kind::Unavailable,
    ];
    for (tag, kind) in (1u8..).zip(kinds) {
        let reply = ReplyFrame {
            id: 1,
            seq: None,
            status: ReplyStatus::Problem(kind),
            json: b"{}",
        };
        let mut out = Vec::new();
        reply.write(&mut out);
        assert_eq!(out, [5, tag, 1, 0, b'{', b'}']);
        assert_eq!(ReplyFrame::decode(only(&out)), Ok(reply));
    }
}

#[test]
fn a_bad_frame_spares_the_next_one() {
    let mut out = vec![3, 0xff, 9, 9];
    call().write(&mut out);
    let bodies: Vec<_> = Frames::new(&out).map(Result::unwrap).collect();
    assert_eq!(
        CallFrame::decode(bodies[0]),
        Err(FrameError::Unknown {
            part: "flags",
            byte: 0xff
        })
    );
    assert_eq!(CallFrame::readable_id(bodies[0]), Some(9));
    assert_eq!(CallFrame::decode(bodies[1]), Ok(call()));
}

#[test]
fn a_bad_length_ends_the_message() {
    for message in [&b"\x05abc"[..], b"\x80", b"\x80\x00abc", &[0xff; 12]] {
        let mut frames = Frames::new(message);
        assert!(frames.next().unwrap().is_err(), "{message:?}");
        assert!(frames.next().is_none());
    }
}

#[test]
fn every_cut_of_a_call_before_its_arguments_is_refused() {
    let mut out = Vec::new();
    call().write(&mut out);
    let body = only(&out);
    for length in 0..body.len() - call().call.args.len() {
        assert!(
            CallFrame::decode(&body[..length]).is_err(),
            "cut at {length}"
        );
    }
}

#[test]
fn varints_have_one_form() {
    for (bytes, number) in [
        (&b"\x00"[..], Some(0)),
        (b"\x7f", Some(127)),
        (b"\x80\x01", Some(128)),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01", Some(u64::MAX)),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x02", None),
        (b"\xff\xff\xff\xff\xff\xff\xff\xff\xff\x81\x00", None),
        (b"\x80\x00", None),
        (b"\xff\x80\x00", None),
        (b"\x80", None),
        (b"", None),
    ] {
        assert_eq!(
            Reader { rest: bytes }.varint("id").ok(),
            number,
            "{bytes:?}"
        );
    }
}

fn text() -> impl Strategy<Value = Cow<'static, str>> {
    "[a-zäß/ ]{0,200}".prop_map(Cow::Owned)
}

prop_compose! {
    fn any_call()(
        op in prop_oneof![Just(Op::Call), Just(Op::Query), Just(Op::Send)],
        (entity, key, method) in (text(), text(), text()),
        idempotency_key in prop::option::of(text()),
        delay_ms in prop::option::of(any::<u64>()),
        min_seq in prop::option::of(any::<u64>()),
        args in prop::collection::vec(any::<u8>(), 0..300),
    ) -> WireCall<'static> {
        WireCall { op, entity, key, method, idempotency_key, delay_ms, min_seq, args: args.leak() }
    }
}

proptest! {
    #[test]
    fn calls_round_trip(calls in prop::collection::vec((any::<u64>(), any_call()), 1..5)) {
        let frames: Vec<_> = calls.into_iter().map(|(id, call)| CallFrame { id, call }).collect();
        let mut out = Vec::new();
        for frame in &frames {
            frame.write(&mut out);
        }
        let read: Result<Vec<_>, _> =
            Frames::new(&out).map(|body| CallFrame::decode(body?)).collect();
        prop_assert_eq!(read, Ok(frames));
    }

    #[test]
    fn replies_round_trip(
        id in any::<u64>(),
        seq in prop::option::of((1..=u64::MAX).prop_map(Seq)),
        json in prop::collection::vec(any::<u8>(), 0..300),
    ) {
        let mut out = Vec::new();
        write_value(&mut out, id, seq, &json);
        let status = ReplyStatus::Value;
        let reply = ReplyFrame { id, seq, status, json: &json };
        prop_assert_eq!(ReplyFrame::decode(only(&out)), Ok(reply));
    }

    #[test]
    fn garbage_never_panics_and_what_is_read_is_written_the_same(
        bytes in prop::collection::vec(any::<u8>(), 0..100)
    ) {
        for body in Frames::new(&bytes).flatten() {
            let _ = CallFrame::readable_id(body);
            let _ = ReplyFrame::decode(body);
        }
        let mut out = Vec::new();
        if let Ok(frame) = CallFrame::decode(&bytes) {
            frame.write(&mut out);
            prop_assert_eq!(only(&out), &bytes[..]);
        }
        if let Ok(frame) = ReplyFrame::decode(&bytes) {
            out.clear();
            frame.write(&mut out);
            prop_assert_eq!(only(&out), &bytes[..]);
        }
    }

    #[test]
    fn nearly_right_bytes_never_panic(
        call in any_call(), at in any::<prop::sample::Index>(), byte in any::<u8>()
    ) {
        let mut out = Vec::new();
        CallFrame { id: 1, call }.write(&mut out);
        let at = at.index(out.len());
        out[at] = byte;
        for body in Frames::new(&out).flatten() {
            let _ = CallFrame::decode(body);
        }
    }
}
