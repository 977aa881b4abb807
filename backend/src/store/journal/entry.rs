//! What a record of the journal is made of.
//!
//! ```text
//! message  1 · conversation (i64) · position (i64) · seq · at · message count (u64 each)
//!          · sender · command · fingerprint (16 bytes each) · length of the kind (u32) · kind
//! progress 2 · conversation (i64) · user (16 bytes) · delivered · read · read count (u64 each)
//! ```
//! These forms are on people's disks: another one gets another first byte.

use crate::store::Error;
use shared::ids::{CommandId, Cursor, Seq, Timestamp, UserId};

/// One entry.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) enum Entry<'a> {
    /// A message; its sender has read up to it.
    Message(Message<'a>),
    /// A member's positions, as they are from now on.
    Progress(Progress),
}

/// A message of the log, and the command that asked for it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Message<'a> {
    pub(in crate::store) conversation: i64,
    pub(in crate::store) position: i64,
    pub(in crate::store) seq: Seq,
    pub(in crate::store) at: Timestamp,
    pub(in crate::store) message_count: u64,
    pub(in crate::store) sender: UserId,
    pub(in crate::store) command: CommandId,
    pub(in crate::store) fingerprint: [u8; 16],
    /// The contract's `kind` object, as JSON.
    pub(in crate::store) kind: &'a str,
}

/// How far a member has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(in crate::store) struct Progress {
    pub(in crate::store) conversation: i64,
    pub(in crate::store) user: UserId,
    pub(in crate::store) delivered: Cursor,
    pub(in crate::store) read: Cursor,
    pub(in crate::store) read_count: u64,
}

const MESSAGE: u8 = 1;
const PROGRESS: u8 = 2;

impl Entry<'_> {
    pub(in crate::store) fn write(&self, to: &mut Vec<u8>) {
        match self {
            Entry::Message(one) => {
                to.push(MESSAGE);
                to.extend_from_slice(&one.conversation.to_le_bytes());
                to.extend_from_slice(&one.position.to_le_bytes());
                to.extend_from_slice(&one.seq.get().to_le_bytes());
                to.extend_from_slice(&one.at.as_millis().to_le_bytes());
                to.extend_from_slice(&one.message_count.to_le_bytes());
                to.extend_from_slice(one.sender.as_bytes());
                to.extend_from_slice(one.command.as_bytes());
                to.extend_from_slice(&one.fingerprint);
                let length = u32::try_from(one.kind.len()).expect("a message is far below 4 GiB");
                to.extend_from_slice(&length.to_le_bytes());
                to.extend_from_slice(one.kind.as_bytes());
            }
            Entry::Progress(one) => {
                to.push(PROGRESS);
                to.extend_from_slice(&one.conversation.to_le_bytes());
                to.extend_from_slice(one.user.as_bytes());
                to.extend_from_slice(&one.delivered.get().to_le_bytes());
                to.extend_from_slice(&one.read.get().to_le_bytes());
                to.extend_from_slice(&one.read_count.to_le_bytes());
            }
        }
    }
}

/// The entries of a record, one after the other; ends with an error where it cannot be read.
pub(in crate::store) fn entries(bytes: &[u8]) -> impl Iterator<Item = Result<Entry<'_>, Error>> {
    let mut rest = bytes;
    std::iter::from_fn(move || {
        if rest.is_empty() {
            return None;
        }
        let entry = read(&mut rest);
        if entry.is_none() {
            rest = &[];
        }
        Some(entry.ok_or_else(|| Error::Corrupt("the journal holds an entry that this program does not know".into())))
    })
}

fn read<'a>(rest: &mut &'a [u8]) -> Option<Entry<'a>> {
    let [tag] = take(rest)?;
    Some(match tag {
        MESSAGE => Entry::Message(Message {
            conversation: i64::from_le_bytes(take(rest)?),
            position: i64::from_le_bytes(take(rest)?),
            seq: Seq::new(u64::from_le_bytes(take(rest)?))?,
            at: Timestamp::from_millis(u64::from_le_bytes(take(rest)?)),
            message_count: u64::from_le_bytes(take(rest)?),
            sender: UserId::from_bytes(take(rest)?)?,
            command: CommandId::from_bytes(take(rest)?)?,
            fingerprint: take(rest)?,
            kind: {
                let length = usize::try_from(u32::from_le_bytes(take(rest)?)).ok()?;
                let (kind, left) = rest.split_at_checked(length)?;
                *rest = left;
                std::str::from_utf8(kind).ok()?
            },
        }),
        PROGRESS => Entry::Progress(Progress {
            conversation: i64::from_le_bytes(take(rest)?),
            user: UserId::from_bytes(take(rest)?)?,
            delivered: Cursor::new(u64::from_le_bytes(take(rest)?))?,
            read: Cursor::new(u64::from_le_bytes(take(rest)?))?,
            read_count: u64::from_le_bytes(take(rest)?),
        }),
        _ => return None,
    })
}

fn take<const N: usize>(rest: &mut &[u8]) -> Option<[u8; N]> {
    let (taken, left) = rest.split_first_chunk()?;
    *rest = left;
    Some(*taken)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock;

    fn samples() -> Vec<Entry<'static>> {
        let message = Message {
            conversation: 7,
            position: 1_000_000_007,
            seq: Seq::new(3).expect("it is a number"),
            at: clock::now(),
            message_count: 2,
            sender: clock::id(UserId::v7),
            command: clock::id(CommandId::v7),
            fingerprint: clock::random(),
            kind: "{\"message\":{\"content\":\"\u{1f600}\"}}",
        };
        let progress = Progress {
            conversation: i64::MAX,
            user: clock::id(UserId::v7),
            delivered: Cursor::new(9).expect("it is a number"),
            read: Cursor::START,
            read_count: 0,
        };
        vec![Entry::Message(message), Entry::Progress(progress), Entry::Message(Message { kind: "", ..message })]
    }

    #[test]
    fn entries_are_read_as_they_were_written() {
        let (written, mut bytes) = (samples(), Vec::new());
        written.iter().for_each(|entry| entry.write(&mut bytes));
        let read: Vec<_> = entries(&bytes).map(|entry| entry.expect("it is whole")).collect();
        assert_eq!(read, written);
    }

    #[test]
    fn what_is_cut_or_unknown_is_an_error_and_the_end() {
        let mut bytes = Vec::new();
        samples()[0].write(&mut bytes);
        for cut in 1..bytes.len() {
            let read: Vec<_> = entries(&bytes[..cut]).collect();
            assert!(matches!(read[..], [Err(_)]), "cut at {cut}");
        }
        assert!(matches!(entries(&[9, 9]).collect::<Vec<_>>()[..], [Err(_)]));
    }
}
