use super::*;

/// A frame of a client.
fn masked(first: u8, payload: &[u8]) -> Vec<u8> {
    let mask = [0x12, 0xf4, 0x00, 0x9b];
    let mut bytes = Vec::new();
    write(&mut bytes, 0, payload);
    let head = bytes.len() - payload.len();
    bytes[0] = first;
    bytes[1] |= MASKED;
    bytes.splice(head..head, mask);
    unmask(&mut bytes[head + 4..], mask);
    bytes
}

#[derive(Debug, PartialEq, Eq)]
enum Told {
    Text(String),
    Ping(Vec<u8>),
    Other,
    Close(Option<u16>),
    Wrong(Wrong),
}

impl From<Wrong> for Told {
    fn from(wrong: Wrong) -> Self {
        Told::Wrong(wrong)
    }
}

/// What a reader says of bytes that come in these pieces, up to the first end.
fn told<'a>(pieces: impl IntoIterator<Item = &'a [u8]>, bytes_max: usize) -> (Vec<Told>, bool) {
    let (mut reader, mut told) = (Reader::default(), Vec::new());
    for piece in pieces {
        let read = reader.read(&mut piece.to_vec(), bytes_max, |heard| {
            let is_end = matches!(heard, Heard::Close(_));
            told.push(match heard {
                Heard::Text(text) => Told::Text(text.to_owned()),
                Heard::Ping(bytes) => Told::Ping(bytes.to_vec()),
                Heard::Other => Told::Other,
                Heard::Close(code) => Told::Close(code),
            });
            if is_end { Err(Told::Other) } else { Ok(()) }
        });
        match read {
            Ok(()) => {}
            Err(Told::Wrong(wrong)) => {
                told.push(Told::Wrong(wrong));
                return (told, false);
            }
            Err(_) => return (told, false),
        }
    }
    (told, reader.is_between())
}

#[test]
fn frames_mean_the_same_however_they_are_cut() {
    let long = "ä".repeat(40_000);
    let frames = [
        masked(0x81, b"hello"),
        masked(0x01, "eins, ".as_bytes()),
        masked(0x89, b"in between"),
        masked(0x00, b""),
        masked(0x80, "zwei".as_bytes()),
        masked(0x8a, b""),
        masked(0x81, &long.as_bytes()[..200]),
        masked(0x81, long.as_bytes()),
        masked(0x88, &[0x03, 0xe8]),
    ];
    let expected = [
        Told::Text("hello".into()),
        Told::Other,
        Told::Ping(b"in between".into()),
        Told::Other,
        Told::Text("eins, zwei".into()),
        Told::Other,
        Told::Text(long[..200].into()),
        Told::Text(long),
        Told::Close(Some(1000)),
    ];
    let bytes = frames.concat();
    for size in [1, 2, 3, 5, 7, 13, 1_000, 65_536, bytes.len()] {
        assert_eq!(told(bytes.chunks(size), 100_000).0, expected, "cut by {size}");
    }
}

#[test]
fn a_message_is_under_way_from_its_first_byte_to_its_last() {
    let whole = masked(0x81, b"abc");
    for count in 1..whole.len() {
        assert!(!told([&whole[..count]], 99).1, "{count}");
    }
    assert!(told([&*whole], 99).1);
    let (begin, ping, end) = (masked(0x01, b"abc"), masked(0x89, b""), masked(0x80, b""));
    assert!(!told([&*begin], 99).1);
    assert!(!told([&*begin, &*ping], 99).1, "a ping in between finishes nothing");
    assert!(told([&*begin, &*ping, &*end], 99).1);
}

#[test]
fn what_is_too_long_is_refused_when_it_is_announced() {
    let announced = |length: u64| [vec![0x81, 0xff], length.to_be_bytes().to_vec(), vec![0; 4]].concat();
    for length in [100, 1 << 40, u64::MAX] {
        assert_eq!(told([&*announced(length)], 99).0, [Told::Wrong(Wrong::TooBig)], "{length}");
    }
    assert_eq!(told([&*announced(99)], 99), (vec![], false), "the control: it may still come");
    let fragments = [masked(0x01, &[b'x'; 60]), masked(0x80, &[b'x'; 40])];
    assert_eq!(told([&*fragments.concat()], 99).0, [Told::Other, Told::Wrong(Wrong::TooBig)]);
}

#[test]
fn a_mask_is_taken_off_wherever_words_end() {
    let mask = [1, 2, 3, 4];
    for length in 0..40 {
        let mut bytes: Vec<u8> = (0..length).collect();
        unmask(&mut bytes, mask);
        let expected: Vec<u8> = (0..length).map(|place| place ^ mask[usize::from(place) % 4]).collect();
        assert_eq!(bytes, expected, "{length}");
    }
}

/// Numbers that look random: xorshift64* (Vigna, 2016).
struct Random(u64);

impl Random {
    fn below(&mut self, bound: usize) -> usize {
        self.0 ^= self.0 >> 12;
        self.0 ^= self.0 << 25;
        self.0 ^= self.0 >> 27;
        (self.0.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33) as usize % bound
    }
}

