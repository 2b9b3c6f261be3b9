//! From a file name to settings that can be used: read, parsed, overlaid, checked.
//!
//! The only place here that touches the file system and the environment. Fetches nothing.

use std::{
    collections::BTreeMap,
    fs,
    net::SocketAddr,
    path::{Path, PathBuf},
};

use lockgate_gateway::settings::GatewaySettings;
use lockgate_model::ConnectionName;
use miette::Diagnostic;

use super::{
    ConfigFault,
    located::Located,
    overlay::{self, Override, Source},
    paths,
    registered::Registered,
    settings::Settings,
    validate::{self, Finding},
};

/// A configuration larger than this is refused before it is parsed, in bytes.
const FILE_MAX_BYTES: u64 = 4 * 1024 * 1024;

/// The flags of every command that reads the configuration.
#[derive(Clone, Debug, clap::Args)]
pub(crate) struct ConfigArgs {
    /// The configuration file
    #[arg(long, value_name = "FILE", default_value = "lockgate.yaml", env = "LOCKGATE_CONFIG")]
    pub(crate) config: PathBuf,
    /// Folder of the recording and the pins, instead of the file's `data`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) data: Option<PathBuf>,
    /// Folder of the policies, instead of the file's `policies`
    #[arg(long, value_name = "FOLDER")]
    pub(crate) policies: Option<PathBuf>,
    /// Listen here, instead of at the file's `listen.address`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) listen: Option<SocketAddr>,
    /// Health and metrics here, instead of at the file's `admin.address`
    #[arg(long, value_name = "ADDRESS")]
    pub(crate) admin: Option<SocketAddr>,
    /// Whether the file stands alone, whatever the environment says.
    #[arg(skip)]
    alone: bool,
}

impl ConfigArgs {
    /// This file, and nothing over it.
    pub(crate) const fn of_file(config: PathBuf) -> Self {
        Self { config, data: None, policies: None, listen: None, admin: None, alone: true }
    }
}

/// Settings that passed every check that needs no network.
#[derive(Clone, Debug)]
pub(crate) struct Loaded {
    /// The file, as given.
    pub(crate) file: PathBuf,
    /// The effective settings; every path is absolute or starts at the working folder.
    pub(crate) settings: Settings,
    /// The gateway's part of them.
    pub(crate) gateway: GatewaySettings,
    /// What is registered, and what became of it; nothing before it was read.
    pub(crate) registered: Vec<Registered>,
    /// Names that are not served, and of which policies may still speak: they were registered.
    pub(crate) gone: Vec<ConnectionName>,
    /// What an operator should look at, one sentence each.
    pub(crate) warnings: Vec<String>,
    /// Those of them that are about variables.
    pub(super) unknown: Vec<String>,
    /// What was laid over the file, in order.
    pub(super) overrides: Vec<Override>,
    /// The file's own values and where they stand.
    pub(super) tree: Located,
}

/// Everything that is wrong with one configuration.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the configuration `{file}` can't be used")]
pub(crate) struct ConfigFaults {
    file: String,
    #[related]
    faults: Vec<ConfigFault>,
}

impl ConfigFaults {
    /// The one thing that is wrong with a file.
    pub(super) fn of(file: &Path, fault: ConfigFault) -> Self {
        Self { file: file.display().to_string(), faults: vec![fault] }
    }
}

/// Reads, overlays and checks the configuration that `args` name.
///
/// # Errors
/// Every fault that was found, each with its place in the file where it has one.
pub(crate) fn load(args: &ConfigArgs) -> Result<Loaded, ConfigFaults> {
    // A variable that is no UTF-8 can't be a setting.
    let environment = std::env::vars_os()
        .filter(|_| !args.alone)
        .filter_map(|(name, value)| Some((name.into_string().ok()?, value.into_string().ok()?)))
        .collect();
    load_with(args, &environment)
}

