//! `search`: among a million messages, by somebody who may read all of them; and for a name that is being typed, among ten
//! thousand people.

use super::{Figure, Round};
use crate::seed;
use crate::stats::Latencies;
use anyhow::{Context, Result, ensure};
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

/// Messages.
const MESSAGES: u64 = 1_000_000;
/// People.
const PEOPLE: usize = 10_000;
/// Different words, of which the first is said most: the nth a nth as often (Zipf).
const WORDS: u64 = 20_000;
/// Words of a message.
const LENGTH: u64 = 10;
/// How often each is asked.
const TIMES: usize = 15;
/// How long the index may take to be filled at first.
const FILLED: Duration = Duration::from_secs(180);

/// What is asked: a word everybody says, one hardly anybody says, the beginning of a hundred words, of nearly all words,
/// several words, words that stand together, a person's, and one among what is older.
const QUERIES: [(&str, &str); 8] = [
    ("common", "w00000"),
    ("rare", "w19999"),
    ("start", "w000"),
    ("short", "w0"),
    ("several", "w00001%20w00002%20w00500"),
    ("phrase", "%22w00000%20w00001%22"),
    ("person", "from:person%20w00003"),
    ("older", "w00000%20before:2020-01-01"),
];

/// Each query in turn, over one connection.
///
/// # Errors
/// When a search is not answered.
pub fn run(round: &Round<'_>) -> Result<Vec<Figure>> {
    if round.options.quick {
        round.say("a million messages of words take half a minute to make and to read; without --quick they are");
        return Ok(Vec::new());
    }
    let folder = round.folder("messages of words", |seed| {
        seed.people(PEOPLE)?;
        let mut groups = (0..10).map(|_| seed.group(0..10)).collect::<Result<Vec<_>>>()?;
        seed.messages_of(&mut groups, MESSAGES, text)
    })?;
    let server = round.start(folder.path())?;
    let started = Instant::now();
    while ask(server.address, &of_messages("w00000"))?.0 == 503 {
        ensure!(started.elapsed() < FILLED, "the index is not filled in good time");
        std::thread::sleep(Duration::from_millis(200));
    }
    let mut figures = Vec::new();
    let (_, list) = ask(server.address, "/api/conversations")?;
    let list: serde_json::Value = serde_json::from_str(&list)?;
    let everyone = list["conversations"].as_array().context("a list")?.iter().find(|one| one["kind"] == "everyone");
    let everyone = everyone.and_then(|one| one["id"].as_str()).context("there is a place for everyone")?;
    let member = format!("/api/conversations/{everyone}/members?search=97&limit=8");
    let asked = QUERIES.iter().map(|(name, query)| (*name, of_messages(query))).chain([("member", member)]);
    for (name, path) in asked {
        let mut sample = Latencies::default();
        for _ in 0..TIMES {
            let asked = Instant::now();
            let (status, _) = ask(server.address, &path)?;
            ensure!(status == 200, "{path} is answered with {status}");
            sample.add(asked.elapsed().as_nanos().try_into()?);
        }
        figures.push(Figure::new(format!("search.{name}.p50"), "ms", sample.percentile(0.5)));
        figures.push(Figure::new(format!("search.{name}.p99"), "ms", sample.percentile(0.99)));
    }
    Ok(figures)
}

/// The words of a message: the same in every run.
fn text(number: u64) -> String {
    let word = |place: u64| {
        // A number that looks like chance (SplitMix64), made to a share of all that is said.
        let mut mixed = (number * LENGTH + place + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15);
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        #[expect(clippy::cast_precision_loss, reason = "53 bits are as many as there are")]
        let share = ((mixed ^ (mixed >> 31)) >> 11) as f64 / (1_u64 << 53) as f64;
        // The sum of the first n of 1/n is about ln(n): so its inverse is a power.
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            clippy::cast_precision_loss,
            reason = "between 0 and the number of words"
        )]
        let rank = ((WORDS as f64).powf(share) - 1.0) as u64;
        format!("w{rank:05}")
    };
    (0..LENGTH).map(word).collect::<Vec<_>>().join(" ")
}

fn of_messages(query: &str) -> String {
    format!("/api/search?query={query}")
}

/// Asks as person 0; the status, and the answer.
fn ask(address: SocketAddr, path: &str) -> Result<(u16, String)> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(30)))?;
    let cookie = seed::cookie(0);
    write!(stream, "GET {path} HTTP/1.1\r\nHost: {address}\r\nCookie: {cookie}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    let status = answer.get(9..12).and_then(|code| code.parse().ok()).context("no answer")?;
    let (_, body) = answer.split_once("\r\n\r\n").context("no body")?;
    Ok((status, body.to_owned()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn some_words_are_said_often_and_all_are_words() {
        let said: Vec<_> =
            (0..2_000).flat_map(|number| text(number).split(' ').map(str::to_owned).collect::<Vec<_>>()).collect();
        assert!(said.iter().all(|word| word.len() == 6 && word.as_str() < "w20000"));
        let share = |word: &str| said.iter().filter(|said| *said == word).count() * 1_000 / said.len();
        assert!(share("w00000") > 40 && share("w00000") > 2 * share("w00003"), "{}", share("w00000"));
    }
}
