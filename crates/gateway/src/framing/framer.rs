//! The machine of the guard: the bytes of a connection in, the first head that two parsers could
//! frame in different ways out. Pure; the same however the bytes are split.

use lockgate_model::{Limits, Reason};

use super::Bad;

/// The longest header name that is kept for comparison; longer ones decide no framing.
const NAME_MAX: usize = 20;
/// The longest value of a framing header that is kept; longer ones are never right.
const VALUE_MAX: usize = 24;

/// The machine: bytes in, findings out; the same however the bytes are split.
#[derive(Debug)]
pub struct Framer {
    state: State,
    bounds: Bounds,
    /// Whole heads so far.
    pub(super) heads: u32,
    head: Head,
}

#[derive(Clone, Copy, Debug)]
struct Bounds {
    uri_bytes: u32,
    head_bytes: u32,
    lines: u32,
}

/// Where in the byte stream the next byte stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    /// Before the first byte of a head.
    Between,
    Method,
    Target,
    Version,
    /// After the CR of a line.
    LineFeed,
    /// At the first byte of a line.
    LineStart,
    Name,
    Value,
    /// After the CR of the empty line.
    LastFeed,
    Body(u64),
    /// The rest of the connection is one chunked body.
    Chunked,
    /// Nothing on this connection is believed any more.
    Bad,
}

/// What is known of the head being read.
#[derive(Debug, Default)]
struct Head {
    bytes: u32,
    uri: u32,
    lines: u32,
    version: Short<8>,
    name: Short<NAME_MAX>,
    value: Short<VALUE_MAX>,
    length: Option<u64>,
    chunked: bool,
}

/// The first bytes of a short text, and whether there were more.
#[derive(Debug)]
struct Short<const N: usize> {
    bytes: [u8; N],
    len: usize,
}

