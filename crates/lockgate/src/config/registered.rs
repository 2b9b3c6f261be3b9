//! Registered connections beside those of the file: one by one held against the same checks, and joined
//! to the settings. One that can't be used is left out and says why; it takes none of the others along.
//!
//! Reads no database: what is registered is handed in.

use std::path::Path;

use lockgate_gateway::settings::{ConnectionSettings, UpstreamSettings};
use lockgate_model::ConnectionName;
use lockgate_rules::mask::{Detectors, Text};
use lockgate_store::connections::{ConnectionRow, Register};
use serde_json::{Value, json};

use super::{
    fault,
    load::Loaded,
    paths::local_paths,
    validate::{self, Finding},
};
use crate::moment;

/// One registered connection, and what became of it.
#[derive(Clone, Debug)]
pub(crate) struct Registered {
    /// As it is kept.
    pub(crate) row: ConnectionRow,
    /// What became of it.
    pub(crate) standing: Standing,
}

/// What became of a registered connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Standing {
    /// It is served.
    InForce,
    /// The file has one of this name, at this line, which is served in its place.
    Shadowed {
        /// Where it stands in the file; `None` where a variable or a flag brought it.
        line: Option<u64>,
    },
    /// It can't be used.
    Refused {
        /// Why.
        why: String,
        /// Whether the version of it that was served before is served on.
        older: bool,
    },
}

impl Registered {
    /// Where it comes from, as origins say it.
    pub(crate) fn origin(&self) -> String {
        let ConnectionRow { author, changed, .. } = &self.row;
        format!("registered by {author} at {}", moment::text(*changed))
    }

    /// What an operator should know of it; `None` where it is served.
    pub(crate) fn trouble(&self, file: &Path) -> Option<String> {
        let (name, file) = (&self.row.name, file.display());
        match &self.standing {
            Standing::InForce => None,
            Standing::Shadowed { line } => {
                let at = line.map(|line| format!(":{line}")).unwrap_or_default();
                Some(format!(
                    "connection `{name}` is {} and stands in {file}{at} too; the file's is served",
                    self.origin()
                ))
            }
            Standing::Refused { why, older } => {
                let rest = if *older { "; its version before is served on" } else { "" };
                Some(format!("connection `{name}`, {}, is not served: {why}{rest}", self.origin()))
            }
        }
    }
}

impl Loaded {
    /// Joins what is registered to what the file says. `before` is what was in force until now: where a
    /// new version can't be used, the one before goes on being served.
    pub(crate) fn join(&mut self, register: &Register, before: Option<&Self>) {
        for row in &register.rows {
            let Ok(name) = ConnectionName::new(&row.name) else {
                self.note(row, Standing::Refused { why: "no name".to_owned(), older: false });
                continue;
            };
            let own = self.settings.connections.iter().any(|one| one.name == name);
            let Some(text) = &row.settings else {
                self.gone.extend((!own).then_some(name));
                continue;
            };
            if own {
                self.note(row, Standing::Shadowed { line: self.line_of(&name) });
                continue;
            }
            self.note(row, Standing::InForce);
            match read(&name, text).and_then(|settings| self.admit(settings)) {
                Ok(()) => {}
                Err(why) => self.refuse(&name, why, before),
            }
        }
        self.settle();
    }

    /// Takes out a registered connection of which it turned out that it can't be used. Gives whether
    /// there was one of this name.
    pub(crate) fn leave_out(
        &mut self,
        name: &ConnectionName,
        why: String,
        before: Option<&Self>,
    ) -> bool {
        let found = self.registered(name.as_str()).is_some_and(Registered::is_served);
        if found {
            self.refuse(name, why, before);
            self.settle();
        }
        found
    }

    /// What is registered under this name.
    pub(crate) fn registered(&self, name: &str) -> Option<&Registered> {
        self.registered.iter().find(|one| one.row.name == name)
    }

    /// Where a connection of the file stands in it; `None` for one that does not come from there.
    pub(crate) fn line_of(&self, name: &ConnectionName) -> Option<u64> {
        let path = ["connections", name.as_str()].map(str::to_owned);
        self.tree.at(&path).map(|here| here.line)
    }

    /// Every registered connection that is not served as it is, one sentence each.
    pub(crate) fn troubles(&self) -> Vec<String> {
        self.registered.iter().filter_map(|one| one.trouble(&self.file)).collect()
    }

    fn note(&mut self, row: &ConnectionRow, standing: Standing) {
        self.registered.push(Registered { row: row.clone(), standing });
    }

