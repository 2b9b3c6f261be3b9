//! What a provider writes takes effect: on the record first, then in the store, from which every gateway
//! learns of it within a second.
//!
//! A person who is not active, or not there any more, is out by a revocation of the provider's own; one
//! who is active again has it lifted, and no other. A revocation is made before the change that calls for
//! it, and lifted after, so that nothing that stops in between leaves anybody in.

use lockgate_model::{DirectoryChange, DirectoryEvent, Event, Revocation, Revoked, Timestamp};
use lockgate_store::directory::{By, Directory, DirectoryFault, Entry, Kind, Moves};
use serde_json::{Value, json};
use sha2::{Digest as _, Sha256};

use super::{
    fault::Fault,
    gate::{Named, Provisioned},
    resource::Resource,
    schema::label,
};
use crate::{access::new_id, console::Console, look::unavailable, problem::Problem, revoke};

/// Where a change is made, and for whom.
pub(super) struct Desk<'a> {
    pub(super) console: &'a std::sync::Arc<Console>,
    pub(super) directory: &'a Directory,
    pub(super) of: &'a Provisioned,
}

impl Desk<'_> {
    /// Puts a resource: the first version of it, or the one after `before`.
    pub(super) async fn put(
        &self,
        kind: Kind,
        before: Option<&Entry>,
        mut resource: Resource,
    ) -> Result<Entry, Fault> {
        let members = members(&mut resource);
        let entry = self.entry(kind, before, &resource)?;
        let moves = match (kind, before) {
            (Kind::User, _) => Moves::default(),
            (Kind::Group, None) => Moves { joined: members, left: Vec::new() },
            (Kind::Group, Some(before)) => {
                moves(self.directory.members(&before.id).await?, members)
            }
        };
        let same = |before: &Entry| {
            (&before.resource, &before.external_id) == (&entry.resource, &entry.external_id)
        };
        let told_again = before.is_some_and(same) && moves == Moves::default();
        let active = resource.get("active").and_then(Value::as_bool);
        match kind {
            Kind::User => self.put_user(before, entry, active, told_again).await,
            Kind::Group if told_again => Ok(before.cloned().unwrap_or(entry)),
            Kind::Group => {
                self.is_free(&entry).await?;
                self.record(group(&entry, true, moves.clone())).await?;
                let put = self.directory.put(&entry, &moves).await;
                self.settled(put).await?;
                Ok(entry)
            }
        }
    }

    /// Takes an entry away; who it was is out.
    pub(super) async fn remove(&self, before: &Entry) -> Result<(), Fault> {
        let mut gone = self.next(before);
        let made = match before.kind {
            Kind::Group => {
                let left = self.directory.members(&before.id).await?;
                let moves = Moves { joined: Vec::new(), left };
                self.record(group(before, false, moves)).await?;
                None
            }
            Kind::User => {
                self.record(user(before, false)).await?;
                let out = before.revocation.is_none();
                match out {
                    true => Some(self.revoke(&gone, &before.name, "removed", None).await?),
                    false => None,
                }
            }
        };
        gone.revocation = made.clone().or(gone.revocation);
        let removed = self.directory.remove(&gone).await;
        self.undone(removed.is_err(), made.into_iter().collect()).await;
        self.settled(removed).await
    }

    async fn put_user(
        &self,
        before: Option<&Entry>,
        mut entry: Entry,
        active: Option<bool>,
        told_again: bool,
    ) -> Result<Entry, Fault> {
        let was_in = before.is_none_or(|before| before.revocation.is_none());
        // What is not said stays as it was.
        let stays_in = active.unwrap_or(was_in);
        let renamed = before.filter(|before| before.name != entry.name);
        if told_again && stays_in == was_in {
            return Ok(before.cloned().unwrap_or(entry));
        }
        self.is_free(&entry).await?;
        self.record(user(&entry, true)).await?;
        let mut made = Vec::new();
        // Whoever has another name now must not go on by the old one.
        if let (Some(before), true) = (renamed, was_in) {
            let until = Some(self.console.now());
            made.push(self.revoke(&entry, &before.name, "renamed", until).await?);
        }
        if !stays_in && (was_in || renamed.is_some()) {
            let id = self.revoke(&entry, &entry.name, "deactivated", None).await?;
            entry.revocation = Some(id.clone());
            made.push(id);
        }
        let put = self.directory.put(&entry, &Moves::default()).await;
        self.undone(put.is_err(), made).await;
        self.settled(put).await?;
        if stays_in { self.let_in(entry).await } else { Ok(entry) }
    }

    /// Lifts what kept somebody out, whom the provider has in again.
    async fn let_in(&self, entry: Entry) -> Result<Entry, Fault> {
        for id in self.directory.left_out(&entry.issuer, &entry.name).await? {
            self.lift(id).await?;
        }
        self.directory.forget(&entry.issuer, &entry.name).await?;
        let Some(id) = entry.revocation.clone() else { return Ok(entry) };
        self.lift(id).await?;
        // Not before it is lifted, so that it is lifted when this is told again.
        let entry = Entry { revocation: None, ..self.next(&entry) };
        self.directory.put(&entry, &Moves::default()).await?;
        Ok(entry)
    }

    /// The next version of an entry, with nothing else changed.
    fn next(&self, before: &Entry) -> Entry {
        Entry { version: before.version + 1, changed: self.console.now(), ..before.clone() }
    }

    fn entry(
        &self,
        kind: Kind,
        before: Option<&Entry>,
        resource: &Resource,
    ) -> Result<Entry, Fault> {
        let text = |name: &str| resource.get(name).and_then(Value::as_str).map(str::to_owned);
        let shown = text(label(kind)).unwrap_or_default();
        let named = match kind {
            Kind::User => self.of.user,
            Kind::Group => self.of.group,
        };
        let name = match named {
            Named::Label => Some(shown.clone()),
            Named::ExternalId => text("externalId"),
        };
        let name = name
            .ok_or_else(|| Fault::value("`externalId` is missing, by which tokens name it here"))?;
        let now = self.console.now();
        let id = match before {
            Some(before) => before.id.clone(),
            None => new_id('-')?.split_off(1),
        };
        Ok(Entry {
            id,
            kind,
            issuer: self.of.issuer.clone(),
            name,
            label: shown.to_lowercase(),
            external_id: text("externalId"),
            revocation: before.and_then(|before| before.revocation.clone()),
            resource: Value::Object(resource.clone()).to_string(),
            version: before.map_or(1, |before| before.version + 1),
            made: before.map_or(now, |before| before.made),
            changed: now,
        })
    }

    /// Before anything is on the record: what can't be put should not be there as if it were.
    async fn is_free(&self, entry: &Entry) -> Result<(), Fault> {
        let by_label = entry.kind == Kind::User || self.of.group == Named::Label;
        let label_by = by_label.then(|| (By::Label(entry.label.clone()), label(entry.kind)));
        // Else it would be another who is put out.
        let name_by = (By::Name(entry.name.clone()), "name in tokens");
        for (by, what) in label_by.into_iter().chain([name_by]) {
            let found = self.directory.find(&entry.issuer, entry.kind, Some(&by), 0, 2).await?;
            if found.iter().any(|one| one.id != entry.id) {
                return Err(DirectoryFault::Taken(what).into());
            }
        }
        Ok(())
    }

    /// Puts somebody out; gives the id of the revocation that keeps them out.
    async fn revoke(
        &self,
        entry: &Entry,
        subject: &str,
        why: &str,
        until: Option<Timestamp>,
    ) -> Result<String, Fault> {
        let revocation = Revocation {
            id: self.standing_id(entry, subject).await?,
            target: Revoked::Subject { issuer: entry.issuer.clone(), subject: subject.to_owned() },
            issued_until: until,
            reason: format!("{why} at the identity provider"),
            by: self.of.author(),
            at: self.console.now(),
            until: None,
        };
        let id = revocation.id.clone();
        revoke::make(self.console, vec![revocation]).await?;
        Ok(id)
    }

    /// The same id however often the same change is told, unless that one was lifted because the change
    /// could not be made: what was lifted keeps nobody out again.
    async fn standing_id(&self, entry: &Entry, subject: &str) -> Result<String, Fault> {
        let store = revoke::store(self.console)?;
        let mut tries = 0_u64;
        loop {
            let parts = json!([entry.issuer, entry.id, entry.version, subject, tries]).to_string();
            let digest = Sha256::digest(parts).to_vec();
            let digits = digest.iter().take(16).map(|byte| format!("{byte:02x}"));
            let id = format!("r{}", digits.collect::<String>());
            match store.get(&id).await.map_err(Problem::from)? {
                Some(kept) if kept.lifted.is_some() => tries += 1,
                _ => return Ok(id),
            }
        }
    }

    /// Where the change was not made, neither is what it called for.
    async fn undone(&self, failed: bool, made: Vec<String>) {
        for id in made.into_iter().filter(|_| failed) {
            if let Err(fault) = self.lift(id).await {
                tracing::error!(?fault, "a revocation stands whose change was not made");
            }
        }
    }

    async fn lift(&self, id: String) -> Result<(), Fault> {
        let why = "active at the identity provider".to_owned();
        Ok(revoke::lift(self.console, id, self.of.author(), why).await?)
    }

    async fn settled(&self, put: Result<(), DirectoryFault>) -> Result<(), Fault> {
        let Err(fault) = put else { return Ok(()) };
        // The failure itself is what the provider must learn.
        drop(self.record(DirectoryChange::Failed { why: fault.to_string() }).await);
        Err(fault.into())
    }

    async fn record(&self, change: DirectoryChange) -> Result<(), Fault> {
        let event = Event::Directory(DirectoryEvent { by: self.of.author(), change });
        let recorded = (self.console.edge.keeper.append)(event).await;
        recorded.map(drop).map_err(|fault| unavailable(&fault).into())
    }
}

fn user(entry: &Entry, stays: bool) -> DirectoryChange {
    DirectoryChange::User { id: entry.id.clone(), subject: entry.name.clone(), stays }
}

fn group(entry: &Entry, stays: bool, moves: Moves) -> DirectoryChange {
    let Moves { joined, left } = moves;
    let (id, name) = (entry.id.clone(), entry.name.clone());
    DirectoryChange::Group { id, name, stays, joined, left }
}

/// Takes the ids of the members out of a group, each once.
fn members(resource: &mut Resource) -> Vec<String> {
    let members = resource.shift_remove("members");
    let members = members.as_ref().and_then(Value::as_array).into_iter().flatten();
    let mut ids: Vec<String> =
        members.filter_map(|member| member["value"].as_str().map(str::to_owned)).collect();
    ids.sort_unstable();
    ids.dedup();
    ids
}

/// What has to happen so that those who were members are those of `after`; both are in order.
fn moves(before: Vec<String>, after: Vec<String>) -> Moves {
    let joined = after.iter().filter(|id| before.binary_search(id).is_err()).cloned().collect();
    let left = before.into_iter().filter(|id| after.binary_search(id).is_err()).collect();
    Moves { joined, left }
}
