//! The floor: a server that does nothing but move frames. One thread; it takes what has arrived, finds each frame's
//! target, and writes a socket's frames with one call when it has gone through all of it. Nothing is checked, stored
//! or understood.
#![forbid(unsafe_code)]
#![allow(clippy::print_stdout, reason = "it says where it listens")]

use anyhow::{Context, Result};
use bench::frame;
use bench::net::{Handler, Net};
use memchr::memmem;
use std::collections::HashMap;
use std::time::Duration;

#[derive(Default)]
struct Relay {
    sockets: HashMap<Vec<u8>, usize>,
    users: HashMap<usize, Vec<u8>>,
}

impl Handler for Relay {
    fn asked(&mut self, net: &mut Net, socket: usize, request: &[u8]) -> Result<()> {
        let user = between(request, b"userId=", b' ').context("the address names no user")?.to_vec();
        self.sockets.insert(user.clone(), socket);
        self.users.insert(socket, user);
        // The load generator always sends the key of RFC 6455 section 1.3; this is the answer given there.
        net.out(socket).extend_from_slice(
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n\
              Sec-WebSocket-Accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\n\r\n",
        );
        Ok(())
    }

    fn text(&mut self, net: &mut Net, socket: usize, text: &[u8], _: u64) -> Result<()> {
        let target = between(text, b"\"targetUserId\":\"", b'"').context("a frame names no target")?;
        if target == b"*" {
            for other in self.users.keys().filter(|other| **other != socket) {
                frame::write_server(net.out(*other), frame::TEXT, text);
            }
        } else if let Some(target) = self.sockets.get(target) {
            frame::write_server(net.out(*target), frame::TEXT, text);
        }
        Ok(())
    }

    fn closed(&mut self, _: &mut Net, socket: usize, _: &str) -> Result<()> {
        if let Some(user) = self.users.remove(&socket)
            && self.sockets.get(&user) == Some(&socket)
        {
            self.sockets.remove(&user);
        }
        Ok(())
    }
}

fn between<'a>(text: &'a [u8], key: &[u8], end: u8) -> Option<&'a [u8]> {
    let rest = &text[memmem::find(text, key)? + key.len()..];
    Some(&rest[..memchr::memchr(end, rest)?])
}

fn main() -> Result<()> {
    let mut net = Net::new()?;
    println!("listening on http://{}", net.listen()?);
    let mut relay = Relay::default();
    loop {
        net.turn(Duration::from_secs(60), &mut relay)?;
    }
}
