//! `config show`: every effective setting with its value and where it came from.
//!
//! Shows references to secrets, never secrets: the settings hold nothing else.

use serde::Serialize;
use serde_json::Value;

use super::{ConfigFault, Registered, Standing, load::Loaded, overlay};

/// One effective setting.
#[derive(Debug, Serialize)]
pub(crate) struct Entry {
    /// The path of keys, joined by dots.
    pub(crate) key: String,
    /// The value.
    pub(crate) value: Value,
    /// A flag, a variable, `file:line`, or `default`.
    pub(crate) origin: String,
}

impl Loaded {
    /// Every effective setting, in the order of the sections.
    ///
    /// # Errors
    /// Where a setting can't be shown as JSON.
    pub(crate) fn entries(&self) -> Result<Vec<Entry>, ConfigFault> {
        let tree = overlay::tree_of(&self.settings)?;
        let entry = |(path, value): (overlay::Path, &Value)| Entry {
            key: path.join("."),
            value: value.clone(),
            origin: self.origin(&path),
        };
        Ok(overlay::leaves(&tree).into_iter().map(entry).collect())
    }

    fn origin(&self, path: &[String]) -> String {
        let over = self.overrides.iter().rev().find(|over| over.path == path);
        let registered = match path {
            [section, name, ..] if section == "connections" => self.registered(name),
            _ => None,
        };
        match (over, self.tree.at(path), registered) {
            (Some(over), _, _) => over.source.to_string(),
            (None, Some(here), _) => format!("{}:{}", self.file.display(), here.line),
            (None, None, Some(Registered { standing: Standing::Shadowed { .. }, .. }) | None) => {
                "default".to_owned()
            }
            (None, None, Some(registered)) => registered.origin(),
        }
    }
}
