//! A connection as commands and the admin API show it: where it comes from, and how it stands.

use lockgate_gateway::settings::{ConnectionSettings, UpstreamSettings};
use lockgate_store::connections::ConnectionRow;
use serde::Serialize;
use serde_json::Value;

use crate::{
    config::{Loaded, Registered, Standing, sparse},
    failure::Failure,
    moment,
    terminal::inert,
};

/// One connection.
#[derive(Debug, Serialize)]
pub(crate) struct Shown {
    /// Its name.
    pub(crate) name: String,
    /// `file` or `registered`.
    pub(crate) source: &'static str,
    /// `file:line`, or who registered it and when.
    pub(crate) origin: String,
    /// Its version, where it is registered.
    pub(crate) version: Option<u64>,
    /// `served`, `shadowed` or `refused`; `older` where a version before this one is served.
    pub(crate) state: &'static str,
    /// Why it is not served as it stands.
    pub(crate) why: Option<String>,
    /// What is behind it: a URL or a command.
    pub(crate) upstream: String,
    /// Its settings, secrets by reference; `None` where they can't be read any more.
    pub(crate) settings: Option<Value>,
}

impl Shown {
    /// Every connection: those of the file first, then those that are registered, by name.
    ///
    /// # Errors
    /// Where a setting has no JSON form.
    pub(crate) fn all(loaded: &Loaded) -> Result<Vec<Self>, Failure> {
        let of_file = loaded.settings.connections.iter().filter(|one| {
            let registered = loaded.registered(one.name.as_str());
            registered.is_none_or(|one| matches!(one.standing, Standing::Shadowed { .. }))
        });
        let mut all =
            of_file.map(|one| Self::of_file(loaded, one)).collect::<Result<Vec<_>, _>>()?;
        all.extend(loaded.registered.iter().map(|one| Self::registered(loaded, one)));
        Ok(all)
    }

    fn of_file(loaded: &Loaded, settings: &ConnectionSettings) -> Result<Self, Failure> {
        let file = loaded.file.display();
        let line = loaded.line_of(&settings.name).map(|line| format!(":{line}"));
        Ok(Self {
            name: settings.name.to_string(),
            source: "file",
            origin: format!("{file}{}", line.unwrap_or_default()),
            version: None,
            state: "served",
            why: None,
            upstream: upstream(settings),
            settings: Some(sparse(settings).map_err(Failure::bug)?),
        })
    }

    fn registered(loaded: &Loaded, one: &Registered) -> Self {
        let ConnectionRow { name, version, settings, .. } = &one.row;
        let settings: Option<Value> =
            settings.as_ref().and_then(|text| serde_json::from_str(text).ok());
        let read = settings.clone().and_then(|tree| serde_json::from_value(tree).ok());
        let state = match &one.standing {
            Standing::InForce => "served",
            Standing::Shadowed { .. } => "shadowed",
            Standing::Refused { older: true, .. } => "older",
            Standing::Refused { older: false, .. } => "refused",
        };
        Self {
            name: name.clone(),
            source: "registered",
            origin: one.origin(),
            version: Some(*version),
            state,
            why: one.trouble(&loaded.file),
            upstream: read.as_ref().map(upstream).unwrap_or_default(),
            settings,
        }
    }

    /// On one line.
    pub(crate) fn line(&self) -> String {
        let version = self.version.map(|version| format!(", version {version}"));
        let state = match self.state {
            "served" => String::new(),
            "shadowed" => "  NOT SERVED: the file has one of this name".to_owned(),
            _ => format!("  NOT SERVED: {}", self.why.as_deref().unwrap_or_default()),
        };
        let text =
            format!("{}  {}{}{state}", self.upstream, self.origin, version.unwrap_or_default());
        inert(&text)
    }
}

/// One version of a registered connection.
#[derive(Debug, Serialize)]
pub(crate) struct Version {
    version: u64,
    author: String,
    changed: String,
    /// Whether it was made by `lockgate apply`.
    applied: bool,
    /// Its settings; absent where this version took it away.
    settings: Option<Value>,
}

impl From<ConnectionRow> for Version {
    fn from(row: ConnectionRow) -> Self {
        Self {
            version: row.version,
            author: row.author,
            changed: moment::text(row.changed),
            applied: row.applied,
            settings: row.settings.and_then(|text| serde_json::from_str(&text).ok()),
        }
    }
}

impl Version {
    /// On one line.
    pub(crate) fn line(&self) -> String {
        let word = if self.settings.is_some() { "put" } else { "removed" };
        let how = if self.applied { " (applied)" } else { "" };
        inert(&format!("v{}  {}  {word} by {}{how}", self.version, self.changed, self.author))
    }
}

fn upstream(settings: &ConnectionSettings) -> String {
    match &settings.upstream {
        UpstreamSettings::Http(http) => http.url.to_string(),
        UpstreamSettings::Stdio(stdio) => stdio.command.display().to_string(),
    }
}
