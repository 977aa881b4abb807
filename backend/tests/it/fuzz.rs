//! Bytes nobody thought of. The seed is fixed, so a failure is found again; `fuzz/` searches further.

use crate::support::{PATIENCE, Server};
use crate::support_raw::{Bystanders, Raw, frame};
use shared::code::Code;
use shared::frame::{ClientFrame, ServerFrame, decode_body};
use std::path::Path;
use tokio::io::{AsyncReadExt, AsyncWriteExt};

/// Numbers that look random: xorshift64* (Vigna, 2016).
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        self.0.wrapping_mul(0x2545_f491_4f6c_dd1d)
    }

    fn below(&mut self, bound: usize) -> usize {
        (self.next() % bound.max(1) as u64) as usize
    }

    fn bytes(&mut self, length: usize) -> Vec<u8> {
        (0..length).map(|_| self.next() as u8).collect()
    }

    /// A few changes of the kinds that break readers.
    fn mutate(&mut self, bytes: &mut Vec<u8>, other: &[u8]) {
        const PIECES: &[&[u8]] = &[
            b"\"",
            b"{",
            b"}",
            b"[",
            b"]",
            b",",
            b":",
            b"null",
            b"\\u0000",
            b"\\ud800",
            b"1e400",
            b"-1",
            b"\xc3",
            b"\xff",
            b"9007199254740993",
            b"\"type\":\"send\",",
            b"\"id\":7,",
            b"\xf0\x9f\x98\x80",
            b"\\",
            b" ",
            b"[[[[[[[[[[[[[[[[",
        ];
        for _ in 0..=self.below(4) {
            let at = self.below(bytes.len() + 1);
            match self.below(7) {
                0 if at < bytes.len() => bytes[at] ^= 1 << self.below(8),
                1 if at < bytes.len() => bytes[at] = self.next() as u8,
                2 => bytes.truncate(at),
                3 => {
                    let end = (at + self.below(16)).min(bytes.len());
                    bytes.drain(at..end);
                }
                4 => {
                    let piece = PIECES[self.below(PIECES.len())];
                    bytes.splice(at..at, piece.iter().copied());
                }
                5 => {
                    // The head of one and the tail of another.
                    bytes.truncate(at);
                    bytes.extend_from_slice(&other[self.below(other.len() + 1).min(other.len())..]);
                }
                _ => {
                    let end = (at + self.below(32)).min(bytes.len());
                    let again = bytes[at..end].to_vec();
                    bytes.splice(at..at, again);
                }
            }
        }
    }
}

/// Every frame and body the contract has an example of.
fn golden() -> Vec<Vec<u8>> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../shared/tests/golden");
    let mut files = Vec::new();
    for folder in std::fs::read_dir(folder).unwrap() {
        files.extend(std::fs::read_dir(folder.unwrap().path()).unwrap().map(|file| file.unwrap().path()));
    }
    // The system lists them in any order; the seed is worth something in one only.
    files.sort();
    files.into_iter().map(|file| std::fs::read(file).unwrap()).collect()
}

#[test]
fn no_text_makes_a_reader_panic_and_every_refusal_has_a_code() {
    let golden = golden();
    let mut random = Random(0x5eed);
    let (mut good, mut refused) = (0, 0);
    let mut seen = std::collections::HashSet::new();
    for round in 0..200_000 {
        let mut bytes = match round % 16 {
            0 => {
                let length = random.below(200);
                random.bytes(length)
            }
            _ => golden[random.below(golden.len())].clone(),
        };
        if round > golden.len() {
            let other = &golden[random.below(golden.len())];
            random.mutate(&mut bytes, other);
        }
        let text = String::from_utf8_lossy(&bytes);
        match ClientFrame::decode(&text) {
            Ok(_) => good += 1,
            Err(refusal) => {
                refused += 1;
                let code = refusal.code();
                assert!(Code::ALL.contains(&code), "round {round}: {text}");
                seen.insert(code);
                // What is answered is a frame itself.
                let answer = ServerFrame::from(refusal).encode();
                assert!(matches!(ServerFrame::decode(&answer), Ok(Some(_))), "round {round}: {answer}");
            }
        }
        // A client reads what a server sends with the same care.
        let _ = ServerFrame::decode(&text);
        if let Err(rejection) = decode_body::<shared::account::SignUp>(&text) {
            assert!(Code::ALL.contains(&rejection.code), "round {round}: {text}");
        }
        let _ = decode_body::<shared::account::SignIn>(&text);
    }
    // The control: changes that never hit anything would find nothing.
    assert!(good > 1_000 && refused > 100_000, "{good} good, {refused} refused");
    assert!([Code::BadJson, Code::BadField, Code::UnknownType].iter().all(|code| seen.contains(code)), "{seen:?}");
}

#[tokio::test]
async fn no_stream_of_bytes_harms_the_server_or_others() {
    let server = Server::start();
    let mut people = Vec::new();
    for number in 0..8 {
        people.push(server.sign_up(&format!("Person{number}")).await);
    }
    let mut others = Bystanders::of(&server).await;
    let golden = golden();
    let mut random = Random(0xf00d);
    // The first hundred are not measured: the allocator keeps some of what it once had.
    let (mut before, mut closed) = (0, 0);
    for round in 0..2_000 {
        let mut stream = Vec::new();
        for _ in 0..=random.below(6) {
            let payload = &golden[random.below(golden.len())];
            let first = [0x81, 0x81, 0x81, 0x01, 0x80, 0x00, 0x82, 0x88, 0x89, 0x8a][random.below(10)];
            stream.extend(frame(first, &payload[..payload.len().min(2_000)]));
        }
        let other = golden[random.below(golden.len())].clone();
        match round % 4 {
            0 => {}
            1 => stream = random.bytes(300),
            _ => random.mutate(&mut stream, &other),
        }
        let mut socket = Raw::socket(&server, &people[round % 8]).await;
        socket.try_send(&stream).await;
        socket.try_send(frame(0x88, "")).await;
        // Whatever it understood, it comes to an end when there is nothing more; half of the time we do not wait for it.
        if round % 2 == 0 {
            let mut rest = Vec::new();
            // It may have hung up already.
            let _ = socket.stream.shutdown().await;
            let end = tokio::time::timeout(PATIENCE, socket.stream.read_to_end(&mut rest)).await;
            // An end is an end, also if it is a hard one.
            let _ = end.expect("an end in time");
            closed += usize::from(!rest.is_empty());
        }
        drop(socket);
        if round == 100 {
            before = server.resident();
        }
        if round % 100 == 0 {
            others.are_served().await;
        }
    }
    others.are_served().await;
    let after = server.resident();
    assert!(after < before + (48 << 20), "{before} → {after}");
    assert!(closed > 500, "hardly any of {closed} was answered");
}
