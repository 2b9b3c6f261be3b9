//! Syslog messages (RFC 5424), and their way over TLS, TCP or UDP.
//!
//! Syslog has no word for "accepted". Over TCP and TLS a connection therefore carries one batch:
//! we end our side, and the batch counts as accepted once the receiver has ended its side, which it
//! does when it has read everything. A receiver that dies with unread data, or before the data came,
//! resets the connection instead, and the batch is sent again.

use std::{io, sync::Arc, time::Duration};

use rustls::pki_types::ServerName;
use tokio::{
    io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _},
    net::{TcpStream, UdpSocket, lookup_host},
    time::{Instant, sleep, timeout},
};
use tokio_rustls::TlsConnector;

use super::{
    DeliverFault,
    message::Message,
    settings::{SyslogSettings, Transport},
};
use crate::client::tls_config;

/// A connection must stand, TLS included, within this time.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// A batch must be taken and confirmed within this time.
const BATCH_WAIT_MAX: Duration = Duration::from_secs(60);
/// After the receiver's end, a reset is awaited at least this long.
const SETTLE_MIN: Duration = Duration::from_millis(20);
/// A longer UDP message is sent without its text: what IPv4 can carry (RFC 5426 §3.2).
const DATAGRAM_MAX_BYTES: usize = 65_507;
/// The enterprise number of the structured data's name: the one for documentation (RFC 5612), until
/// the product has its own.
const SD_ID: &str = "lockgate@32473";
/// A parameter of the structured data is cut to this length. In characters.
const PARAMETER_MAX_CHARS: usize = 256;

/// A syslog server.
pub(super) struct Syslog {
    settings: SyslogSettings,
    /// What the messages name as their host.
    node: String,
    tls: Option<(TlsConnector, ServerName<'static>)>,
}

impl Syslog {
    /// Dials nothing yet. `node` is the name of this gateway.
    pub(super) fn new(settings: &SyslogSettings, node: &str) -> Result<Self, DeliverFault> {
        let fault = |why: &str| DeliverFault::Setting {
            what: format!("syslog at `{}`", settings.address.escape_default()),
            why: why.to_owned(),
        };
        let (host, port) = settings.address.rsplit_once(':').unwrap_or_default();
        if host.is_empty() || port.parse::<u16>().is_err() {
            return Err(fault("its address is not `host:port`"));
        }
        if settings.facility > 23 {
            return Err(fault("its facility is not 0 to 23"));
        }
        let tls = match settings.transport {
            Transport::Tcp | Transport::Udp => None,
            Transport::Tls => {
                let config = tls_config(settings.ca.as_deref()).map_err(|why| fault(&why))?;
                let host = host.trim_matches(['[', ']']).to_owned();
                let name = ServerName::try_from(host);
                let name = name.map_err(|_| fault("its host is no name for a certificate"))?;
                Some((TlsConnector::from(Arc::new(config)), name))
            }
        };
        Ok(Self { settings: settings.clone(), node: header(node, 255), tls })
    }

    /// Sends the messages in order, and returns once the receiver has them all; over UDP, once they
    /// have left.
    pub(super) async fn send(&self, messages: &[Message]) -> Result<(), DeliverFault> {
        let sent = timeout(CONNECT_WAIT_MAX + BATCH_WAIT_MAX, async {
            match (self.settings.transport, &self.tls) {
                (Transport::Udp, _) => self.send_datagrams(messages).await,
                (_, None) => {
                    let (mut stream, settle) = self.dial().await?;
                    converse(&mut stream, &self.frames(messages)).await?;
                    settled(&stream, settle).await
                }
                (_, Some((connector, name))) => {
                    let (stream, settle) = self.dial().await?;
                    let mut stream = connector.connect(name.clone(), stream).await?;
                    converse(&mut stream, &self.frames(messages)).await?;
                    settled(stream.get_ref().0, settle).await
                }
            }
        });
        match sent.await {
            Ok(Ok(())) => Ok(()),
            Ok(Err(error)) => Err(DeliverFault::Later(error.to_string())),
            Err(_) => Err(DeliverFault::Later("the receiver took too long".to_owned())),
        }
    }

    /// A connection, and the time after which a reset must have come back: several round trips.
    async fn dial(&self) -> io::Result<(TcpStream, Duration)> {
        let slow = |_| io::Error::new(io::ErrorKind::TimedOut, "no connection in time");
        let began = Instant::now();
        let dialled = timeout(CONNECT_WAIT_MAX, TcpStream::connect(&self.settings.address));
        let stream = dialled.await.map_err(slow)??;
        Ok((stream, (began.elapsed() * 4).max(SETTLE_MIN)))
    }

