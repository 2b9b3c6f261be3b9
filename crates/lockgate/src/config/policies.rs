//! The policy folder: every `*.cedar` file directly in it, in the order of names.
//!
//! Reads texts only; what they mean is for `lockgate-rules`.

use std::{fs, path::Path};

use lockgate_rules::policy::{SOURCE_MAX_BYTES, Source};

use super::ConfigFault;

/// Policy files of one folder at most.
const FILES_MAX: usize = 1_000;

/// Reads the policies of `folder`. A folder without policies is no error: nothing is permitted.
///
/// # Errors
/// Where the folder or one of its files can't be read, or is too large.
pub(crate) fn read_policies(folder: &Path) -> Result<Vec<Source>, ConfigFault> {
    let fault = |path: &Path, what: &str| {
        ConfigFault::new(format!("can't read the policies in `{}`: {what}", path.display()))
            .help("name the folder in the setting `policies`, or make it")
    };
    let entries = fs::read_dir(folder).map_err(|error| fault(folder, &error.to_string()))?;
    let mut sources = Vec::new();
    for entry in entries {
        let path = entry.map_err(|error| fault(folder, &error.to_string()))?.path();
        if path.extension().is_none_or(|extension| extension != "cedar") {
            continue;
        }
        if sources.len() == FILES_MAX {
            return Err(fault(folder, &format!("more than {FILES_MAX} files")));
        }
        sources.push(read_source(&path).map_err(|what| fault(&path, &what))?);
    }
    sources.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(sources)
}

fn read_source(path: &Path) -> Result<Source, String> {
    let size = fs::metadata(path).map_err(|error| error.to_string())?.len();
    if size > SOURCE_MAX_BYTES as u64 {
        return Err(format!("{size} bytes; at most {SOURCE_MAX_BYTES}"));
    }
    let text = fs::read_to_string(path).map_err(|error| error.to_string())?;
    let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
    Ok(Source { name, text })
}
