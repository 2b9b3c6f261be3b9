//! Where the vault's keys live: a file of its owner's alone, or a variable. Never in the database.

mod file;
mod key;
mod text;

pub use key::VaultKey;

use std::{env, fmt, path::PathBuf};

use zeroize::Zeroizing;

use crate::{KeyFault, Keyring};

/// Most keys at a time: the one that seals, and those of rotations that are not over.
pub(crate) const KEYS_MAX: usize = 64;

/// The name of a key: 16 hexadecimal digits, made from it.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct KeyId([u8; 8]);

/// Where the keys are.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum KeySource {
    /// A file with one key a line, the oldest first, that this program keeps.
    File(PathBuf),
    /// A variable with keys apart by commas, the oldest first, that whoever sets it keeps.
    Env(String),
}

impl KeySource {
    /// Reads the keys.
    ///
    /// # Errors
    /// [`KeyFault`]
    pub fn read(&self) -> Result<Keyring, KeyFault> {
        match self {
            Self::File(path) => Keyring::new(&text::parse_file(&file::read(path)?)?),
            Self::Env(name) => {
                let value = env::var(name).map(Zeroizing::new);
                let value = value.map_err(|_| KeyFault::Unset(name.clone()))?;
                Keyring::new(&text::parse_list(&value)?)
            }
        }
    }

    /// Reads the keys; a file that is missing is made with one new key in it. Not to be called where
    /// something is sealed already: a new key would hide that nothing of it can be read any more.
    ///
    /// # Errors
    /// [`KeyFault`]
    pub fn read_or_create(&self) -> Result<Keyring, KeyFault> {
        if let Self::File(path) = self {
            file::change(path, |present| match present {
                Some(_) => Ok(None),
                None => text::with_new_key("").map(Some),
            })?;
        }
        self.read()
    }

    /// Puts a new key behind the others; gives the keys with it.
    ///
    /// # Errors
    /// [`KeyFault`]; [`KeyFault::ReadOnly`] for a variable.
    pub fn add(&self) -> Result<Keyring, KeyFault> {
        let change = "put a new key behind the others, separated by a comma, and run this again";
        self.change(change, text::with_new_key)
    }

    /// Takes a key out; gives the keys without it.
    ///
    /// # Errors
    /// [`KeyFault`]; [`KeyFault::ReadOnly`] for a variable, [`KeyFault::Count`] for the last key.
    pub fn forget(&self, key: KeyId) -> Result<Keyring, KeyFault> {
        self.change("take the key out there", |present| text::without(present, key))
    }

    fn change(
        &self,
        instead: &'static str,
        change: impl FnOnce(&str) -> Result<Zeroizing<String>, KeyFault>,
    ) -> Result<Keyring, KeyFault> {
        match self {
            Self::Env(name) => return Err(KeyFault::ReadOnly(name.clone(), instead)),
            Self::File(path) => file::change(path, |present| match present {
                Some(present) => change(&present).map(Some),
                None => Err(KeyFault::Missing(path.clone())),
            })?,
        }
        self.read()
    }
}

impl fmt::Display for KeySource {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File(path) => write!(f, "file:{}", path.display()),
            Self::Env(name) => write!(f, "env:{name}"),
        }
    }
}

impl KeyId {
    pub(crate) const fn from_bytes(bytes: [u8; 8]) -> Self {
        Self(bytes)
    }

    pub(crate) const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }

    /// Reads 16 hexadecimal digits.
    pub fn parse(text: &str) -> Option<Self> {
        let lower =
            text.len() == 16 && text.bytes().all(|c| matches!(c, b'0'..=b'9' | b'a'..=b'f'));
        let number = u64::from_str_radix(text, 16).ok().filter(|_| lower)?;
        Some(Self(number.to_be_bytes()))
    }
}

impl fmt::Display for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:016x}", u64::from_be_bytes(self.0))
    }
}

impl fmt::Debug for KeyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
