//! The guard's part of a connection: dialect, what arguments carry, and packs of rules, read and
//! checked when a snapshot is built.

use std::collections::HashMap;

use lockgate_model::ConnectionName;
use lockgate_rules::guard::{Dialect, Kind, Pack, Profile};
use serde_json::Value;

use super::BuildFault;
use crate::settings::ConnectionSettings;

/// How the guard reads the arguments of a connection's tools.
#[derive(Debug, Default)]
pub struct Guard {
    /// The SQL that its database speaks.
    pub dialect: Option<Dialect>,
    /// What arguments carry, by tool.
    pub roles: HashMap<String, Vec<(String, Kind)>>,
    /// Rules of people's own.
    pub packs: Vec<Pack>,
    /// The packs as they stand in their files: part of the snapshot's version.
    pub(super) texts: Vec<String>,
}

impl Guard {
    /// How a call of this tool is to be read.
    pub fn profile<'a>(
        &'a self,
        connection: &'a ConnectionName,
        tool: &'a str,
        schema: Option<&'a Value>,
    ) -> Profile<'a> {
        Profile {
            tool: Some(tool),
            schema,
            roles: self.roles.get(tool).map(Vec::as_slice).unwrap_or_default(),
            dialect: self.dialect,
            connection: connection.as_str(),
            packs: &self.packs,
        }
    }

    /// Reads and checks what the settings say.
    ///
    /// # Errors
    /// [`BuildFault::Connection`] for a name that there is not, or a pack that does not load.
    pub fn build(settings: &ConnectionSettings) -> Result<Self, BuildFault> {
        let wrong =
            |fault: String| BuildFault::Connection { connection: settings.name.clone(), fault };
        let dialect = settings.guard.dialect.as_deref().map(|name| {
            Dialect::named(name).ok_or_else(|| {
                let names: Vec<_> = Dialect::NAMES.iter().map(|(name, _)| *name).collect();
                wrong(format!("there is no dialect `{name}`; write one of {}", names.join(", ")))
            })
        });
        let mut guard = Self { dialect: dialect.transpose()?, ..Self::default() };
        for (tool, arguments) in &settings.guard.arguments {
            let kinds = arguments.iter().map(|(argument, kind)| match Kind::named(kind) {
                Some(known) => Ok((argument.clone(), known)),
                None => Err(wrong(format!("`{tool}`: there is no kind `{kind}` for an argument"))),
            });
            guard.roles.insert(tool.clone(), kinds.collect::<Result<_, _>>()?);
        }
        for file in &settings.guard.packs {
            let shown = file.display();
            let text = std::fs::read_to_string(file)
                .map_err(|error| wrong(format!("can't read the pack `{shown}`: {error}")))?;
            let pack = Pack::load(&text)
                .map_err(|fault| wrong(format!("the pack `{shown}` does not load: {fault}")))?;
            guard.packs.push(pack);
            guard.texts.push(text);
        }
        Ok(guard)
    }
}