    async fn send_datagrams(&self, messages: &[Message]) -> io::Result<()> {
        let unknown = || io::Error::new(io::ErrorKind::NotFound, "no address under this name");
        let to = lookup_host(&self.settings.address).await?.next().ok_or_else(unknown)?;
        let from = if to.is_ipv4() { "0.0.0.0:0" } else { "[::]:0" };
        let socket = UdpSocket::bind(from).await?;
        socket.connect(to).await?;
        for message in messages {
            let mut datagram = self.format(message, &message.text);
            if datagram.len() > DATAGRAM_MAX_BYTES {
                let bytes = message.text.len();
                datagram = self.format(message, &format!(r#"{{"left_out_bytes":{bytes}}}"#));
            }
            socket.send(datagram.as_bytes()).await?;
        }
        Ok(())
    }

    /// With octet counting (RFC 6587 §3.4.1, RFC 5425 §4.3).
    fn frames(&self, messages: &[Message]) -> Vec<u8> {
        let mut frames = Vec::new();
        for message in messages {
            let text = self.format(message, &message.text);
            frames.extend_from_slice(text.len().to_string().as_bytes());
            frames.push(b' ');
            frames.extend_from_slice(text.as_bytes());
        }
        frames
    }

    /// One message. Its text is ASCII, so that no receiver has to know a coding (RFC 5424 §6.4).
    pub(super) fn format(&self, message: &Message, text: &str) -> String {
        let severity = if message.grave { 4 } else { 6 };
        let priority = u32::from(self.settings.facility) * 8 + severity;
        let time = jiff::Timestamp::from_millisecond(message.time.millis())
            .map_or_else(|_| "-".to_owned(), |time| format!("{time:.3}"));
        let mut line = format!("<{priority}>1 {time} {} lockgate - ", self.node);
        line.push_str(message.kind);
        line.push_str(&format!(" [{SD_ID} seq=\"{}\" hash=\"{}\"", message.seq, message.hash));
        parameter(&mut line, "subject", message.subject.as_deref());
        parameter(&mut line, "connection", message.connection.as_deref());
        line.push_str("] ");
        ascii(&mut line, text);
        line
    }
}

/// Writes everything, ends our side, and waits until the other side has ended its own.
async fn converse(
    stream: &mut (impl AsyncRead + AsyncWrite + Unpin),
    frames: &[u8],
) -> io::Result<()> {
    stream.write_all(frames).await?;
    stream.flush().await?;
    stream.shutdown().await?;
    let mut answer = [0; 256];
    loop {
        match stream.read(&mut answer).await {
            Ok(0) => return Ok(()),
            // Syslog servers have nothing to say.
            Ok(_) => {}
            // Many servers end TLS with the connection. Nothing was to be read, so nothing is cut.
            Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(()),
            Err(error) => return Err(error),
        }
    }
}

/// A receiver that had ended before the data came answers the data with a reset, which may follow
/// its end by a round trip.
async fn settled(stream: &TcpStream, settle: Duration) -> io::Result<()> {
    sleep(settle).await;
    stream.take_error()?.map_or(Ok(()), Err)
}

/// A header field: visible ASCII, at most `max` of it, `-` where nothing is left.
fn header(text: &str, max: usize) -> String {
    let visible: String = text.chars().filter(char::is_ascii_graphic).take(max).collect();
    if visible.is_empty() { "-".to_owned() } else { visible }
}

/// Appends a parameter with the three characters escaped that must be (RFC 5424 §6.3.3), and
/// without controls, which could steer a terminal.
fn parameter(line: &mut String, name: &str, value: Option<&str>) {
    let Some(value) = value else { return };
    line.push_str(&format!(" {name}=\""));
    for c in value.chars().take(PARAMETER_MAX_CHARS) {
        match c {
            '"' | '\\' | ']' => line.extend(['\\', c]),
            c if c.is_control() => line.push('\u{fffd}'),
            c => line.push(c),
        }
    }
    line.push('"');
}

/// Appends JSON with everything beyond ASCII escaped; such characters stand in strings alone.
fn ascii(line: &mut String, json: &str) {
    for c in json.chars() {
        if c.is_ascii() && c != '\u{7f}' {
            line.push(c);
            continue;
        }
        for unit in c.encode_utf16(&mut [0; 2]) {
            line.push_str(&format!("\\u{unit:04x}"));
        }
    }
}
