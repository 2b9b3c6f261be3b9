//! `lockgate connection remove`: a registered connection goes; its versions stay on file.

use lockgate_model::ConnectionName;
use serde_json::json;

use super::show::unknown;
use crate::{
    config::{ConfigArgs, load},
    failure::{Exit, Failure, Outcome},
    orders::Author,
    registered::{self, Wish},
    serve::runtime,
    terminal::Terminal,
};

/// Remove a registered connection
///
/// A running gateway refuses its callers within a second. A connection of the configuration file is
/// taken out there.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate connection remove staff\n  \
    lockgate connection remove staff --yes")]
pub(crate) struct Remove {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its name
    #[arg(value_name = "NAME", value_parser = ConnectionName::new)]
    name: ConnectionName,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Removes it.
pub(super) fn run(remove: &Remove, terminal: Terminal) -> Outcome {
    let (file, name) = (load(&remove.config).map_err(Failure::usage)?, &remove.name);
    let register = runtime()?.block_on(registered::register(&file))?;
    let mut loaded = file.clone();
    loaded.join(&register, None);
    let Some(there) = loaded.registered(name.as_str()) else {
        let of_file = registered::is_of_file(&file, name);
        return Err(of_file.map_or_else(|| unknown(&loaded, name), |unfit| unfit.failure()));
    };
    let version = there.row.version + 1;
    if !remove.yes {
        let question = format!("Remove the connection `{name}`, {}?", there.origin());
        if !terminal.confirm(&question)? {
            return Ok(Exit::No);
        }
    }
    let wish = Wish { name: name.clone(), settings: None };
    let author = Author::local(&file);
    let ready = registered::ready(&file, &register, &[wish], &author.by);
    registered::make(&loaded, ready.map_err(|unfit| unfit.failure())?, false, &author)?;
    if terminal.json {
        terminal.json(&json!({ "name": name, "version": version }))?;
    } else {
        terminal.data(format_args!("removed {name}"));
    }
    Ok(Exit::Ok)
}
