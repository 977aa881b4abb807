//! The WebSocket: the handshake, the task that serves one socket, and the queue of what it is to be
//! sent.

pub mod connection;
pub mod queue;
pub mod upgrade;
