//! HTTP/1.1 as the bench needs it on both ends: fast, strict about lengths, and blind to the rest.

use anyhow::{Context as _, Result, bail, ensure};
use bytes::{Bytes, BytesMut};
use memchr::memmem;
use tokio::{
    io::{AsyncReadExt as _, AsyncWriteExt as _},
    net::{TcpStream, ToSocketAddrs},
};

/// A kept-alive connection.
pub(super) struct Wire {
    stream: TcpStream,
    buffer: BytesMut,
}

/// First line and headers of a message.
pub(super) struct Head(Bytes);

impl Wire {
    pub(super) fn new(stream: TcpStream) -> Result<Self> {
        stream.set_nodelay(true)?;
        Ok(Self { stream, buffer: BytesMut::with_capacity(16 * 1024) })
    }

    pub(super) async fn connect(address: impl ToSocketAddrs) -> Result<Self> {
        Self::new(TcpStream::connect(address).await?)
    }

    pub(super) async fn send(&mut self, bytes: &[u8]) -> Result<()> {
        Ok(self.stream.write_all(bytes).await?)
    }

    /// The next message's head; `None` where the other side is done.
    pub(super) async fn head(&mut self) -> Result<Option<Head>> {
        let mut searched = 0;
        loop {
            let unseen = self.buffer.get(searched..).unwrap_or_default();
            if let Some(found) = memmem::find(unseen, b"\r\n\r\n") {
                return Ok(Some(Head(self.buffer.split_to(searched + found + 4).freeze())));
            }
            searched = self.buffer.len().saturating_sub(3);
            if !self.fill().await? {
                ensure!(self.buffer.is_empty(), "the connection ended within a head");
                return Ok(None);
            }
        }
    }

    /// The whole body that belongs to `head`.
    pub(super) async fn body(&mut self, head: &Head) -> Result<Bytes> {
        if let Some(length) = head.header("content-length") {
            return self.exactly(length.parse()?).await;
        }
        let mut body = BytesMut::new();
        while let Some(chunk) = self.chunk(head).await? {
            body.extend_from_slice(&chunk);
        }
        Ok(body.freeze())
    }

    /// The next chunk of a chunked body; `None` at its end, and where the body is not chunked.
    pub(super) async fn chunk(&mut self, head: &Head) -> Result<Option<Bytes>> {
        if head.header("transfer-encoding").is_none() {
            return Ok(None);
        }
        let size = self.line().await?;
        let size = str::from_utf8(&size)?.split(';').next().unwrap_or_default().trim();
        let size = usize::from_str_radix(size, 16).context("no chunk size")?;
        let chunk = self.exactly(size).await?;
        ensure!(self.line().await?.is_empty(), "no end of the chunk");
        Ok((size > 0).then_some(chunk))
    }

    async fn line(&mut self) -> Result<Bytes> {
        loop {
            if let Some(end) = memmem::find(&self.buffer, b"\r\n") {
                let mut line = self.buffer.split_to(end + 2);
                line.truncate(end);
                return Ok(line.freeze());
            }
            if !self.fill().await? {
                bail!("the connection ended within a line");
            }
        }
    }

    async fn exactly(&mut self, length: usize) -> Result<Bytes> {
        self.buffer.reserve(length.saturating_sub(self.buffer.len()));
        while self.buffer.len() < length {
            ensure!(self.fill().await?, "the connection ended within a body");
        }
        Ok(self.buffer.split_to(length).freeze())
    }

    async fn fill(&mut self) -> Result<bool> {
        Ok(self.stream.read_buf(&mut self.buffer).await? > 0)
    }
}

impl Head {
    /// The words of the first line: method, target, version, or version, status, reason.
    pub(super) fn word(&self, index: usize) -> &str {
        let first = self.lines().next().unwrap_or_default();
        first.split(' ').nth(index).unwrap_or_default()
    }

    /// The status code of a response; 0 where there is none.
    pub(super) fn status(&self) -> u16 {
        self.word(1).parse().unwrap_or_default()
    }

    /// The value of a header, by its name in any case.
    pub(super) fn header(&self, name: &str) -> Option<&str> {
        self.lines().skip(1).find_map(|line| {
            let (found, value) = line.split_once(':')?;
            found.eq_ignore_ascii_case(name).then(|| value.trim())
        })
    }

    fn lines(&self) -> impl Iterator<Item = &str> {
        str::from_utf8(&self.0).unwrap_or_default().split("\r\n")
    }
}
