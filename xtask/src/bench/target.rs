//! Who is called, and one caller of it: a kept-alive connection that knows the answer to every
//! question it asks.

use std::{net::SocketAddr, sync::Arc};

use anyhow::{Context as _, Result, ensure};
use bytes::Bytes;

use super::{
    bodies::carries,
    mcp::{self, Era, Form},
    upstream::Library,
    wire::{Head, Wire},
};

/// Somebody who answers calls: the upstream itself, or a gateway in front of it.
#[derive(Clone, Debug)]
pub(super) struct Target {
    pub(super) name: &'static str,
    pub(super) address: SocketAddr,
    pub(super) path: String,
    /// One caller takes one of them; none where no token is asked for.
    pub(super) tokens: Vec<String>,
    /// The process whose CPU time and memory are counted.
    pub(super) pid: Option<u32>,
}

/// What is asked, always the same way.
#[derive(Clone, Debug)]
pub(super) struct Question {
    pub(super) era: Era,
    pub(super) form: Form,
    /// Size of the text in the answer, in bytes.
    pub(super) size: usize,
}

/// One client.
pub(super) struct Caller {
    wire: Wire,
    /// Everything of a request's head before its length.
    head: String,
    question: Question,
    library: Library,
    /// The id of the next call.
    id: u64,
}

impl Target {
    /// Connects, and opens a session where the era has them. `number` makes callers different.
    pub(super) async fn caller(
        &self,
        number: usize,
        question: &Question,
        library: &Library,
    ) -> Result<Caller> {
        let mut caller = Caller {
            wire: Wire::connect(self.address).await?,
            head: self.head(number, question),
            question: question.clone(),
            library: Arc::clone(library),
            id: (number as u64) << 32,
        };
        if question.era == Era::Legacy {
            caller.open_session().await?;
        }
        Ok(caller)
    }

    fn head(&self, number: usize, question: &Question) -> String {
        let Self { address, path, .. } = self;
        let mut head = format!(
            "POST {path} HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nAccept: application/json, text/event-stream\r\n"
        );
        if let Some(token) = self.tokens.get(number % self.tokens.len().max(1)) {
            head += &format!("Authorization: Bearer {token}\r\n");
        }
        if question.era == Era::Modern {
            let (revision, tool) = (mcp::MODERN, question.form.tool());
            head += &format!(
                "MCP-Protocol-Version: {revision}\r\nMcp-Method: tools/call\r\nMcp-Name: {tool}\r\n"
            );
        }
        head
    }
}

impl Caller {
    /// One call; fails unless the answer is the right one, byte for byte.
    pub(super) async fn call(&mut self) -> Result<()> {
        let (id, size) = (self.id, self.question.size);
        // Prime, so that the callers spread over the texts.
        let number = (id as usize).wrapping_mul(7919) & 0xffff;
        self.id += 1;
        let body = mcp::call(self.question.era, self.question.form, id, number, size);
        let (head, answer) = self.ask(&body).await?;
        ensure!(head.status() == 200, "status {}: {}", head.status(), shortened(&answer));
        let bodies = self.library.get(&size).context("no texts of this size")?;
        ensure!(carries(&answer, id, bodies.get(number)), "a wrong answer: {}", shortened(&answer));
        Ok(())
    }

    /// Begins the call about text `number`; done when the head of its answer has come, as it does
    /// at once where the call is held.
    pub(super) async fn begin(&mut self, number: usize) -> Result<Head> {
        let Question { era, form, size } = self.question;
        let body = mcp::call(era, form, number as u64, number, size);
        self.send(&body).await?;
        let head = self.wire.head().await?.context("the connection ended")?;
        ensure!(head.status() == 200, "status {}", head.status());
        Ok(head)
    }

    /// The rest of the answer that [`Self::begin`] began.
    pub(super) async fn end(&mut self, head: &Head) -> Result<()> {
        let answer = self.wire.body(head).await?;
        let text = String::from_utf8_lossy(&answer);
        ensure!(text.contains(r#""isError":false"#), "a wrong answer: {}", shortened(&answer));
        Ok(())
    }

    async fn open_session(&mut self) -> Result<()> {
        let (head, answer) = self.ask(mcp::INITIALIZE).await?;
        ensure!(head.status() == 200, "initialize: {} {}", head.status(), shortened(&answer));
        let session = head.header("mcp-session-id").context("no session")?;
        let revision = mcp::LEGACY;
        self.head += &format!("MCP-Protocol-Version: {revision}\r\nMcp-Session-Id: {session}\r\n");
        let (head, answer) = self.ask(mcp::INITIALIZED).await?;
        ensure!(head.status() == 202, "initialized: {} {}", head.status(), shortened(&answer));
        Ok(())
    }

    /// Opens the stream of the session's own messages, and waits for its first sign.
    pub(super) async fn listen(&mut self) -> Result<()> {
        let head = self.head.replacen("POST", "GET", 1);
        self.wire.send(format!("{head}\r\n").as_bytes()).await?;
        let head = self.wire.head().await?.context("no answer")?;
        ensure!(head.status() == 200, "GET: {}", head.status());
        self.wire.chunk(&head).await?;
        Ok(())
    }

    async fn send(&mut self, body: &str) -> Result<()> {
        let request = format!("{}Content-Length: {}\r\n\r\n{body}", self.head, body.len());
        self.wire.send(request.as_bytes()).await
    }

    async fn ask(&mut self, body: &str) -> Result<(Head, Bytes)> {
        self.send(body).await?;
        let head = self.wire.head().await?.context("the connection ended")?;
        let answer = self.wire.body(&head).await?;
        Ok((head, answer))
    }
}

fn shortened(answer: &[u8]) -> String {
    String::from_utf8_lossy(answer).chars().take(300).collect()
}
