//! What is registered and what is sealed, as the process around the console shows and changes it.
//!
//! The console knows who may and in what form; what is fit to be served, and how a value is sealed, is the
//! process's business. It puts each change on the record, in its author's name, before it takes effect. No
//! value comes back this way.

use lockgate_model::{ConnectionName, SecretName, Timestamp};
use serde_json::{Map, Value};
use zeroize::Zeroizing;

use crate::edge::Later;

/// How connections and secrets are seen and changed.
pub struct Registrar {
    /// Every connection, those of the file first.
    pub connections: Box<dyn Fn() -> Later<Result<Vec<Connection>, Declined>> + Send + Sync>,
    /// Registers, changes or removes a connection; gives its version.
    pub register: Change<ConnectionName, Map<String, Value>>,
    /// Every secret, without its value.
    pub secrets: Box<dyn Fn() -> Later<Result<Vec<Secret>, Declined>> + Send + Sync>,
    /// Seals a secret, or another value of it, or removes it; gives its version.
    pub seal: Change<SecretName, Sealable>,
}

/// Makes a change, and gives the version that came of it.
pub type Change<N, T> = Box<dyn Fn(Wish<N, T>) -> Later<Result<u64, Declined>> + Send + Sync>;

/// What somebody wants of one thing.
pub struct Wish<N, T> {
    /// Who, as records name them.
    pub by: String,
    /// Which.
    pub name: N,
    /// What they know of it.
    pub known: Known,
    /// As it should be; `None` where it should go.
    pub what: Option<T>,
}

/// What somebody says of the version that they change.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Known {
    /// Nothing: there must be none.
    Nothing,
    /// Any version.
    Any,
    /// This version.
    Version(u64),
}

/// A value with what it is for. No `Debug`, `Serialize` or `Clone`.
pub struct Sealable {
    /// The value itself.
    pub value: Zeroizing<String>,
    /// The one connection that may use it.
    pub connection: Option<ConnectionName>,
    /// What it is for, for whoever lists secrets.
    pub description: Option<String>,
}

/// A connection as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Connection {
    /// Its name.
    pub name: String,
    /// `file:line`, or who registered it and when.
    pub origin: String,
    /// Its version; `None` for one of the file, which can be changed there alone.
    pub version: Option<u64>,
    /// `served`, `shadowed` or `refused`; `older` where a version before this one is served.
    pub state: &'static str,
    /// Why it is not served as it stands.
    pub why: Option<String>,
    /// Its settings, secrets by reference; `None` where they can't be read any more.
    pub settings: Option<Value>,
}

/// A secret as it is shown.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Secret {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: u64,
    /// The one connection that may use it.
    pub connection: Option<String>,
    /// The connections that refer to it.
    pub used_by: Vec<String>,
    /// What it is for.
    pub description: String,
    /// Who set this version.
    pub author: String,
    /// When its first version was set.
    pub created: Timestamp,
    /// When this version was set.
    pub updated: Timestamp,
}

/// Why something is not shown or changed. Nothing was changed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Declined {
    /// There is none of this name.
    Unknown,
    /// It is the configuration file's; where it stands there.
    ReadOnly(String),
    /// It can't be as somebody wishes.
    Unfit(String),
    /// It is there, in this version, and who changes it must say which version they know.
    Unsaid(u64),
    /// It is in another version than that.
    Stale(u64),
    /// What it needs can't be had at the moment.
    Away(String),
}

impl Known {
    /// Whether a change may be made of what is there now.
    ///
    /// # Errors
    /// [`Declined::Unsaid`], [`Declined::Stale`], and [`Declined::Unknown`] where nothing is there that a
    /// version was said of.
    pub const fn fits(self, now: Option<u64>) -> Result<(), Declined> {
        match (self, now) {
            (Self::Nothing, None) | (Self::Any, Some(_)) => Ok(()),
            (Self::Nothing, Some(version)) => Err(Declined::Unsaid(version)),
            (Self::Any | Self::Version(_), None) => Err(Declined::Unknown),
            (Self::Version(known), Some(version)) if known == version => Ok(()),
            (Self::Version(_), Some(version)) => Err(Declined::Stale(version)),
        }
    }
}
