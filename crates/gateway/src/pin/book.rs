//! Accepted against seen, name by name. Pure: no files, no clock, no upstream.

use std::collections::HashMap;

use lockgate_model::Digest;
use lockgate_store::pins::{InstructionsPin, Pin, PinKind, Pins};

use crate::settings::PinMode;

/// Names that a summary lists of each sort; the rest is counted.
const NAMES_MAX: usize = 10;

/// The pins of one connection.
#[derive(Debug)]
pub struct PinBook {
    mode: PinMode,
    accepted: Option<Pins>,
    tools: HashMap<String, Entry>,
    prompts: HashMap<String, Entry>,
    /// Instructions of the last listing; the outer `None` before the first.
    instructions_seen: Option<Option<Digest>>,
}

/// One name: what was accepted under it and what was seen under it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
struct Entry {
    accepted: Option<Digest>,
    /// By the last listing, or since then by a client's list that showed another one.
    seen: Option<Digest>,
    /// By the last listing alone, so that what a client's list showed is still news to the next.
    listed: Option<Digest>,
}

/// How a definition stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    /// It is the accepted one.
    Accepted(Digest),
    /// Nothing was ever accepted under this name.
    New,
    /// Something else was accepted under this name.
    Changed,
    /// The server has nothing under this name.
    Absent,
}

/// What follows from a listing, before any of it is done.
#[derive(Debug, PartialEq)]
pub(super) struct Findings {
    /// What must be saved as accepted, where the connection accepts on first use.
    pub(super) accept: Option<Pins>,
    /// What is noteworthy, as one sentence; `None` where nothing is, or it was told already.
    pub(super) summary: Option<String>,
}

impl PinBook {
    /// A book with what was accepted earlier; nothing seen yet.
    pub fn new(mode: PinMode, accepted: Option<Pins>) -> Self {
        let mut book = Self {
            mode,
            accepted: None,
            tools: HashMap::new(),
            prompts: HashMap::new(),
            instructions_seen: None,
        };
        book.accept(accepted);
        book
    }

    /// What is accepted; `None` where nothing ever was.
    pub const fn accepted(&self) -> Option<&Pins> {
        self.accepted.as_ref()
    }

    /// Replaces what is accepted, as after `lockgate pins accept`.
    pub fn accept(&mut self, accepted: Option<Pins>) {
        for entry in self.tools.values_mut().chain(self.prompts.values_mut()) {
            entry.accepted = None;
        }
        for pin in accepted.iter().flat_map(|pins| &pins.definitions) {
            self.names_mut(pin.kind).entry(pin.name.clone()).or_default().accepted =
                Some(pin.digest);
        }
        self.accepted = accepted;
    }

    /// How the definition last seen under a name stands. A call is right only where it is
    /// accepted.
    pub fn standing(&self, kind: PinKind, name: &str) -> Standing {
        match self.names(kind).get(name).copied().unwrap_or_default() {
            Entry { accepted: Some(accepted), seen: Some(seen), .. } if accepted == seen => {
                Standing::Accepted(accepted)
            }
            Entry { accepted: Some(_), seen: Some(_), .. } => Standing::Changed,
            Entry { accepted: None, seen: Some(_), .. } => Standing::New,
            Entry { seen: None, .. } => Standing::Absent,
        }
    }

    /// How one item of a list on its way to a client stands. What is not accepted counts as seen
    /// from now on, so that it can't be called either.
    pub fn sight(&mut self, kind: PinKind, name: &str, digest: Digest) -> Standing {
        let names = self.names_mut(kind);
        let known = names.get_mut(name);
        if let Some(Entry { accepted: Some(accepted), .. }) = &known
            && *accepted == digest
        {
            return Standing::Accepted(digest);
        }
        let accepted = known.as_ref().is_some_and(|entry| entry.accepted.is_some());
        // A name that no listing showed needs no entry to be refused, and remembering every such
        // name would let a server fill the memory.
        if let Some(entry) = known {
            entry.seen = Some(digest);
        }
        if accepted { Standing::Changed } else { Standing::New }
    }

    /// Whether a client may be shown these instructions; empty text is none.
    pub fn admits_instructions(&self, digest: Option<Digest>) -> bool {
        let accepted = self.accepted.as_ref().map(|pins| pins.instructions.as_ref());
        digest.is_none() || accepted.flatten().map(|pin| pin.digest) == digest
    }