/// As [`load`], with the environment handed in.
pub(crate) fn load_with(
    args: &ConfigArgs,
    environment: &BTreeMap<String, String>,
) -> Result<Loaded, ConfigFaults> {
    let file = args.config.display().to_string();
    let all = |faults| ConfigFaults { file: file.clone(), faults };
    let text = read(&args.config).map_err(|fault| all(vec![fault]))?;
    let yaml = |error| all(vec![ConfigFault::from_yaml(&error, &file, &text)]);
    let written: Settings =
        serde_saphyr::from_str_with_options(&text, super::yaml_options()).map_err(yaml)?;
    let tree = Located::parse(&text).map_err(yaml)?;
    let (mut overrides, unknown) =
        overlay::from_environment(&written, environment).map_err(|fault| all(vec![fault]))?;
    overrides.extend(flags(args));
    let mut settings = overlay::apply(written, &overrides).map_err(|fault| all(vec![fault]))?;
    let base = args.config.parent().unwrap_or(Path::new(""));
    paths::anchor(&mut settings, base, &overrides);

    let mut faults: Vec<ConfigFault> = validate::findings(&settings)
        .iter()
        .map(|finding| placed(finding, &file, &text, &tree, &overrides))
        .collect();
    match settings.gateway() {
        Some(gateway) if faults.is_empty() => {
            let warnings = [unknown.clone(), validate::warnings(&settings)].concat();
            Ok(Loaded {
                file: args.config.clone(),
                settings,
                gateway,
                registered: Vec::new(),
                gone: Vec::new(),
                warnings,
                unknown,
                overrides,
                tree,
            })
        }
        gateway => {
            if gateway.is_none() {
                faults.push(missing_public_url(&file));
            }
            Err(all(faults))
        }
    }
}

fn missing_public_url(file: &str) -> ConfigFault {
    ConfigFault::new("the setting `public_url` is missing").help(format!(
        "add `public_url: https://mcp.example.com` to {file}, or set LOCKGATE_PUBLIC_URL"
    ))
}

fn read(file: &Path) -> Result<String, ConfigFault> {
    let fault = |error: std::io::Error| {
        ConfigFault::new(format!("can't read `{}`: {error}", file.display()))
            .help("name the file with --config, or start from examples/lockgate.yaml")
    };
    let size = fs::metadata(file).map_err(fault)?.len();
    if size > FILE_MAX_BYTES {
        let what = format!("`{}` has {size} bytes; at most {FILE_MAX_BYTES}", file.display());
        return Err(ConfigFault::new(what));
    }
    fs::read_to_string(file).map_err(fault)
}

/// Flags as overrides; they come last and so win.
fn flags(args: &ConfigArgs) -> Vec<Override> {
    let path_text = |path: &PathBuf| path.display().to_string();
    let given = [
        ("--data", vec!["data"], args.data.as_ref().map(path_text)),
        ("--policies", vec!["policies"], args.policies.as_ref().map(path_text)),
        ("--listen", vec!["listen", "address"], args.listen.map(|a| a.to_string())),
        ("--admin", vec!["admin", "address"], args.admin.map(|a| a.to_string())),
    ];
    let over = |(flag, path, text): (&'static str, Vec<&str>, Option<String>)| {
        let path = path.into_iter().map(str::to_owned).collect();
        Some(Override { path, text: text?, source: Source::Flag(flag) })
    };
    given.into_iter().filter_map(over).collect()
}

/// A finding with its place: who said it, or where it stands in the file.
fn placed(
    finding: &Finding,
    file: &str,
    text: &str,
    tree: &Located,
    overrides: &[Override],
) -> ConfigFault {
    let fault = ConfigFault::new(finding.what.clone()).help(finding.help.clone());
    match overrides.iter().rev().find(|over| over.path == finding.path) {
        Some(over) => ConfigFault::new(format!("{} (from {})", finding.what, over.source))
            .help(finding.help.clone()),
        None => {
            let here = tree.nearest(&finding.path);
            fault.at(file, text, here.span.clone(), "here")
        }
    }
}
