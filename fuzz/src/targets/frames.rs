//! Frames of calls and of replies, as binary messages hold them: each thing has exactly one encoding, so
//! what is read is written to the same bytes.

use ordain_api::frame::{CallFrame, Frames, ReplyFrame};

use crate::refused;

/// The target for calls.
pub fn calls(data: &[u8]) {
    each(data, |body, out| match CallFrame::decode(body) {
        Ok(frame) => {
            frame.write(out);
            assert_eq!(CallFrame::readable_id(body), Some(frame.id));
            if let Err(problem) = frame.call.check() {
                refused(&problem, "");
            }
            true
        }
        Err(error) => {
            refused(&error, "");
            let _ = CallFrame::readable_id(body);
            false
        }
    });
}

/// The target for replies.
pub fn replies(data: &[u8]) {
    each(data, |body, out| match ReplyFrame::decode(body) {
        Ok(frame) => {
            frame.write(out);
            true
        }
        Err(error) => {
            refused(&error, "");
            false
        }
    });
}

/// Holds each frame against what `again` writes for its body; false: it is none.
pub fn each(message: &[u8], again: impl Fn(&[u8], &mut Vec<u8>) -> bool) {
    let mut frames = Frames::new(message);
    let mut before = message;
    while let Some(frame) = frames.next() {
        let Ok(body) = frame else {
            assert!(frames.next().is_none(), "after an error there is nothing");
            return;
        };
        let whole = &before[..before.len() - frames.rest().len()];
        assert!(whole.ends_with(body) && whole.len() > body.len());
        let mut written = Vec::new();
        if again(body, &mut written) {
            assert_eq!(written, whole, "a second encoding of one frame");
        }
        before = frames.rest();
    }
}