    /// Adds a connection, unless something speaks against it.
    fn admit(&mut self, settings: ConnectionSettings) -> Result<(), String> {
        self.settings.connections.push(settings);
        let found = validate::joined(&self.settings);
        if found.is_empty() {
            return Ok(());
        }
        self.settings.connections.pop();
        Err(found.iter().map(words).collect::<Vec<_>>().join("; "))
    }

    fn refuse(&mut self, name: &ConnectionName, why: String, before: Option<&Self>) {
        let now = self.settings.connections.iter().position(|one| one.name == *name);
        let now = now.map(|index| self.settings.connections.remove(index));
        let served = before
            .filter(|before| before.registered(name.as_str()).is_some_and(Registered::is_served));
        let mut older = served.iter().flat_map(|before| &before.settings.connections);
        let older = older.find(|one| one.name == *name && Some(*one) != now.as_ref()).cloned();
        let older = older.is_some_and(|older| self.admit(older).is_ok());
        self.gone.extend((!older).then(|| name.clone()));
        for one in self.registered.iter_mut().filter(|one| one.row.name == name.as_str()) {
            one.standing = Standing::Refused { why: why.clone(), older };
        }
    }

    /// Brings what is made of the settings up to date with them.
    fn settle(&mut self) {
        self.gateway.connections.clone_from(&self.settings.connections);
        self.warnings = [self.unknown.clone(), validate::warnings(&self.settings)].concat();
        self.warnings.extend(self.troubles());
    }
}

impl Registered {
    /// Whether it is served, be it in an older version.
    pub(crate) fn is_served(&self) -> bool {
        matches!(self.standing, Standing::InForce | Standing::Refused { older: true, .. })
    }
}

/// Reads the settings of one registered connection.
fn read(name: &ConnectionName, text: &str) -> Result<ConnectionSettings, String> {
    let mut settings: ConnectionSettings = serde_json::from_str(text)
        .map_err(|error| fault::without_types(&format!("its settings can't be read: {error}")))?;
    if settings.name != *name {
        return Err(format!("its settings are those of `{}`", settings.name));
    }
    if let Some(path) = local_paths(&mut settings).find(|path| !path.is_absolute()) {
        return Err(format!("`{}` is no absolute path", path.display()));
    }
    Ok(settings)
}

/// A connection's settings as they are kept and shown: what differs from the defaults.
///
/// # Errors
/// Where a setting has no JSON form.
pub(crate) fn sparse(settings: &ConnectionSettings) -> Result<Value, serde_json::Error> {
    let upstream = match &settings.upstream {
        UpstreamSettings::Http(http) => json!({ "http": { "url": http.url } }),
        UpstreamSettings::Stdio(stdio) => json!({ "stdio": { "command": stdio.command } }),
    };
    let least = json!({ "name": settings.name, "upstream": upstream });
    let usual: ConnectionSettings = serde_json::from_value(least.clone())?;
    let mut whole = serde_json::to_value(settings)?;
    drop_usual(&mut whole, &serde_json::to_value(usual)?, &least);
    Ok(whole)
}

/// Takes out what is as `usual`, unless it stands in `least` too.
fn drop_usual(value: &mut Value, usual: &Value, least: &Value) {
    let Value::Object(fields) = value else { return };
    fields.retain(|key, field| usual.get(key) != Some(field) || least.get(key).is_some());
    for (key, field) in fields {
        if let (Some(usual), Some(least)) = (usual.get(key), least.get(key)) {
            drop_usual(field, usual, least);
        }
    }
}

/// Where credentials seem to stand in a connection themselves, where a reference can't: in its URL or
/// its arguments. Each is named by its setting, never quoted.
pub(crate) fn literal_secrets(settings: &ConnectionSettings) -> Vec<String> {
    let detectors = Detectors::standard();
    let is_secret = |text: &str, key: Option<&str>| detectors.holds(Text { text, key }, "secret");
    match &settings.upstream {
        UpstreamSettings::Http(http) => {
            let query = http.url.query_pairs().any(|(key, value)| is_secret(&value, Some(&key)));
            let found = query || is_secret(http.url.as_str(), None);
            found.then(|| "upstream.http.url".to_owned()).into_iter().collect()
        }
        UpstreamSettings::Stdio(stdio) => {
            let mut before: Option<&str> = None;
            let mut found = Vec::new();
            for (index, argument) in stdio.args.iter().enumerate() {
                let key = before.replace(argument).map(|flag| flag.trim_start_matches('-'));
                if is_secret(argument, key) {
                    found.push(format!("upstream.stdio.args.{index}"));
                }
            }
            found
        }
    }
}

fn words(finding: &Finding) -> String {
    format!("{}; {}", finding.what, finding.help)
}
