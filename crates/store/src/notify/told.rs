//! Which questions a channel has told of, in one small file, so that a restart tells nobody twice.
//!
//! It holds what is open and no more: ids, and the receipts by which a message is found again. Lost,
//! the questions that are open are told again.

use std::{collections::BTreeMap, fs, io, path::PathBuf};

use tokio::task::spawn_blocking;

use crate::{deliver::DeliverFault, folder};

/// What was told, and is not settled.
pub(super) struct Told {
    path: PathBuf,
    /// Receipts by the approval's id.
    receipts: BTreeMap<String, String>,
}

impl Told {
    /// What stands in the file at `path`; nothing where there is none, or it can't be read.
    pub(super) fn open(path: PathBuf) -> Self {
        let read = fs::read(&path).and_then(|text| Ok(serde_json::from_slice(&text)?));
        let receipts = read.unwrap_or_else(|fault| {
            if fault.kind() != io::ErrorKind::NotFound {
                let path = path.display();
                tracing::warn!(%path, %fault, "what was told is not known; it is told again");
            }
            BTreeMap::new()
        });
        Self { path, receipts }
    }

    pub(super) fn has(&self, id: &str) -> bool {
        self.receipts.contains_key(id)
    }

    /// Everything, as it is now.
    pub(super) fn all(&self) -> Vec<(String, String)> {
        self.receipts.iter().map(|(id, receipt)| (id.clone(), receipt.clone())).collect()
    }

    pub(super) fn add(&mut self, id: String, receipt: String) {
        self.receipts.insert(id, receipt);
    }

    pub(super) fn remove(&mut self, id: &str) {
        self.receipts.remove(id);
    }

    /// Makes it durable.
    pub(super) async fn save(&self) -> Result<(), DeliverFault> {
        let later = |fault: &dyn std::fmt::Display| DeliverFault::Later(fault.to_string());
        let text = serde_json::to_vec(&self.receipts).map_err(|fault| later(&fault))?;
        let path = self.path.clone();
        let saved = spawn_blocking(move || {
            path.parent().map_or(Ok(()), folder::create)?;
            folder::replace(&path, &text)
        });
        let saved = saved.await.map_err(|fault| later(&fault))?;
        saved
            .map_err(|fault| later(&format_args!("can't write `{}`: {fault}", self.path.display())))
    }
}

#[cfg(test)]
mod tests {
    use super::Told;

    #[tokio::test]
    async fn what_was_told_is_known_after_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("channels/slack-ops.json");
        let mut told = Told::open(path.clone());
        told.add("a1".into(), "17.1".into());
        told.add("a2".into(), String::new());
        told.remove("a2");
        told.save().await.unwrap();
        assert_eq!(Told::open(path.clone()).all(), [("a1".to_owned(), "17.1".to_owned())]);
        std::fs::write(&path, "{").unwrap();
        assert!(!Told::open(path).has("a1"), "told again rather than not at all");
    }
}
