//! `lockgate secret set` and `rotate`: a value goes in.

use lockgate_model::{ConnectionName, SecretName};
use lockgate_store::secrets::SecretRow;
use lockgate_vault::Secret;

use super::value::From;
use crate::{
    config::{ConfigArgs, Loaded, load},
    failure::{Exit, Failure, Outcome},
    offline,
    orders::Author,
    registered::load_all,
    sealing::{Terms, Version},
    serve::{process, runtime},
    terminal::Terminal,
    vault::{OpenVault, on_record},
};

/// Longest description, in characters.
const DESCRIPTION_MAX: usize = 200;

/// Seal a new secret, read from standard input or a file
///
/// The value never stands on the command line, and no command gives it back. A connection uses it by
/// the reference `sealed:NAME` in its headers or environment.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate secret set staff-token --connection staff < token\n  \
    lockgate secret set staff-token --from-file /run/secrets/token --description 'until May'")]
pub(crate) struct Set {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its name
    #[arg(value_name = "NAME", value_parser = SecretName::new)]
    name: SecretName,
    #[command(flatten)]
    from: From,
    /// Only this connection may use it
    #[arg(long, value_name = "CONNECTION", value_parser = ConnectionName::new)]
    connection: Option<ConnectionName>,
    /// What it is for; whoever lists secrets reads it
    #[arg(long, value_name = "TEXT", value_parser = description)]
    description: Option<String>,
}

/// Seal another value of a secret, as its next version
///
/// A running gateway uses it within 5 s; a stdio server gets it when it is started next. What the
/// secret is for stays as it is.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate secret rotate staff-token < token\n  \
    lockgate secret rotate staff-token --from-file /run/secrets/token")]
pub(crate) struct Rotate {
    #[command(flatten)]
    config: ConfigArgs,
    /// Its name
    #[arg(value_name = "NAME", value_parser = SecretName::new)]
    name: SecretName,
    #[command(flatten)]
    from: From,
}

/// Seals a new one.
pub(super) fn run(set: &Set, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let loaded = load_all(&set.config)?;
    let name = &set.name;
    if let Some(connection) = &set.connection {
        offline::connection(&loaded, connection.as_str())?;
    }
    let value = set.from.read(terminal)?;
    put(&loaded, name, &value, terminal, |row| match row {
        Some(SecretRow { sealed: Some(_), .. }) => Err(Failure::no(format_args!(
            "the secret `{name}` is there already; `lockgate secret rotate {name}` gives it another \
             value"
        ))),
        _ => Ok(Terms {
            connection: set.connection.as_ref().map(ToString::to_string),
            description: set.description.clone().unwrap_or_default(),
        }),
    })
}

/// Seals the next version.
pub(super) fn rotate(rotate: &Rotate, terminal: Terminal) -> Outcome {
    process::prepare()?;
    let loaded = load(&rotate.config).map_err(Failure::usage)?;
    let value = rotate.from.read(terminal)?;
    put(&loaded, &rotate.name, &value, terminal, |row| match row {
        Some(SecretRow { sealed: Some(_), connection, description, .. }) => {
            Ok(Terms { connection: connection.clone(), description: description.clone() })
        }
        _ => Err(unknown(&rotate.name)),
    })
}

/// There is no such secret.
pub(super) fn unknown(name: &SecretName) -> Failure {
    Failure::no(format_args!("there is no secret `{name}` in the vault"))
}

/// Seals a value as the next version of what is there; `terms` says what it is for, or why not.
fn put(
    loaded: &Loaded,
    name: &SecretName,
    value: &Secret,
    terminal: Terminal,
    terms: impl FnOnce(Option<&SecretRow>) -> Result<Terms, Failure>,
) -> Outcome {
    let runtime = runtime()?;
    let (vault, version) = runtime.block_on(async {
        let vault = OpenVault::of(loaded).await?;
        let row = vault.secrets.find(name.as_str()).await.map_err(Failure::unreachable)?;
        let terms = terms(row.as_ref())?;
        let version = Version::seal(&vault, name, row.as_ref(), terms, value).await?;
        Ok((vault, version))
    })?;
    let author = Author::local(loaded);
    on_record(&author, version.change(), || runtime.block_on(version.put(&vault, &author.by)))?;
    runtime.block_on(vault.secrets.close());
    let number = version.number;
    if terminal.json {
        terminal.json(&serde_json::json!({ "name": name, "version": number }))?;
    } else {
        terminal.data(format_args!("sealed {name}, version {number}"));
    }
    Ok(Exit::Ok)
}

fn description(text: &str) -> Result<String, String> {
    let fits = text.chars().count() <= DESCRIPTION_MAX && !text.chars().any(char::is_control);
    if fits {
        Ok(text.to_owned())
    } else {
        Err(format!("write at most {DESCRIPTION_MAX} characters on one line"))
    }
}
