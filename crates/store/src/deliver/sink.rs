//! The kinds of receivers, as one.

use std::{
    fs::{File, OpenOptions},
    io::Write as _,
    os::unix::fs::OpenOptionsExt as _,
    path::{Path, PathBuf},
};

use super::{DeliverFault, http::Http, message::Message, syslog::Syslog};
use crate::folder;

/// Where messages go.
pub(super) enum Sink {
    Syslog(Box<Syslog>),
    Http(Box<Http>),
    File(Appended),
}

/// A file that is appended to, and never read: texts with an empty line behind each.
pub(super) struct Appended {
    path: PathBuf,
    file: File,
}

impl Sink {
    /// Returns once the receiver has accepted all of them. After an error it may have some.
    pub(super) async fn send(&self, messages: &[Message]) -> Result<(), DeliverFault> {
        match self {
            Self::Syslog(syslog) => syslog.send(messages).await,
            Self::Http(http) => http.send(messages).await,
            Self::File(file) => file.append(messages),
        }
    }
}

impl Appended {
    /// Opens or creates it, for the owner alone.
    pub(super) fn open(path: &Path) -> Result<Self, DeliverFault> {
        let parent = path.parent().filter(|parent| !parent.as_os_str().is_empty());
        let parent = parent.unwrap_or(Path::new("."));
        let file = OpenOptions::new().append(true).create(true).mode(0o600).open(path);
        let file = file.map_err(DeliverFault::io("open", path))?;
        folder::sync(parent).map_err(DeliverFault::io("sync", parent))?;
        Ok(Self { path: path.to_owned(), file })
    }

    fn append(&self, messages: &[Message]) -> Result<(), DeliverFault> {
        let mut text = String::new();
        for message in messages {
            text.push_str(message.text.trim_end_matches('\n'));
            text.push_str("\n\n");
        }
        let mut file = &self.file;
        let later = |error: std::io::Error| {
            DeliverFault::Later(format!("can't write `{}`: {error}", self.path.display()))
        };
        file.write_all(text.as_bytes()).map_err(later)?;
        file.sync_all().map_err(later)
    }
}
