//! A child's standard error in the gateway's log: a bounded number of bounded lines, inert, and
//! without the child's own secrets. The last few are kept for whoever asks why a child failed.

use std::{
    collections::VecDeque,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::Duration,
};

use lockgate_model::ConnectionName;
use tokio::{
    io::AsyncReadExt as _,
    process::ChildStderr,
    sync::watch,
    time::{Instant, timeout},
};

use crate::secret::Secret;

/// What is kept of one line.
const LINE_MAX_BYTES: usize = 4 * 1024;
/// What is logged of one child in each window; the rest is counted.
const WINDOW_MAX_BYTES: usize = 64 * 1024;
const WINDOW: Duration = Duration::from_secs(10);
/// Shorter values are no secrets, and hiding them would garble the log.
const SECRET_MIN_BYTES: usize = 8;
/// A cut line that ends with this much of a secret loses it.
const PREFIX_MIN_BYTES: usize = 4;

/// Lines that are kept.
const LAST_MAX: usize = 10;
/// How long the last words of a child that has ended may take to be read.
const LAST_WAIT: Duration = Duration::from_secs(1);

/// What the children of one upstream said last, as it was logged.
#[derive(Default)]
pub(super) struct LastWords {
    lines: Mutex<VecDeque<String>>,
    /// How many are still listened to.
    open: watch::Sender<usize>,
}

impl LastWords {
    /// Somebody begins to listen.
    pub(super) fn begin(&self) {
        self.open.send_modify(|open| *open += 1);
    }

    /// The last lines, the newest last, once every child was heard to its end.
    pub(super) async fn of_the_ended(&self) -> Vec<String> {
        let mut open = self.open.subscribe();
        // Where one goes on speaking, what it said so far must do.
        drop(timeout(LAST_WAIT, open.wait_for(|open| *open == 0)).await);
        self.lines().iter().cloned().collect()
    }

    fn add(&self, line: String) {
        let mut lines = self.lines();
        if lines.len() == LAST_MAX {
            lines.pop_front();
        }
        lines.push_back(line);
    }

    fn lines(&self) -> MutexGuard<'_, VecDeque<String>> {
        self.lines.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Logs what a child says until it closes its standard error.
///
/// The secrets stay here as long as the child has them, only to be looked for: a server that
/// quotes its own credential in an error is common.
pub(super) async fn follow(
    mut stderr: ChildStderr,
    connection: ConnectionName,
    pid: u32,
    secrets: Vec<Arc<Secret>>,
    last: Arc<LastWords>,
) {
    let mut lines = Lines::default();
    let mut window = Window::new(Instant::now());
    let mut chunk = vec![0; LINE_MAX_BYTES];
    while let Ok(read @ 1..) = stderr.read(&mut chunk).await {
        for text in lines.push(chunk.get(..read).unwrap_or_default()) {
            let (admitted, dropped) = window.admit(text.kept.len(), Instant::now());
            if dropped > 0 {
                tracing::warn!(%connection, pid, dropped_bytes = dropped, "child log cut");
            }
            if admitted {
                let line = inert(&text, &secrets);
                tracing::info!(%connection, pid, line, "child log");
                last.add(line);
            }
        }
    }
    last.open.send_modify(|open| *open = open.saturating_sub(1));
}

/// A line as far as it is kept.
#[derive(Debug, Default, PartialEq, Eq)]
struct Text {
    kept: Vec<u8>,
    cut: bool,
}

/// Puts lines together from whatever pieces come.
#[derive(Default)]
struct Lines {
    current: Text,
}

impl Lines {
    fn push(&mut self, chunk: &[u8]) -> Vec<Text> {
        let mut whole = Vec::new();
        for piece in chunk.split_inclusive(|&byte| byte == b'\n') {
            let (text, ends) =
                piece.strip_suffix(b"\n").map_or((piece, false), |text| (text, true));
            let room = LINE_MAX_BYTES - self.current.kept.len();
            self.current.cut |= text.len() > room;
            self.current.kept.extend(text.iter().take(room));
            if ends {
                whole.push(std::mem::take(&mut self.current));
            }
        }
        whole
    }
}

/// How much may still be logged until when.
struct Window {
    began: Instant,
    used: usize,
    dropped: usize,
}

impl Window {
    const fn new(began: Instant) -> Self {
        Self { began, used: 0, dropped: 0 }
    }

