//! The WebSocket: the handshake, the task that serves one socket, the queue of what it is to be sent,
//! and the wire they travel on.

pub mod backlog;
pub mod connection;
pub mod entrance;
pub mod frame;
pub mod line;
pub mod queue;
pub mod upgrade;
pub mod watch;
pub mod wire;
