//! The WebSocket: the handshake, the task that serves one socket, the queue of what it is to be sent,
//! and the line it runs on.

pub mod connection;
pub mod line;
pub mod queue;
pub mod upgrade;
pub mod watch;