    /// Whether a line of `bytes` may be logged, and how many bytes the window before dropped.
    fn admit(&mut self, bytes: usize, now: Instant) -> (bool, usize) {
        let mut dropped = 0;
        if now.duration_since(self.began) >= WINDOW {
            dropped = self.dropped;
            *self = Self::new(now);
        }
        if self.used + bytes > WINDOW_MAX_BYTES {
            self.dropped += bytes;
            return (false, dropped);
        }
        self.used += bytes;
        (true, dropped)
    }
}

/// The line with secrets hidden and everything that could act on a terminal written out.
fn inert(text: &Text, secrets: &[Arc<Secret>]) -> String {
    let mut line = String::from_utf8_lossy(&text.kept).into_owned();
    // A secret of several lines reaches the log line by line.
    let parts = secrets.iter().flat_map(|secret| secret.expose().lines());
    for part in parts.filter(|part| part.len() >= SECRET_MIN_BYTES) {
        line = line.replace(part, "***");
        if text.cut {
            hide_prefix(&mut line, part);
        }
    }
    let mut shown = String::with_capacity(line.len());
    for c in line.trim_end_matches('\r').chars() {
        match c {
            '"' | '\'' => shown.push(c),
            _ => shown.extend(c.escape_debug()),
        }
    }
    shown
}

/// Takes the beginning of a secret off the end of a line that was cut within it.
fn hide_prefix(line: &mut String, secret: &str) {
    let starts = secret.char_indices().map(|(at, _)| at).filter(|at| *at >= PREFIX_MIN_BYTES);
    for at in starts.collect::<Vec<_>>().into_iter().rev() {
        if let Some(prefix) = secret.get(..at)
            && line.ends_with(prefix)
        {
            line.truncate(line.len() - at);
            line.push_str("***");
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::{io::Write as _, sync::Arc};

    use tokio::time::Instant;

    use super::{LINE_MAX_BYTES, Lines, Text, WINDOW, WINDOW_MAX_BYTES, Window, inert};
    use crate::secret::{Secret, SecretRef};

    fn secret(value: &str) -> Arc<Secret> {
        let mut file = tempfile::NamedTempFile::new().unwrap();
        file.write_all(value.as_bytes()).unwrap();
        Arc::new(SecretRef::File(file.path().to_owned()).resolve().unwrap())
    }

    #[test]
    fn x6_secrets_and_control_characters_do_not_reach_the_log() {
        let secrets = [secret("hunter2-hunter2"), secret("first-line-of-key\nsecond-line-of-key")];
        for (said, shown) in [
            ("plain \"quoted\" text", "plain \"quoted\" text"),
            ("token hunter2-hunter2, again hunter2-hunter2", "token ***, again ***"),
            ("second-line-of-key", "***"),
            ("\u{1b}[31mred\u{7}", r"\u{1b}[31mred\u{7}"),
            ("tag\u{e0041} zero\u{200b}width", r"tag\u{e0041} zero\u{200b}width"),
        ] {
            let text = Text { kept: said.as_bytes().to_vec(), cut: false };
            assert_eq!(inert(&text, &secrets), shown, "X6");
        }
        let cut = Text { kept: b"ends with hunter2-hun".to_vec(), cut: true };
        assert_eq!(inert(&cut, &secrets), "ends with ***", "X6");
        let whole = Text { kept: b"ends with hunter2".to_vec(), cut: false };
        assert_eq!(inert(&whole, &secrets), "ends with hunter2", "X6 twin");
    }

    #[test]
    fn x6_lines_and_their_number_are_bounded() {
        let mut lines = Lines::default();
        assert_eq!(lines.push(b"half "), []);
        let long = [b"line\n".to_vec(), vec![b'x'; LINE_MAX_BYTES + 1], b"\n\n".to_vec()].concat();
        let texts = lines.push(&long);
        assert_eq!(texts[0], Text { kept: b"half line".to_vec(), cut: false });
        assert_eq!((texts[1].kept.len(), texts[1].cut), (LINE_MAX_BYTES, true));
        assert_eq!(texts[2], Text::default());

        let start = Instant::now();
        let mut window = Window::new(start);
        assert_eq!(window.admit(WINDOW_MAX_BYTES, start), (true, 0));
        assert_eq!(window.admit(7, start), (false, 0));
        assert_eq!(window.admit(1, start + WINDOW), (true, 7));
    }
}
