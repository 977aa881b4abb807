//! People coming in: many sockets, each past its handshake and its `welcome`.

use crate::dialect::{Dialect, Incoming};
use crate::net::{Handler, Net};
use anyhow::{Result, bail};
use std::net::SocketAddr;
use std::time::Duration;

/// Handshakes under way at once; a server may allow one address no more than 64.
pub const AT_ONCE: usize = 32;
/// Nothing that works takes this long.
const PATIENCE: Duration = Duration::from_secs(60);

struct Arrivals {
    dialect: Dialect,
    is_in: Vec<bool>,
    count: usize,
}

impl Arrivals {
    fn note(&mut self, socket: usize) {
        if self.is_in.len() <= socket {
            self.is_in.resize(socket + 1, false);
        }
        if !std::mem::replace(&mut self.is_in[socket], true) {
            self.count += 1;
        }
    }
}

impl Handler for Arrivals {
    fn opened(&mut self, _: &mut Net, socket: usize) -> Result<()> {
        if !self.dialect.has_welcome() {
            self.note(socket);
        }
        Ok(())
    }

    fn text(&mut self, _: &mut Net, socket: usize, text: &[u8], _: u64) -> Result<()> {
        match self.dialect.read(text) {
            Incoming::Welcome => self.note(socket),
            Incoming::Refused => bail!("the server refused: {}", String::from_utf8_lossy(text)),
            _ => {}
        }
        Ok(())
    }
}

/// Opens a socket for each of these people, in order, and returns when all of them may talk.
///
/// # Errors
/// When somebody is not let in.
pub fn enter(net: &mut Net, dialect: Dialect, address: SocketAddr, people: impl Iterator<Item = usize>) -> Result<()> {
    let mut people = people.peekable();
    let mut arrivals = Arrivals { dialect, is_in: Vec::new(), count: 0 };
    let mut asked = 0;
    let mut last = net.now();
    loop {
        while asked - arrivals.count < AT_ONCE
            && let Some(person) = people.next()
        {
            net.connect(address, &dialect.handshake(address, person))?;
            asked += 1;
        }
        if asked == arrivals.count && people.peek().is_none() {
            return Ok(());
        }
        let before = arrivals.count;
        net.turn(Duration::from_millis(100), &mut arrivals)?;
        if arrivals.count > before {
            last = net.now();
        } else if net.now() - last > PATIENCE.as_nanos() as u64 {
            bail!("{} of {asked} sockets were let in, and then none for {PATIENCE:?}", arrivals.count);
        }
    }
}
