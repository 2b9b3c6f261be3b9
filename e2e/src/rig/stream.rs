//! What a misbehaving upstream streams: events in chunks, written as they come.

use std::{
    io::{self, Write},
    sync::Arc,
    time::Duration,
};

use serde_json::json;

use super::{Act, Next};

/// The head of an event stream in chunks.
pub const HEAD: &str =
    "HTTP/1.1 200 OK\r\nContent-Type: text/event-stream\r\nTransfer-Encoding: chunked\r\n\r\n";

/// Writes [`HEAD`].
///
/// # Errors
/// Whatever the socket says.
pub fn begin(socket: &mut impl Write) -> io::Result<()> {
    socket.write_all(HEAD.as_bytes())
}

/// Writes one message as one event in one chunk.
///
/// # Errors
/// Whatever the socket says.
pub fn event(socket: &mut impl Write, message: &str) -> io::Result<()> {
    let data = format!("data: {message}\n\n");
    socket.write_all(format!("{:x}\r\n{data}\r\n", data.len()).as_bytes())
}

/// Writes the end of the stream.
///
/// # Errors
/// Whatever the socket says.
pub fn end(socket: &mut impl Write) -> io::Result<()> {
    socket.write_all(b"0\r\n\r\n")
}

/// A progress notification for the token of [`crate::mcp::Caller::followed`].
pub fn progress(step: u32) -> String {
    json!({ "jsonrpc": "2.0", "method": "notifications/progress",
        "params": { "progressToken": FOLLOWED, "progress": step } })
    .to_string()
}

/// The progress token of a call that is followed.
pub const FOLLOWED: u32 = 1;

/// Reports progress every 100 ms for longer than anyone waits, and never answers.
pub fn endless() -> Act {
    Arc::new(|_, _, socket| {
        begin(socket)?;
        for step in 0..600 {
            event(socket, &progress(step))?;
            std::thread::sleep(Duration::from_millis(100));
        }
        Ok(Next::Close)
    })
}
