//! A raw HTTP/1.1 client: it sends exactly the bytes it is given, right or wrong, and reads what
//! comes back. It never corrects, retries or reconnects.

use std::{
    fmt::Write as _,
    io::{self, Read as _, Write as _},
    net::{Shutdown, SocketAddr, TcpStream},
    time::{Duration, Instant},
};

use anyhow::{Context as _, bail, ensure};
use serde_json::Value;

/// Longest wait for an answer unless a row says otherwise.
pub const WAIT: Duration = Duration::from_secs(20);

/// A request before it is bytes.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// Header lines in order, as they are written.
    pub headers: Vec<(String, String)>,
    /// The body.
    pub body: Vec<u8>,
}

impl Request {
    /// A request without headers.
    pub fn new(method: &str, target: &str, body: impl Into<Vec<u8>>) -> Self {
        let (method, target) = (method.to_owned(), target.to_owned());
        Self { method, target, headers: Vec::new(), body: body.into() }
    }

    /// Adds a header line.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Takes every line of this name away.
    #[must_use]
    pub fn without(mut self, name: &str) -> Self {
        self.headers.retain(|(have, _)| !have.eq_ignore_ascii_case(name));
        self
    }

    /// Replaces every line of this name by one.
    #[must_use]
    pub fn with(self, name: &str, value: &str) -> Self {
        self.without(name).header(name, value)
    }

    /// The head's lines and the body as they go out, `Content-Length` added unless the request
    /// frames itself.
    pub fn bytes(&self) -> Vec<u8> {
        let mut head = format!("{} {} HTTP/1.1\r\n", self.method, self.target);
        for (name, value) in &self.headers {
            let _ = write!(head, "{name}: {value}\r\n");
        }
        let framed = |(name, _): &(String, String)| {
            name.eq_ignore_ascii_case("content-length")
                || name.eq_ignore_ascii_case("transfer-encoding")
        };
        if !self.headers.iter().any(framed) {
            let _ = write!(head, "Content-Length: {}\r\n", self.body.len());
        }
        head.push_str("\r\n");
        let mut bytes = head.into_bytes();
        bytes.extend_from_slice(&self.body);
        bytes
    }
}

/// An answer, whole.
#[derive(Clone, Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Header lines in order.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
    /// Whether the body ended as its framing promised.
    pub whole: bool,
    /// From the last byte sent to the last byte read.
    pub took: Duration,
}

impl Reply {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        find(&self.headers, name)
    }

    /// The body as text.
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.body).into_owned()
    }

    /// The one JSON-RPC message of the answer: its body, or the last message of its stream.
    ///
    /// # Errors
    /// Where there is none.
    pub fn json(&self) -> anyhow::Result<Value> {
        let text = self.text();
        if self.header("content-type").is_some_and(|kind| kind.starts_with("text/event-stream")) {
            let data = data_of(&text).pop().context("a stream without a message")?;
            return serde_json::from_str(&data).with_context(|| format!("in {data:?}"));
        }
        serde_json::from_str(&text).with_context(|| format!("{}: {text:?}", self.status))
    }

    /// The code of the answer's JSON-RPC error.
    pub fn rpc_code(&self) -> Option<i64> {
        self.json().ok()?.pointer("/error/code")?.as_i64()
    }

    /// Everything that the client saw, for searching.
    pub fn everything(&self) -> String {
        format!("{:?}\n{}", self.headers, self.text())
    }
}

/// The messages of an event stream, in order; events without data are left out.
pub fn data_of(stream: &str) -> Vec<String> {
    let lines = stream.replace("\r\n", "\n").replace('\r', "\n");
    lines
        .split("\n\n")
        .map(|event| {
            let data = event.lines().filter_map(|line| line.strip_prefix("data:"));
            data.map(|line| line.strip_prefix(' ').unwrap_or(line)).collect::<Vec<_>>().join("\n")
        })
        .filter(|data| !data.is_empty())
        .collect()
}

/// One connection.
pub struct Wire {
    socket: TcpStream,
    buffer: Vec<u8>,
    sent_at: Instant,
}

