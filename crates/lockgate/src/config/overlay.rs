//! Flags and `LOCKGATE_…` variables over the file, and where each effective value came from.
//!
//! Every leaf of the settings has a variable: `limits.request_max_bytes` is
//! `LOCKGATE_LIMITS_REQUEST_MAX_BYTES`; an item of a list goes by its `name` or its index. The
//! values are handed in; nothing here reads the environment.

use std::{
    collections::{BTreeMap, BTreeSet},
    fmt,
};

use serde_json::Value;

use super::{ConfigFault, fault, settings::Settings};
use crate::commands::client::TOKEN_VARIABLE;

/// What every variable starts with.
pub(crate) const PREFIX: &str = "LOCKGATE_";

/// Variables of the command line and of clients, which are no settings.
const RESERVED: [&str; 2] = ["LOCKGATE_CONFIG", TOKEN_VARIABLE];

/// A path of keys to one setting.
pub(crate) type Path = Vec<String>;

/// Where a value came from, if not from the file or a default.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Source {
    /// A flag of the command line.
    Flag(&'static str),
    /// A variable.
    Variable(String),
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Flag(flag) => f.write_str(flag),
            Self::Variable(name) => f.write_str(name),
        }
    }
}

/// One value to lay over the file's.
#[derive(Clone, Debug)]
pub(crate) struct Override {
    /// Which setting.
    pub(crate) path: Path,
    /// The value as text.
    pub(crate) text: String,
    /// Who says so.
    pub(crate) source: Source,
}

/// Finds the settings that `environment` names.
///
/// Returns the overrides and, as warnings, the variables with our prefix that name nothing.
///
/// # Errors
/// Where a variable could mean two settings.
pub(crate) fn from_environment(
    settings: &Settings,
    environment: &BTreeMap<String, String>,
) -> Result<(Vec<Override>, Vec<String>), ConfigFault> {
    let tree = tree_of(settings)?;
    let mut names: BTreeMap<String, BTreeSet<Path>> = BTreeMap::new();
    for (path, _) in leaves(&tree) {
        names.entry(variable(&path)).or_default().insert(path);
    }
    let (mut overrides, mut unknown) = (Vec::new(), Vec::new());
    for (name, text) in environment.iter().filter(|(name, _)| name.starts_with(PREFIX)) {
        let paths: Vec<&Path> = names.get(name).into_iter().flatten().collect();
        match paths.as_slice() {
            [] if RESERVED.contains(&name.as_str()) || is_secret(&tree, name) => {}
            [] => unknown.push(unknown_variable(name, names.keys())),
            [path] => overrides.push(Override {
                path: (*path).clone(),
                text: text.clone(),
                source: Source::Variable(name.clone()),
            }),
            [one, other, ..] => {
                let both = format!("`{}` and `{}`", one.join("."), other.join("."));
                return Err(ConfigFault::new(format!("`{name}` could mean {both}"))
                    .help("set it in the file"));
            }
        }
    }
    Ok((overrides, unknown))
}

/// Lays `overrides` over `settings`, in their order.
///
/// # Errors
/// Where a value does not fit its setting; the fault names who said so.
pub(crate) fn apply(settings: Settings, overrides: &[Override]) -> Result<Settings, ConfigFault> {
    let mut settings = settings;
    for Override { path, text, source } in overrides {
        let mut tree = tree_of(&settings)?;
        let Some(place) = at_mut(&mut tree, path) else {
            return Err(ConfigFault::new(format!("{source}: no setting `{}`", path.join("."))));
        };
        *place = read(text, place);
        settings = serde_json::from_value(tree).map_err(|error| {
            let why = fault::without_types(&error.to_string());
            ConfigFault::new(format!("`{source}` does not fit `{}`: {why}", path.join(".")))
        })?;
    }
    Ok(settings)
}

/// The settings as a tree of values.
pub(crate) fn tree_of(settings: &Settings) -> Result<Value, ConfigFault> {
    serde_json::to_value(settings).map_err(|error| ConfigFault::new(error.to_string()))
}

/// Every setting that has a value of its own, in order.
pub(crate) fn leaves(tree: &Value) -> Vec<(Path, &Value)> {
    let mut found = Vec::new();
    let mut open = vec![(Path::new(), tree)];
    while let Some((path, value)) = open.pop() {
        match children(value) {
            None => found.push((path, value)),
            Some(children) => {
                let below = |(step, child)| ([path.as_slice(), &[step]].concat(), child);
                open.extend(children.into_iter().rev().map(below));
            }
        }
    }
    found
}

/// What stands below a value; `None` where it is a leaf: a scalar, or a list of scalars.
fn children(value: &Value) -> Option<Vec<(String, &Value)>> {
    match value {
        Value::Object(map) if !map.is_empty() => {
            Some(map.iter().map(|(key, child)| (key.clone(), child)).collect())
        }
        Value::Array(items) if items.iter().any(Value::is_object) => {
            let name = |(index, item)| (step_of(index, item), item);
            Some(items.iter().enumerate().map(name).collect())
        }
        _ => None,
    }
}

fn step_of(index: usize, item: &Value) -> String {
    item.get("name").and_then(Value::as_str).map_or_else(|| index.to_string(), str::to_owned)
}

fn at_mut<'a>(tree: &'a mut Value, path: &[String]) -> Option<&'a mut Value> {
    path.iter().try_fold(tree, |here, step| match here {
        Value::Object(map) => map.get_mut(step),
        Value::Array(items) => {
            let index = items.iter().enumerate().position(|(i, item)| step_of(i, item) == *step)?;
            items.get_mut(index)
        }
        _ => None,
    })
}

/// `text` as a value: as it is where a text is replaced, else as YAML.
fn read(text: &str, replaced: &Value) -> Value {
    if replaced.is_string() {
        return Value::String(text.to_owned());
    }
    serde_saphyr::from_str_with_options(text, super::yaml_options())
        .unwrap_or_else(|_| Value::String(text.to_owned()))
}

/// The variable that stands for a setting.
fn variable(path: &[String]) -> String {
    let name = path.join("_").to_uppercase();
    let plain: String =
        name.chars().map(|c| if c.is_ascii_alphanumeric() { c } else { '_' }).collect();
    format!("{PREFIX}{plain}")
}

/// Whether some setting refers to this variable as a secret.
fn is_secret(tree: &Value, name: &str) -> bool {
    let reference = format!("env:{name}");
    leaves(tree).iter().any(|(_, value)| value.as_str() == Some(&reference))
}

fn unknown_variable<'a>(name: &str, known: impl Iterator<Item = &'a String>) -> String {
    match fault::nearest(name, known.map(String::as_str)) {
        Some(near) => format!("`{name}` names no setting; did you mean `{near}`?"),
        None => format!("`{name}` names no setting"),
    }
}
