//! The admin API as a command speaks to it: one request, one answer, its refusals in its own words.

use std::{path::PathBuf, time::Duration};

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use lockgate_gateway::egress::{self, Client, EgressRules};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use url::Url;

use crate::{
    config::{ConfigArgs, load},
    exchange::exchange,
    failure::Failure,
    terminal::inert,
};

/// An answer must have come within this time.
const WAIT_MAX: Duration = Duration::from_secs(30);
/// A connection must stand within this time.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(5);
/// Bytes of an answer.
const ANSWER_MAX_BYTES: usize = 32 * 1024 * 1024;
/// Where the token stands, where no file is named.
const TOKEN: &str = "LOCKGATE_TOKEN";

/// Where the admin API is, and who asks it.
#[derive(Debug, clap::Args)]
pub(crate) struct ApiArgs {
    #[command(flatten)]
    config: ConfigArgs,
    /// Where the admin API is; as configured where absent
    #[arg(long, value_name = "URL")]
    url: Option<Url>,
    /// File with your token; else it is read from LOCKGATE_TOKEN
    #[arg(long, value_name = "FILE")]
    token_file: Option<PathBuf>,
}

/// The admin API.
pub(crate) struct Api {
    client: Client,
    runtime: Runtime,
    base: String,
    token: String,
}

impl Api {
    /// Finds the API and the token.
    pub(crate) fn open(args: &ApiArgs) -> Result<Self, Failure> {
        let url = match &args.url {
            Some(url) => url.clone(),
            None => configured(&args.config)?,
        };
        let token = match &args.token_file {
            Some(file) => std::fs::read_to_string(file).map_err(|error| {
                Failure::unreachable(format_args!("can't read `{}`: {error}", file.display()))
            })?,
            None => std::env::var(TOKEN).map_err(|_| {
                let why = "there is no token; set LOCKGATE_TOKEN, or name a file with --token-file";
                Failure::usage_text(why)
            })?,
        };
        let rules =
            EgressRules { allow_private: true, ca: None, connect_wait_max: CONNECT_WAIT_MAX };
        let runtime = Builder::new_current_thread().enable_all().build();
        Ok(Self {
            client: egress::client(&rules).map_err(Failure::unreachable)?,
            runtime: runtime.map_err(Failure::unreachable)?,
            base: format!("{}/api/v1", url.as_str().trim_end_matches('/')),
            token: token.trim().to_owned(),
        })
    }

    /// Reads.
    pub(crate) fn get(&self, path: &str) -> Result<Value, Failure> {
        self.ask(Method::GET, path, Bytes::new())
    }

    /// Answers.
    pub(crate) fn post(&self, path: &str, body: &Value) -> Result<Value, Failure> {
        self.ask(Method::POST, path, body.to_string().into())
    }

    fn ask(&self, method: Method, path: &str, body: Bytes) -> Result<Value, Failure> {
        let url = format!("{}{path}", self.base);
        let request = Request::builder()
            .method(method)
            .uri(&url)
            .header(header::AUTHORIZATION, format!("Bearer {}", self.token))
            .header(header::CONTENT_TYPE, "application/json")
            .body(Full::new(body))
            .map_err(|_| {
                Failure::usage_text("the URL or the token has characters that can't be sent")
            })?;
        let answer = exchange(&self.client, request, WAIT_MAX, ANSWER_MAX_BYTES);
        let (status, body) = self.runtime.block_on(answer).map_err(Failure::unreachable)?;
        read(status, &body)
    }
}

fn configured(config: &ConfigArgs) -> Result<Url, Failure> {
    let loaded = load(config).map_err(Failure::usage)?;
    let missing = || {
        Failure::usage_text(
            "no `admin_api` is configured; configure it, or say where it is with --url",
        )
    };
    let settings = loaded.settings.admin_api.as_ref().ok_or_else(missing)?;
    Url::parse(&format!("http://{}/", settings.address)).map_err(Failure::bug)
}

/// What the answer says; a refusal in the words that it came with.
fn read(status: StatusCode, body: &[u8]) -> Result<Value, Failure> {
    let value: Value = serde_json::from_slice(body).unwrap_or_default();
    if status.is_success() {
        return Ok(value);
    }
    let detail = inert(at(&value, "/detail").as_str().unwrap_or("the admin API gave no reason"));
    let code = inert(at(&value, "/code").as_str().unwrap_or_default());
    let said = format!("{detail} ({} {code})", status.as_u16());
    Err(match status {
        StatusCode::CONFLICT | StatusCode::FORBIDDEN | StatusCode::NOT_FOUND => Failure::no(said),
        status if status.is_client_error() => Failure::usage_text(said),
        _ => Failure::unreachable(said),
    })
}

/// A member by its JSON pointer; null where it is not there.
pub(crate) fn at<'a>(value: &'a Value, pointer: &str) -> &'a Value {
    value.pointer(pointer).unwrap_or(&Value::Null)
}