    /// What a listing means, without doing it.
    pub(super) fn examine(&self, seen: &Pins) -> Findings {
        let mut accept = None;
        if self.mode == PinMode::OnFirstUse {
            let fresh: Vec<Pin> = self.fresh(seen).cloned().collect();
            if !fresh.is_empty() || self.accepted.is_none() {
                let mut pins = self.accepted.clone().unwrap_or_else(|| Pins {
                    // Instructions are at first use only with the very first listing: a server
                    // that begins to give some later has changed.
                    instructions: seen.instructions.clone(),
                    definitions: Vec::new(),
                });
                pins.definitions.extend(fresh);
                accept = Some(pins);
            }
        }
        let summary = self.summary(seen, accept.is_some());
        Findings { accept, summary }
    }

    /// Makes a listing the last one seen.
    pub(super) fn observe(&mut self, seen: &Pins) {
        for entry in self.tools.values_mut().chain(self.prompts.values_mut()) {
            entry.seen = None;
            entry.listed = None;
        }
        for pin in &seen.definitions {
            let entry = self.names_mut(pin.kind).entry(pin.name.clone()).or_default();
            entry.seen = Some(pin.digest);
            entry.listed = Some(pin.digest);
        }
        for names in [&mut self.tools, &mut self.prompts] {
            names.retain(|_, entry| *entry != Entry::default());
        }
        self.instructions_seen = Some(instructions_digest(seen));
    }

    fn fresh<'a>(&'a self, seen: &'a Pins) -> impl Iterator<Item = &'a Pin> {
        seen.definitions.iter().filter(|pin| {
            self.names(pin.kind).get(&pin.name).is_none_or(|entry| entry.accepted.is_none())
        })
    }

    /// One sentence on what is not as accepted, where this listing differs from the one before.
    fn summary(&self, seen: &Pins, accepting: bool) -> Option<String> {
        let entry = |pin: &Pin| self.names(pin.kind).get(&pin.name).copied().unwrap_or_default();
        let known = self.instructions_seen == Some(instructions_digest(seen))
            && self.listed_count() == seen.definitions.len()
            && seen.definitions.iter().all(|pin| entry(pin).listed == Some(pin.digest));
        if known {
            return None;
        }
        let changed = seen
            .definitions
            .iter()
            .filter(|pin| entry(pin).accepted.is_some_and(|accepted| accepted != pin.digest));
        let shown = |kind, name: &str| {
            seen.definitions.iter().any(|pin| pin.kind == kind && pin.name == name)
        };
        let accepted = self.accepted.iter().flat_map(|pins| &pins.definitions);
        let gone = accepted.filter(|pin| !shown(pin.kind, &pin.name));
        let fresh = if accepting { "accepted on first use" } else { "new and waiting" };
        let mut parts = [
            part(fresh, self.fresh(seen)),
            part("changed and waiting", changed),
            part("gone", gone),
        ]
        .map(Option::into_iter)
        .into_iter()
        .flatten()
        .collect::<Vec<_>>();
        let first = self.accepted.is_none() && accepting;
        if !first && !self.admits_instructions(instructions_digest(seen)) {
            parts.push("instructions changed and withheld".to_owned());
        }
        (!parts.is_empty()).then(|| parts.join("; "))
    }

    fn listed_count(&self) -> usize {
        let entries = self.tools.values().chain(self.prompts.values());
        entries.filter(|entry| entry.listed.is_some()).count()
    }

    const fn names(&self, kind: PinKind) -> &HashMap<String, Entry> {
        match kind {
            PinKind::Tool => &self.tools,
            PinKind::Prompt => &self.prompts,
        }
    }

    const fn names_mut(&mut self, kind: PinKind) -> &mut HashMap<String, Entry> {
        match kind {
            PinKind::Tool => &mut self.tools,
            PinKind::Prompt => &mut self.prompts,
        }
    }
}

fn instructions_digest(pins: &Pins) -> Option<Digest> {
    pins.instructions.as_ref().map(|InstructionsPin { digest, .. }| *digest)
}

/// `changed and waiting: tool a, prompt b`; names hold no characters that could do harm.
fn part<'a>(what: &str, pins: impl Iterator<Item = &'a Pin>) -> Option<String> {
    let names: Vec<_> = pins.map(|pin| format!("{} {}", pin.kind.as_str(), pin.name)).collect();
    let more = names.len().saturating_sub(NAMES_MAX);
    let listed = names.iter().take(NAMES_MAX).map(String::as_str).collect::<Vec<_>>().join(", ");
    match (names.is_empty(), more) {
        (true, _) => None,
        (false, 0) => Some(format!("{what}: {listed}")),
        (false, more) => Some(format!("{what}: {listed} and {more} more")),
    }
}

#[cfg(test)]
#[path = "book_tests.rs"]
mod tests;
