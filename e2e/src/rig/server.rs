//! A plain HTTP/1.1 server, one thread a connection. The handler writes raw bytes, so that it can
//! also write wrong ones.

use std::{
    io::{self, BufRead, BufReader, Read as _},
    net::{SocketAddr, TcpListener, TcpStream},
    sync::{
        Arc,
        atomic::{AtomicBool, AtomicU64, Ordering},
    },
    time::Duration,
};

use crate::wire;

/// A request as it was heard.
#[derive(Clone, Debug)]
pub struct Heard {
    /// The method.
    pub method: String,
    /// The request target.
    pub target: String,
    /// Header lines in order, names in lower case.
    pub headers: Vec<(String, String)>,
    /// The body without its framing.
    pub body: Vec<u8>,
}

impl Heard {
    /// The first value of a header.
    pub fn header(&self, name: &str) -> Option<&str> {
        wire::find(&self.headers, name)
    }
}

/// What becomes of the connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Next {
    /// The next request is read.
    Keep,
    /// It is closed.
    Close,
}

/// Answers one request on the socket.
pub type Handler = dyn Fn(&Heard, &mut TcpStream) -> io::Result<Next> + Send + Sync;

/// A running server; it stops when dropped.
pub struct Server {
    address: SocketAddr,
    stopped: Arc<AtomicBool>,
    connections: Arc<AtomicU64>,
}

impl Server {
    /// Listens on a free loopback port.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn start(handler: Arc<Handler>) -> io::Result<Self> {
        Self::start_on(0, handler)
    }

    /// Listens on this loopback port.
    ///
    /// # Errors
    /// Whatever the socket says.
    pub fn start_on(port: u16, handler: Arc<Handler>) -> io::Result<Self> {
        let listener = TcpListener::bind(("127.0.0.1", port))?;
        let address = listener.local_addr()?;
        let stopped = Arc::new(AtomicBool::new(false));
        let connections = Arc::new(AtomicU64::new(0));
        let (stop, count) = (Arc::clone(&stopped), Arc::clone(&connections));
        std::thread::spawn(move || {
            for socket in listener.incoming() {
                if stop.load(Ordering::Acquire) {
                    return;
                }
                let Ok(socket) = socket else { continue };
                count.fetch_add(1, Ordering::AcqRel);
                let (handler, stop) = (Arc::clone(&handler), Arc::clone(&stop));
                std::thread::spawn(move || {
                    // A connection that breaks is the other side's affair.
                    let _ = converse(socket, handler.as_ref(), &stop);
                });
            }
        });
        Ok(Self { address, stopped, connections })
    }

    /// Where it listens.
    pub const fn address(&self) -> SocketAddr {
        self.address
    }

    /// Connections accepted so far.
    pub fn connections(&self) -> u64 {
        self.connections.load(Ordering::Acquire)
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.stopped.store(true, Ordering::Release);
        // Wakes the accept, so that the port is free again.
        let _ = TcpStream::connect(self.address);
    }
}

fn converse(socket: TcpStream, handler: &Handler, stop: &AtomicBool) -> io::Result<()> {
    socket.set_nodelay(true)?;
    socket.set_read_timeout(Some(Duration::from_secs(120)))?;
    let mut reader = BufReader::new(socket.try_clone()?);
    let mut writer = socket;
    while !stop.load(Ordering::Acquire) {
        let Some(heard) = hear(&mut reader)? else { break };
        if stop.load(Ordering::Acquire) || handler(&heard, &mut writer)? == Next::Close {
            break;
        }
    }
    writer.shutdown(std::net::Shutdown::Both)
}

fn hear(reader: &mut impl BufRead) -> io::Result<Option<Heard>> {
    let Some(first) = line(reader)? else { return Ok(None) };
    let mut words = first.split(' ').map(str::to_owned);
    let (method, target) = (words.next().unwrap_or_default(), words.next().unwrap_or_default());
    let mut headers = Vec::new();
    loop {
        let Some(line) = line(reader)? else { return Ok(None) };
        if line.is_empty() {
            break;
        }
        let (name, value) = line.split_once(':').unwrap_or((&line, ""));
        headers.push((name.to_ascii_lowercase(), value.trim().to_owned()));
    }
    let mut heard = Heard { method, target, headers, body: Vec::new() };
    if heard.header("transfer-encoding").is_some() {
        while let Some(size) = line(reader)? {
            let size = usize::from_str_radix(size.trim(), 16).unwrap_or(0);
            let mut chunk = vec![0; size + 2];
            reader.read_exact(&mut chunk)?;
            if size == 0 {
                break;
            }
            chunk.truncate(size);
            heard.body.extend_from_slice(&chunk);
        }
    } else if let Some(length) = heard.header("content-length").and_then(|text| text.parse().ok()) {
        heard.body = vec![0; length];
        reader.read_exact(&mut heard.body)?;
    }
    Ok(Some(heard))
}

fn line(reader: &mut impl BufRead) -> io::Result<Option<String>> {
    let mut line = Vec::new();
    reader.by_ref().take(64 * 1024).read_until(b'\n', &mut line)?;
    if line.is_empty() {
        return Ok(None);
    }
    let text = String::from_utf8_lossy(&line);
    Ok(Some(text.trim_end_matches(['\r', '\n']).to_owned()))
}
