//! Documents of connections for `lockgate apply`: files with the section `connections` of the
//! configuration and nothing else. Faults have their place in the file, as those of the configuration do.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lockgate_gateway::settings::ConnectionSettings;
use lockgate_store::connections::CONNECTIONS_MAX;
use serde::Deserialize;

use super::{ConfigFault, load::ConfigFaults, paths::anchor_connection};

/// A document larger than this is refused before it is parsed, in bytes.
const DOCUMENT_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// One file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Document {
    connections: Vec<ConnectionSettings>,
}

/// Reads a file, or every `*.yaml`, `*.yml` and `*.json` of a folder, in the order of their names. A path
/// in a document that is not absolute starts at the document's folder.
///
/// # Errors
/// The first thing that is wrong, with its place.
pub(crate) fn read_documents(path: &Path) -> Result<Vec<ConnectionSettings>, ConfigFaults> {
    let fault = |fault| ConfigFaults::of(path, fault);
    let files = files(path).map_err(fault)?;
    let mut all: Vec<ConnectionSettings> = Vec::new();
    for file in &files {
        for connection in read_document(file).map_err(|one| ConfigFaults::of(file, one))? {
            if all.iter().any(|other| other.name == connection.name) {
                let what =
                    format!("connection `{}` stands in the documents twice", connection.name);
                return Err(ConfigFaults::of(
                    file,
                    ConfigFault::new(what).help("keep one of them"),
                ));
            }
            all.push(connection);
        }
        if all.len() > CONNECTIONS_MAX {
            let what = format!("more than {CONNECTIONS_MAX} connections can't be registered");
            return Err(fault(ConfigFault::new(what)));
        }
    }
    Ok(all)
}

fn files(path: &Path) -> Result<Vec<PathBuf>, ConfigFault> {
    let unreadable = |error| ConfigFault::new(format!("can't read `{}`: {error}", path.display()));
    if !path.is_dir() {
        return Ok(vec![path.to_owned()]);
    }
    let entries = fs::read_dir(path).map_err(unreadable)?;
    let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(unreadable)?;
    let fits = |path: &PathBuf| {
        path.extension().is_some_and(|end| end == "yaml" || end == "yml" || end == "json")
    };
    let mut files: Vec<PathBuf> = entries.iter().map(|entry| entry.path()).filter(fits).collect();
    if files.is_empty() {
        let what = format!("there is no document in `{}`", path.display());
        return Err(ConfigFault::new(what).help("documents end in .yaml, .yml or .json"));
    }
    files.sort();
    Ok(files)
}

fn read_document(file: &Path) -> Result<Vec<ConnectionSettings>, ConfigFault> {
    let unreadable = |error| ConfigFault::new(format!("can't read `{}`: {error}", file.display()));
    let bytes = fs::metadata(file).map_err(unreadable)?.len();
    if bytes > DOCUMENT_MAX_BYTES {
        return Err(ConfigFault::new(format!("{bytes} bytes; at most {DOCUMENT_MAX_BYTES}")));
    }
    let text = fs::read_to_string(file).map_err(unreadable)?;
    let shown = file.display().to_string();
    let read: Document = serde_saphyr::from_str_with_options(&text, super::yaml_options())
        .map_err(|error| ConfigFault::from_yaml(&error, &shown, &text))?;
    let base = std::path::absolute(file).map_err(unreadable)?;
    let base = base.parent().unwrap_or(Path::new("/"));
    let anchored = read.connections.into_iter().map(|mut connection| {
        anchor_connection(&mut connection, base);
        connection
    });
    Ok(anchored.collect())
}
