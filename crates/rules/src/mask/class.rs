//! Data classes: a tree, written with dots, such as `pii.email` or `secret.aws`.

use std::{
    fmt,
    hash::{Hash, Hasher},
    sync::Arc,
};

/// A short text that is mostly known when the gateway is built. Cheap to clone.
#[derive(Clone)]
pub struct Name(Held);

#[derive(Clone)]
enum Held {
    Known(&'static str),
    Own(Arc<str>),
}

/// A data class by its name. Cheap to clone.
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Class(Name);

impl Name {
    /// A name that the program knows.
    pub const fn known(name: &'static str) -> Self {
        Self(Held::Known(name))
    }

    /// A name that was read.
    pub fn new(name: &str) -> Self {
        Self(Held::Own(name.into()))
    }

    /// Its text.
    pub fn as_str(&self) -> &str {
        match &self.0 {
            Held::Known(name) => name,
            Held::Own(name) => name,
        }
    }
}

impl Class {
    /// The class with this name.
    pub fn new(name: &str) -> Self {
        Self(Name::new(name))
    }

    /// A class that the program knows.
    pub const fn known(name: &'static str) -> Self {
        Self(Name::known(name))
    }

    /// Its name.
    pub fn name(&self) -> &str {
        self.0.as_str()
    }

    /// Whether the program knows it: such a name is short, and letters, digits, `.` and `_`.
    pub(super) const fn is_known(&self) -> bool {
        matches!(self.0.0, Held::Known(_))
    }

    /// Whether it is `other` or stands below it: `pii.email` is in `pii`.
    pub fn is_in(&self, other: &str) -> bool {
        self.name().strip_prefix(other).is_some_and(|rest| rest.is_empty() || rest.starts_with('.'))
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.as_str() == other.as_str()
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.as_str().hash(state);
    }
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        self.as_str().cmp(other.as_str())
    }
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(self.as_str(), f)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

impl fmt::Debug for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Debug::fmt(&self.0, f)
    }
}

impl fmt::Display for Class {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name())
    }
}
