//! The durable note of what was shipped: one manifest a line, replaced whole.

use std::{
    collections::BTreeMap,
    fs, io,
    path::{Path, PathBuf},
};

use super::{Manifest, ShipFault};
use crate::folder;

/// Everything that was shipped, by first record.
#[derive(Debug)]
pub(super) struct Note {
    path: PathBuf,
    shipped: BTreeMap<u64, Manifest>,
}

impl Note {
    /// Reads the note in `folder`; also tells whether there was one.
    pub(super) fn open(folder: &Path) -> Result<(Self, bool), ShipFault> {
        folder::create(folder).map_err(ShipFault::io("create", folder))?;
        let path = folder.join("shipped.jsonl");
        let mut note = Self { path, shipped: BTreeMap::new() };
        let text = match fs::read(&note.path) {
            Ok(text) => text,
            Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok((note, false)),
            Err(error) => return Err(ShipFault::io("read", &note.path)(error)),
        };
        let name = note.path.display().to_string();
        for line in text.split(|byte| *byte == b'\n').filter(|line| !line.is_empty()) {
            let manifest = Manifest::parse(&name, line)?;
            note.shipped.insert(manifest.first_seq, manifest);
        }
        Ok((note, true))
    }

    pub(super) fn get(&self, first_seq: u64) -> Option<&Manifest> {
        self.shipped.get(&first_seq)
    }

    /// The segment that holds `seq`.
    pub(super) fn holding(&self, seq: u64) -> Option<&Manifest> {
        let (_, manifest) = self.shipped.range(..=seq).next_back()?;
        manifest.holds(seq).then_some(manifest)
    }

    pub(super) fn all(&self) -> impl Iterator<Item = &Manifest> {
        self.shipped.values()
    }

    /// Changes the note, and replaces the file whole: after a crash it holds the old note or the
    /// new one.
    pub(super) fn change(
        &mut self,
        change: impl FnOnce(&mut BTreeMap<u64, Manifest>),
    ) -> Result<(), ShipFault> {
        let mut shipped = self.shipped.clone();
        change(&mut shipped);
        let mut text = Vec::new();
        for manifest in shipped.values() {
            text.extend(manifest.line()?);
        }
        folder::replace(&self.path, &text).map_err(ShipFault::io("replace", &self.path))?;
        self.shipped = shipped;
        Ok(())
    }
}
