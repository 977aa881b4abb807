//! No text makes a reader panic; every refusal is a frame that can be read; what was read says the same again.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shared::account::{SignIn, SignUp};
use shared::frame::{ClientFrame, ServerFrame, decode_body};

fuzz_target!(|bytes: &[u8]| {
    let text = String::from_utf8_lossy(bytes);
    match ClientFrame::decode(&text) {
        Ok(frame) => {
            let encoded = frame.encode();
            let again = ClientFrame::decode(&encoded).expect("its own text");
            assert_eq!(again.encode(), encoded);
        }
        Err(refusal) => {
            let answer = ServerFrame::from(refusal).encode();
            assert!(matches!(ServerFrame::decode(&answer), Ok(Some(_))), "{answer}");
        }
    }
    shared::markdown::plain(&text);
    let _ = ServerFrame::decode(&text);
    let _ = decode_body::<SignUp>(&text);
    let _ = decode_body::<SignIn>(&text);
});