/// What tungstenite says of the same bytes, come at once and followed by the end.
fn tungstenites(bytes: &[u8], bytes_max: usize) -> Vec<Told> {
    use tokio_tungstenite::tungstenite::error::{Error, ProtocolError};
    use tokio_tungstenite::tungstenite::protocol::{Role, WebSocketConfig};
    use tokio_tungstenite::tungstenite::{Message, WebSocket};
    /// Gives the bytes and then nothing; swallows what is written.
    struct Ends<'a>(&'a [u8]);
    impl std::io::Read for Ends<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
            std::io::Read::read(&mut self.0, buffer)
        }
    }
    impl std::io::Write for Ends<'_> {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            Ok(bytes.len())
        }
        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let config = WebSocketConfig::default().max_frame_size(Some(bytes_max)).max_message_size(Some(bytes_max));
    let mut socket = WebSocket::from_raw_socket(Ends(bytes), Role::Server, Some(config));
    let mut told = Vec::new();
    loop {
        told.push(match socket.read() {
            Ok(Message::Text(text)) => Told::Text(text.as_str().to_owned()),
            Ok(Message::Ping(bytes)) => Told::Ping(bytes.to_vec()),
            Ok(Message::Pong(_) | Message::Frame(_)) => continue,
            Ok(Message::Binary(_)) => Told::Wrong(Wrong::Binary),
            Ok(Message::Close(frame)) => Told::Close(frame.map(|frame| frame.code.into())),
            Err(Error::Capacity(_)) => Told::Wrong(Wrong::TooBig),
            Err(Error::Utf8(_)) => Told::Wrong(Wrong::Utf8),
            Err(Error::Protocol(ProtocolError::ResetWithoutClosingHandshake)) => return told,
            Err(Error::Protocol(_)) => Told::Wrong(Wrong::Protocol),
            Err(_) => return told,
        });
        if matches!(told.last(), Some(Told::Wrong(_) | Told::Close(_))) {
            return told;
        }
    }
}

#[test]
fn it_says_the_same_as_tungstenite() {
    const BYTES_MAX: usize = 300;
    let mut random = Random(0x5eed);
    let (mut good, mut wrong) = (0, 0);
    let texts: &[&[u8]] =
        &[b"", b"{}", "äöü €𝄞".as_bytes(), &[b'x'; 125], &[b'y'; 126], &[b'z'; 280], b"\xc3", b"\xff"];
    for round in 0..20_000 {
        let mut bytes = Vec::new();
        for _ in 0..=random.below(5) {
            let first = match random.below(12) {
                0..=3 => 0x81,
                4 | 5 => 0x01,
                6 => 0x00,
                7 => 0x80,
                8 => 0x89,
                9 => 0x8a,
                10 => 0x88,
                _ => random.below(256) as u8,
            };
            let mut payload = texts[random.below(texts.len())].to_vec();
            if first == 0x88 {
                let code = [1000, 1001, 1004, 1005, 1006, 1011, 1014, 1015, 2000, 3000, 4999, 5000][random.below(12)];
                payload.truncate(100);
                payload.splice(0..0, u16::to_be_bytes(code));
                if random.below(4) == 0 {
                    payload.truncate(random.below(3));
                }
            }
            let mut frame = masked(first, &payload);
            match random.below(20) {
                0 => frame.truncate(random.below(frame.len())),
                1 => {
                    let at = random.below(frame.len());
                    frame[at] ^= 1 << random.below(8);
                }
                _ => {}
            }
            bytes.extend(frame);
        }
        let theirs = tungstenites(&bytes, BYTES_MAX);
        let size = 1 + random.below(bytes.len().max(1));
        let (mut ours, is_between) = told(bytes.chunks(size), BYTES_MAX);
        ours.retain(|one| *one != Told::Other);
        // It shows a binary message whole, answers a close it does not like as if it were one, looks at fragments
        // before their message is whole, and at most of a header when its frame is whole.
        let is_same = match (ours.last(), theirs.last()) {
            (last, Some(Told::Wrong(Wrong::Utf8))) => {
                let (is_over, before) = (matches!(last, Some(Told::Wrong(_))), theirs.len() - 1);
                ours.len() >= before
                    && ours[..before] == theirs[..before]
                    && !ours[before..].iter().any(|one| matches!(one, Told::Text(_)))
                    && (is_over || !is_between)
            }
            (Some(Told::Wrong(_)), None | Some(Told::Text(_) | Told::Ping(_))) => ours[..ours.len() - 1] == theirs,
            // Of two reasons either may be found first; which it is for each, the wire's own tests say.
            (Some(Told::Wrong(_)), Some(Told::Wrong(_))) => ours[..ours.len() - 1] == theirs[..theirs.len() - 1],
            (Some(Told::Wrong(Wrong::Binary)), _) => ours[..ours.len() - 1] == theirs[..ours.len() - 1],
            (Some(Told::Wrong(Wrong::Protocol)), Some(Told::Close(_))) => {
                ours[..ours.len() - 1] == theirs[..theirs.len() - 1]
            }
            _ => ours == theirs,
        };
        assert!(is_same, "round {round}: {ours:?}, and tungstenite {theirs:?}, of {bytes:02x?}");
        match ours.last() {
            Some(Told::Wrong(_)) => wrong += 1,
            _ => good += 1,
        }
    }
    assert!(good > 1_000 && wrong > 1_000, "{good} good, {wrong} wrong: both are meant to come");
}
