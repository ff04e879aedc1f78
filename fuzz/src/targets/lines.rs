//! Lines of calls and of replies, as `/v1/batch` and text messages hold them: what is read is written so
//! that it reads the same, on one line; what is refused says why and keeps the id it could read.

use ordain_api::batch::{CallLine, ID_BYTES_MAX, ReplyLine, lines, write_problem, write_value};
use ordain_types::limits::{ARGUMENT_BYTES_MAX, SEND_DELAY_MS_MAX};

use crate::refused;

/// The target for calls.
pub fn calls(data: &[u8]) {
    for line in lines(data) {
        assert!(!line.contains(&b'\n'));
        match CallLine::parse(line) {
            Ok(call) => call_reads_back(&call),
            Err(error) => {
                refused(&error.problem, "");
                assert!((400..500).contains(&error.problem.status));
                let mut reply = Vec::new();
                write_problem(&mut reply, error.id, None, &error.problem);
                let read = ReplyLine::parse(one_line(&reply)).expect("a reply");
                assert_eq!(read.id.map(spaced), error.id.map(spaced));
                assert_eq!(read.result.expect_err("a problem").code, error.problem.code);
            }
        }
    }
}

fn call_reads_back(line: &CallLine<'_>) {
    assert!(line.id.is_none_or(|id| id.len() <= ID_BYTES_MAX));
    let mut written = Vec::new();
    line.write(&mut written);
    let again = CallLine::parse(one_line(&written)).expect("what was written reads");
    assert_eq!(again.id.map(spaced), line.id.map(spaced));
    let text = |args: &[u8]| spaced(std::str::from_utf8(args).expect("JSON is UTF-8"));
    assert_eq!(text(again.call.args), text(line.call.args));
    let (mut again, args) = (again.call, line.call.args);
    again.args = args;
    assert_eq!(again, line.call);
    match line.call.check() {
        Err(problem) => refused(&problem, ""),
        Ok(request) => {
            assert!(request.args.len() <= ARGUMENT_BYTES_MAX);
            assert!(request.delay_ms <= SEND_DELAY_MS_MAX);
            assert_eq!(request.entity.key.as_str(), line.call.key);
            assert_eq!(request.method.as_str(), line.call.method);
        }
    }
}

/// The target for replies.
pub fn replies(data: &[u8]) {
    for line in lines(data) {
        let Ok(reply) = ReplyLine::parse(line) else {
            continue;
        };
        let mut written = Vec::new();
        match &reply.result {
            Ok(value) => write_value(&mut written, reply.id, reply.seq, value.as_bytes()),
            Err(problem) => write_problem(&mut written, reply.id, reply.seq, problem),
        }
        let again = ReplyLine::parse(one_line(&written)).expect("what was written reads");
        assert_eq!(again.id.map(spaced), reply.id.map(spaced));
        assert_eq!(again.seq, reply.seq);
        match (again.result, reply.result) {
            (Ok(again), Ok(value)) => assert_eq!(spaced(again), spaced(value)),
            (Err(again), Err(problem)) => assert_eq!(again.to_json(), problem.to_json()),
            _ => panic!("a value became a problem, or a problem a value"),
        }
    }
}

/// Line ends in JSON text are written as spaces.
fn spaced(json: &str) -> String {
    json.replace(['\r', '\n'], " ")
}

/// The line, which must be one.
fn one_line(written: &[u8]) -> &[u8] {
    let line = written.strip_suffix(b"\n").expect("a line has an end");
    assert!(
        !line.iter().any(|byte| matches!(byte, b'\n' | b'\r')),
        "two lines"
    );
    line
}
