//! Where the vault's keys are, and reading and changing them there: a file, a variable, or the database,
//! wrapped by a server outside. Unwrapped, they are in memory only.

use std::{fmt, path::PathBuf};

use lockgate_model::Timestamp;
use lockgate_store::{
    db::DbFault,
    secrets::{Secrets, WrappedKey},
};
use lockgate_vault::{KeyFault, KeyId, KeySource, Keyring, VaultKey};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::Error as _};

use crate::{
    provider::{ProviderFault, Providers, WrappingKey},
    secret::SecretRef,
};

/// What the reader of a configuration says where a key itself may stand in place of where it is.
pub const KEYS_WANTED: &str = "the vault's keys are named by where they are: `file:/absolute/path`, \
     `env:NAME`, `transit:NAME` or `kms:KEY`";

/// One place of keys.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeyPlace {
    /// A file or a variable.
    Here(KeySource),
    /// The database, each wrapped under a key that somebody outside keeps.
    Wrapped(WrappingKey),
}

/// Every place of keys. The newest key of the last one is meant for sealing; all others open what was
/// sealed before.
#[derive(Clone)]
pub struct KeyPlaces {
    places: Vec<KeyPlace>,
    providers: Providers,
}

/// Why keys can't be read or changed.
#[derive(Debug, thiserror::Error)]
#[non_exhaustive]
pub enum KeysFault {
    /// Of a file or a variable, or of all together.
    #[error(transparent)]
    Here(#[from] KeyFault),
    /// The database in which wrapped ones are.
    #[error(transparent)]
    Db(#[from] DbFault),
    /// Whoever wraps them.
    #[error("the vault's keys at `{place}` can't be had: {fault}")]
    Outside {
        /// Where they are.
        place: WrappingKey,
        /// What happened.
        fault: ProviderFault,
    },
}

impl KeyPlaces {
    /// These places, the one that seals last. `providers` wrap where one of them says so.
    pub const fn new(places: Vec<KeyPlace>, providers: Providers) -> Self {
        Self { places, providers }
    }

    /// Whether somebody outside can take keys away, by no longer unwrapping them.
    pub(super) fn are_wrapped(&self) -> bool {
        self.places.iter().any(|place| matches!(place, KeyPlace::Wrapped(_)))
    }

    /// Whether there may be other keys by now than these. Those of files are read in vain rather; who
    /// unwraps is not asked for nothing.
    ///
    /// # Errors
    /// [`DbFault`]
    pub(super) async fn may_differ(
        &self,
        from: &Keyring,
        secrets: &Secrets,
    ) -> Result<bool, DbFault> {
        if !self.are_wrapped() {
            return Ok(true);
        }
        let wrapped = secrets.wrapped_keys().await?;
        Ok(!wrapped.iter().all(|key| KeyId::parse(&key.id).is_some_and(|id| from.has(id))))
    }

    /// Reads all keys.
    ///
    /// # Errors
    /// [`KeysFault`]
    pub async fn read(&self, secrets: &Secrets) -> Result<Keyring, KeysFault> {
        let mut all: Option<Keyring> = None;
        for place in &self.places {
            let newer = match place {
                KeyPlace::Here(source) => source.read()?,
                KeyPlace::Wrapped(under) => {
                    let keys = self.unwrapped(under, secrets).await?;
                    if keys.is_empty() {
                        continue;
                    }
                    Keyring::of(keys)?
                }
            };
            all = Some(match all {
                Some(older) => older.before(newer)?,
                None => newer,
            });
        }
        all.ok_or(KeysFault::Here(KeyFault::Count(0)))
    }

    /// As [`Self::read`]; where the last place has no key, one is made. Not to be called where something
    /// is sealed already: a new key would hide that nothing of it can be read any more.
    ///
    /// # Errors
    /// [`KeysFault`]
    pub async fn read_or_create(
        &self,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Result<Keyring, KeysFault> {
        match self.places.last() {
            Some(KeyPlace::Here(source)) => drop(source.read_or_create()?),
            Some(KeyPlace::Wrapped(under)) => {
                let named = under.to_string();
                let known = secrets.wrapped_keys().await?;
                if !known.iter().any(|key| key.place == named) {
                    self.wrap(under, secrets, now).await?;
                }
            }
            None => {}
        }
        self.read(secrets).await
    }

    /// Puts a new key into the last place; gives all keys with it.
    ///
    /// # Errors
    /// [`KeysFault`]; [`KeyFault::ReadOnly`] for a variable.
    pub async fn add(&self, secrets: &Secrets, now: Timestamp) -> Result<Keyring, KeysFault> {
        match self.places.last() {
            Some(KeyPlace::Here(source)) => drop(source.add()?),
            Some(KeyPlace::Wrapped(under)) => self.wrap(under, secrets, now).await?,
            None => {}
        }
        self.read(secrets).await
    }

    /// Takes a key out of the place in which it is.
    ///
    /// # Errors
    /// [`KeysFault`]; [`KeyFault::ReadOnly`] for a variable, [`KeyFault::Count`] for the last key of a
    /// file, [`KeyFault::Unknown`] where it is nowhere.
    pub async fn forget(&self, secrets: &Secrets, key: KeyId) -> Result<(), KeysFault> {
        let id = key.to_string();
        if secrets.wrapped_keys().await?.iter().any(|wrapped| wrapped.id == id) {
            secrets.forget_wrapped_key(&id).await?;
            return Ok(());
        }
        for place in &self.places {
            if let KeyPlace::Here(source) = place
                && source.read()?.has(key)
            {
                source.forget(key)?;
                return Ok(());
            }
        }
        Err(KeysFault::Here(KeyFault::Unknown(key)))
    }

    async fn unwrapped(
        &self,
        under: &WrappingKey,
        secrets: &Secrets,
    ) -> Result<Vec<VaultKey>, KeysFault> {
        let outside = |fault| KeysFault::Outside { place: under.clone(), fault };
        let named = under.to_string();
        let mut keys = Vec::new();
        for wrapped in secrets.wrapped_keys().await?.iter().filter(|key| key.place == named) {
            let id = KeyId::parse(&wrapped.id).ok_or_else(|| {
                let why = format!("`{}` is no key's id", wrapped.id.escape_default());
                outside(ProviderFault::Refused(why))
            })?;
            let key = self.providers.unwrap(under, id, &wrapped.wrapped).await;
            keys.push(key.map_err(outside)?);
        }
        Ok(keys)
    }

    /// Makes a key, has it wrapped, and keeps that. Where somebody else did so at the same time, theirs
    /// is the one.
    async fn wrap(
        &self,
        under: &WrappingKey,
        secrets: &Secrets,
        now: Timestamp,
    ) -> Result<(), KeysFault> {
        let outside = |fault| KeysFault::Outside { place: under.clone(), fault };
        let last = secrets.wrapped_keys().await?.last().map_or(0, |key| key.number);
        let key = VaultKey::random()?;
        let wrapped = self.providers.wrap(under, &key).await;
        let wrapped = WrappedKey {
            id: key.id().to_string(),
            place: under.to_string(),
            number: last + 1,
            wrapped: wrapped.map_err(outside)?,
        };
        secrets.add_wrapped_key(&wrapped, now).await?;
        Ok(())
    }
}

impl fmt::Display for KeyPlaces {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let places: Vec<String> = self.places.iter().map(ToString::to_string).collect();
        f.write_str(&places.join(", "))
    }
}

impl KeyPlace {
    /// Reads `file:/absolute/path`, `env:NAME`, or a [`WrappingKey`]; `None` for anything else.
    pub fn parse(text: &str) -> Option<Self> {
        if let Some(under) = WrappingKey::parse(text) {
            return Some(Self::Wrapped(under));
        }
        match SecretRef::parse(text)? {
            SecretRef::Env(name) => Some(Self::Here(KeySource::Env(name))),
            SecretRef::File(path) => Some(Self::file(path)),
            SecretRef::Sealed(_) | SecretRef::Kept(_) | SecretRef::Aws(_) => None,
        }
    }

    /// A file that this program keeps.
    pub const fn file(path: PathBuf) -> Self {
        Self::Here(KeySource::File(path))
    }
}

impl fmt::Display for KeyPlace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Here(source) => source.fmt(f),
            Self::Wrapped(under) => under.fmt(f),
        }
    }
}

impl Serialize for KeyPlace {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyPlace {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        // The text is not quoted back: it may be a key itself, written in the wrong place.
        Self::parse(&String::deserialize(deserializer)?)
            .ok_or_else(|| D::Error::custom(KEYS_WANTED))
    }
}