impl Wire {
    /// Connects.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn open(address: SocketAddr) -> io::Result<Self> {
        let socket = TcpStream::connect_timeout(&address, WAIT)?;
        socket.set_nodelay(true)?;
        socket.set_read_timeout(Some(WAIT))?;
        socket.set_write_timeout(Some(WAIT))?;
        Ok(Self { socket, buffer: Vec::new(), sent_at: Instant::now() })
    }

    /// Connects from this loopback address instead of the usual one.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn open_from(source: &str, address: SocketAddr) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
        let socket = runtime.block_on(async {
            let socket = tokio::net::TcpSocket::new_v4()?;
            socket.bind(SocketAddr::new(source.parse()?, 0))?;
            anyhow::Ok(socket.connect(address).await?.into_std()?)
        })?;
        socket.set_nonblocking(false)?;
        socket.set_read_timeout(Some(WAIT))?;
        Ok(Self { socket, buffer: Vec::new(), sent_at: Instant::now() })
    }

    /// Sets the longest wait for the next byte.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn patience(&self, wait: Duration) -> io::Result<()> {
        self.socket.set_read_timeout(Some(wait))
    }

    /// Sends bytes. That the other side has hung up shows when the answer is read.
    pub fn send(&mut self, bytes: &[u8]) {
        // A server may refuse before it has read everything: its answer is what counts.
        let _ = self.socket.write_all(bytes);
        self.sent_at = Instant::now();
    }

    /// Says that nothing more will be sent.
    pub fn finish(&mut self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Whether the other side closed, without another byte, within `wait`.
    pub fn is_closed_within(&mut self, wait: Duration) -> bool {
        if self.patience(wait).is_err() {
            return true;
        }
        match self.socket.read(&mut [0; 1]) {
            Ok(0) => true,
            Ok(_) => false,
            Err(fault) => fault.kind() == io::ErrorKind::ConnectionReset,
        }
    }

    fn fill(&mut self) -> io::Result<usize> {
        let mut chunk = [0; 16 * 1024];
        let count = self.socket.read(&mut chunk)?;
        self.buffer.extend_from_slice(chunk.get(..count).unwrap_or_default());
        Ok(count)
    }

    fn line(&mut self) -> anyhow::Result<String> {
        loop {
            if let Some(end) = self.buffer.windows(2).position(|pair| pair == b"\r\n") {
                let line = self.buffer.drain(..end + 2).take(end).collect();
                return Ok(String::from_utf8(line)?);
            }
            ensure!(self.fill()? > 0, "closed after {:?}", String::from_utf8_lossy(&self.buffer));
        }
    }

    /// Reads the head of an answer; interim answers are skipped.
    ///
    /// # Errors
    /// Where the other side closes first, or what comes is no HTTP.
    pub fn head(&mut self) -> anyhow::Result<Reply> {
        loop {
            let first = self.line()?;
            let status = first.split(' ').nth(1).and_then(|status| status.parse().ok());
            let status: u16 = status.with_context(|| format!("no status line: {first:?}"))?;
            let mut headers = Vec::new();
            loop {
                let line = self.line()?;
                if line.is_empty() {
                    break;
                }
                let (name, value) = line.split_once(':').context("a header without a colon")?;
                headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
            }
            if status >= 200 {
                let took = self.sent_at.elapsed();
                return Ok(Reply { status, headers, body: Vec::new(), whole: true, took });
            }
        }
    }

    /// Reads a whole answer.
    ///
    /// # Errors
    /// Where its head does not come; a body that breaks off is no error, but not `whole`.
    pub fn reply(&mut self) -> anyhow::Result<Reply> {
        let mut reply = self.head()?;
        let ended = self.body(&mut reply);
        reply.whole = ended.unwrap_or(false);
        reply.took = self.sent_at.elapsed();
        Ok(reply)
    }

    /// Reads one more piece of a chunked body; `None` at its end.
    ///
    /// # Errors
    /// Where the connection breaks, or nothing comes within the patience.
    pub fn chunk(&mut self) -> anyhow::Result<Option<Vec<u8>>> {
        let size = self.line()?;
        let size = usize::from_str_radix(size.trim(), 16).context("no chunk size")?;
        while self.buffer.len() < size + 2 {
            ensure!(self.fill()? > 0, "broke off in a chunk");
        }
        let chunk: Vec<u8> = self.buffer.drain(..size + 2).take(size).collect();
        Ok((size > 0).then_some(chunk))
    }

    fn body(&mut self, reply: &mut Reply) -> anyhow::Result<bool> {
        if matches!(reply.status, 204 | 304) {
            return Ok(true);
        }
        if reply.header("transfer-encoding").is_some() {
            while let Some(chunk) = self.chunk()? {
                reply.body.extend_from_slice(&chunk);
            }
            return Ok(true);
        }
        let length = reply.header("content-length").map(str::parse::<usize>).transpose()?;
        loop {
            if let Some(length) = length
                && self.buffer.len() >= length
            {
                reply.body = self.buffer.drain(..length).collect();
                return Ok(true);
            }
            if self.fill()? == 0 {
                reply.body = std::mem::take(&mut self.buffer);
                return Ok(length.is_none());
            }
        }
    }

    /// Reads a stream until a message satisfies `until`, and gives everything read; at the end of
    /// the stream it gives what came.
    ///
    /// # Errors
    /// Where the connection breaks, or nothing comes within the patience.
    pub fn stream_until(&mut self, until: impl Fn(&str) -> bool) -> anyhow::Result<String> {
        let mut seen = Vec::new();
        while let Some(chunk) = self.chunk()? {
            seen.extend_from_slice(&chunk);
            if until(&String::from_utf8_lossy(&seen)) {
                break;
            }
        }
        Ok(String::from_utf8(seen)?)
    }
}

/// Sends raw bytes on a new connection and reads one answer.
///
/// # Errors
/// Where no answer comes.
pub fn exchange(address: SocketAddr, bytes: &[u8]) -> anyhow::Result<Reply> {
    let mut wire = Wire::open(address)?;
    wire.send(bytes);
    wire.reply()
}

/// The first value of a header.
pub fn find<'a>(headers: &'a [(String, String)], name: &str) -> Option<&'a str> {
    let mut found = headers.iter().filter(|(have, _)| have.eq_ignore_ascii_case(name));
    found.next().map(|(_, value)| value.as_str())
}

/// Fails unless the status is `status`.
///
/// # Errors
/// With the whole answer in words.
pub fn expect_status(reply: &Reply, status: u16) -> anyhow::Result<()> {
    if reply.status == status {
        return Ok(());
    }
    bail!("status {} instead of {status}: {}", reply.status, reply.text())
}