type Finding = (Reason, &'static str);

const fn malformed(detail: &'static str) -> Finding {
    (Reason::HttpMalformed, detail)
}

impl Framer {
    /// At the start of a connection.
    pub fn new(limits: &Limits) -> Self {
        let bounds = Bounds {
            uri_bytes: limits.uri_max_bytes,
            head_bytes: limits.headers_max_bytes,
            lines: limits.headers_max,
        };
        Self { state: State::Between, bounds, heads: 0, head: Head::default() }
    }

    /// Takes the next bytes of the connection; gives the finding that ends belief in it, once.
    pub fn push(&mut self, mut bytes: &[u8]) -> Option<Bad> {
        while let Some((&byte, rest)) = bytes.split_first() {
            match self.state {
                State::Chunked | State::Bad => return None,
                State::Body(left) => {
                    let step = left.min(bytes.len() as u64);
                    bytes = bytes.get(usize::try_from(step).unwrap_or(usize::MAX)..).unwrap_or(&[]);
                    let left = left - step;
                    self.state = if left == 0 { State::Between } else { State::Body(left) };
                }
                _ => {
                    bytes = rest;
                    match self.step(byte).and_then(|next| self.within_bounds(next)) {
                        Ok(next) => self.state = next,
                        Err((reason, detail)) => {
                            self.state = State::Bad;
                            return Some(Bad { index: self.heads, reason, detail });
                        }
                    }
                }
            }
        }
        None
    }

    /// Whether a head has begun and not ended.
    pub fn in_head(&self) -> bool {
        !matches!(self.state, State::Between | State::Body(_) | State::Chunked | State::Bad)
    }

    fn within_bounds(&mut self, next: State) -> Result<State, Finding> {
        let head = &mut self.head;
        head.bytes = head.bytes.saturating_add(1);
        if head.uri > self.bounds.uri_bytes {
            return Err((Reason::UriTooLong, "the request target is longer than the limit"));
        }
        if head.bytes > self.bounds.head_bytes || head.lines > self.bounds.lines {
            return Err((Reason::HeadersTooLarge, "the request head is larger than the limit"));
        }
        Ok(next)
    }

    fn step(&mut self, byte: u8) -> Result<State, Finding> {
        match self.state {
            State::Between => {
                self.head = Head::default();
                self.method(byte)
            }
            State::Method => self.method(byte),
            State::Target => self.target(byte),
            State::Version => self.version(byte),
            State::LineFeed if byte == b'\n' => Ok(State::LineStart),
            State::LineStart => self.line_start(byte),
            State::Name => self.name(byte),
            State::Value => self.value(byte),
            State::LastFeed if byte == b'\n' => self.end(),
            State::LineFeed | State::LastFeed => Err(malformed("a CR without its LF")),
            state @ (State::Body(_) | State::Chunked | State::Bad) => Ok(state),
        }
    }

    fn method(&mut self, byte: u8) -> Result<State, Finding> {
        match byte {
            b' ' if self.state == State::Method => Ok(State::Target),
            _ if is_token(byte) => Ok(State::Method),
            _ => Err(malformed("the request line does not begin with a method")),
        }
    }

    fn target(&mut self, byte: u8) -> Result<State, Finding> {
        match byte {
            b' ' if self.head.uri > 0 => Ok(State::Version),
            0x21..=0x7e => {
                self.head.uri += 1;
                Ok(State::Target)
            }
            _ => Err(malformed("the request target holds a byte that no URI has")),
        }
    }

    fn version(&mut self, byte: u8) -> Result<State, Finding> {
        if byte != b'\r' {
            self.head.version.push(byte);
            return Ok(State::Version);
        }
        match self.head.version.text() {
            Some(b"HTTP/1.1" | b"HTTP/1.0") => Ok(State::LineFeed),
            _ => Err(malformed("the request line does not end with HTTP/1.1")),
        }
    }

    fn line_start(&mut self, byte: u8) -> Result<State, Finding> {
        self.head.name.clear();
        self.head.value.clear();
        match byte {
            b'\r' => Ok(State::LastFeed),
            b' ' | b'\t' => Err(malformed("a header line is folded")),
            b':' => Err(malformed("a header has no name")),
            _ => {
                self.head.lines += 1;
                self.name(byte)
            }
        }
    }

    fn name(&mut self, byte: u8) -> Result<State, Finding> {
        match byte {
            b':' => Ok(State::Value),
            _ if is_token(byte) => {
                // An underscore counts as a hyphen: some servers behind read it so.
                let byte = if byte == b'_' { b'-' } else { byte.to_ascii_lowercase() };
                self.head.name.push(byte);
                Ok(State::Name)
            }
            _ => Err(malformed("a header name holds a byte that no token has")),
        }
    }

    fn value(&mut self, byte: u8) -> Result<State, Finding> {
        match byte {
            b'\r' => self.header().map(|()| State::LineFeed),
            b'\t' | b' '..=0x7e | 0x80.. => {
                self.head.value.push(byte);
                Ok(State::Value)
            }
            _ => Err(malformed("a header value holds a control character")),
        }
    }

    /// One whole header line.
    fn header(&mut self) -> Result<(), Finding> {
        let head = &mut self.head;
        match head.name.text() {
            Some(b"content-length") => {
                if head.length.is_some() {
                    return Err(malformed("two Content-Length headers"));
                }
                let length = head.value.text().and_then(content_length);
                head.length = Some(length.ok_or(malformed("Content-Length is no plain number"))?);
            }
            Some(b"transfer-encoding") => {
                if head.chunked {
                    return Err(malformed("two Transfer-Encoding headers"));
                }
                let coding = head.value.text().unwrap_or_default();
                let coding = coding.strip_prefix(b" ").unwrap_or(coding);
                if !coding.eq_ignore_ascii_case(b"chunked") {
                    return Err(malformed("Transfer-Encoding is not exactly `chunked`"));
                }
                head.chunked = true;
            }
            _ => {}
        }
        Ok(())
    }

    /// The empty line: what follows?
    fn end(&mut self) -> Result<State, Finding> {
        let state = match (self.head.length, self.head.chunked) {
            (Some(_), true) => {
                return Err(malformed("both Content-Length and Transfer-Encoding"));
            }
            (_, true) if self.head.version.text() == Some(b"HTTP/1.0") => {
                return Err(malformed("Transfer-Encoding in HTTP/1.0"));
            }
            (None, true) => State::Chunked,
            (None | Some(0), false) => State::Between,
            (Some(length), false) => State::Body(length),
        };
        self.heads = self.heads.saturating_add(1);
        Ok(state)
    }
}

/// `1*DIGIT` without sign or list, with at most the one usual space before it.
fn content_length(value: &[u8]) -> Option<u64> {
    let digits = value.strip_prefix(b" ").unwrap_or(value);
    let plain = digits.iter().all(u8::is_ascii_digit);
    if plain { std::str::from_utf8(digits).ok()?.parse().ok() } else { None }
}

/// `tchar` of RFC 9110 §5.6.2.
const fn is_token(byte: u8) -> bool {
    matches!(byte,
        b'!' | b'#' | b'$' | b'%' | b'&' | b'\'' | b'*' | b'+' | b'-' | b'.' | b'^' | b'_' | b'`'
        | b'|' | b'~' | b'0'..=b'9' | b'A'..=b'Z' | b'a'..=b'z')
}

impl<const N: usize> Short<N> {
    fn push(&mut self, byte: u8) {
        if let Some(slot) = self.bytes.get_mut(self.len) {
            *slot = byte;
        }
        self.len = self.len.saturating_add(1);
    }

    fn clear(&mut self) {
        self.len = 0;
    }

    /// The text, unless it was longer than is kept.
    fn text(&self) -> Option<&[u8]> {
        self.bytes.get(..self.len)
    }
}

impl<const N: usize> Default for Short<N> {
    fn default() -> Self {
        Self { bytes: [0; N], len: 0 }
    }
}
