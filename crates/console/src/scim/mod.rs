//! People and groups as identity providers provision them: a SCIM 2.0 service (RFC 7643, RFC 7644), one for
//! each issuer, at `/scim/v2/ISSUER`.
//!
//! It keeps of people and groups what says who is out and who is in which group; a provider is never asked
//! for anything, and nothing that it says here lets anybody in who shows no token. What the gateway makes of
//! it is in [`lockgate_model::Directory`] and in revocations.

mod fault;
pub mod filter;
mod gate;
mod keep;
pub mod patch;
mod query;
mod resource;
mod schema;
mod shown;
#[cfg(test)]
mod tests;

use std::{sync::Arc, time::Duration};

use axum::{
    Router,
    body::{Body, Bytes, to_bytes},
    extract::{Path, Request, State},
    response::{IntoResponse as _, Response},
    routing::any,
};
use http::{HeaderMap, HeaderValue, Method, StatusCode, header};
use lockgate_store::directory::{Directory, Entry, Kind};
use serde_json::{Value, json};
use tokio::{
    sync::{Mutex, Semaphore},
    time::timeout,
};

pub use fault::Fault;
pub use gate::{Admits, Named, Provisioned, Provisioner};
pub use resource::Resource;

use crate::{brake::Brake, console::Console, serve::Line};
use keep::Desk;
use query::{Asked, RESULTS_MAX, list};
use shown::tell;

/// Where the services stand.
const BASE: &str = "/scim/v2";
/// The media type of every answer (RFC 7644 §3.1).
const MEDIA_TYPE: &str = "application/scim+json";
/// Bytes of a body.
const BODY_MAX_BYTES: usize = 2 * 1024 * 1024;
/// It must have come within this time.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Another gateway may change the same entry at the same time this often.
const TRIES: usize = 10;
/// Requests that are carried out at once; further ones are asked to come again.
const AT_WORK_MAX: usize = 16;

/// All services of one process.
struct Scim {
    console: Arc<Console>,
    places: Semaphore,
    /// Held while something is changed. Other gateways' changes are noticed by their versions.
    changing: Mutex<()>,
    brake: Brake,
}

/// A request of a provider.
struct Wish {
    of: Provisioned,
    directory: Arc<Directory>,
    /// Below which path the provider's resources stand.
    base: String,
    query: Option<String>,
    body: Bytes,
}

/// What is answered.
struct Answer {
    status: StatusCode,
    location: Option<String>,
    body: Option<Value>,
}

/// Everything below [`BASE`].
pub(crate) fn router(console: &Arc<Console>) -> Router {
    let scim = Arc::new(Scim {
        console: Arc::clone(console),
        places: Semaphore::new(AT_WORK_MAX),
        changing: Mutex::default(),
        brake: Brake::default(),
    });
    Router::new().route(&format!("{BASE}/{{issuer}}/{{*path}}"), any(ask)).with_state(scim)
}

async fn ask(
    State(scim): State<Arc<Scim>>,
    Path((issuer, path)): Path<(String, String)>,
    request: Request,
) -> Response {
    let answered = async {
        let (head, body) = request.into_parts();
        let line = head.extensions.get::<Line>();
        let of = gate::admit(&scim.console, &scim.brake, &issuer, &head.headers, line).await?;
        let Ok(_place) = scim.places.try_acquire() else { return Err(Fault::away()) };
        let directory = (scim.console.edge.provisioner.store)().ok_or_else(Fault::away)?;
        let body = read(&head.headers, body).await?;
        let base = format!("{BASE}/{issuer}");
        let query = head.uri.query().map(str::to_owned);
        let wish = Wish { of, directory, base, query, body };
        Arc::clone(&scim).serve(head.method, &path, wish).await
    };
    let mut response = match answered.await {
        Ok(answer) => answer.into_response(),
        Err(fault) => fault.into_response(),
    };
    let headers = response.headers_mut();
    headers.insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    headers.insert(header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff"));
    response
}

impl Scim {
    async fn serve(
        self: Arc<Self>,
        method: Method,
        path: &str,
        wish: Wish,
    ) -> Result<Answer, Fault> {
        let steps: Vec<&str> = path.split('/').collect();
        let (kind, id) = match steps.as_slice() {
            ["Users"] => (Kind::User, None),
            ["Groups"] => (Kind::Group, None),
            [".search"] => return wish.search(&method, &[Kind::User, Kind::Group]).await,
            ["Users", ".search"] => return wish.search(&method, &[Kind::User]).await,
            ["Groups", ".search"] => return wish.search(&method, &[Kind::Group]).await,
            ["Me" | "Bulk"] => {
                return Err(Fault::new(StatusCode::NOT_IMPLEMENTED, "it is not supported"));
            }
            ["Users", id] => (Kind::User, Some((*id).to_owned())),
            ["Groups", id] => (Kind::Group, Some((*id).to_owned())),
            steps => return about(steps, &method, &wish),
        };
        match (method, id) {
            (Method::GET, None) => {
                let asked = Asked::read(wish.query.as_deref())?;
                wish.list(&asked, &[kind]).await
            }
            (Method::GET, Some(id)) => {
                wish.show(StatusCode::OK, &wish.find(kind, &id).await?).await
            }
            (method @ (Method::POST | Method::PUT | Method::PATCH | Method::DELETE), id)
                if (method == Method::POST) == id.is_none() =>
            {
                // On a task of its own: a provider that leaves in the middle must not leave half a change.
                let changed = tokio::spawn(async move {
                    let _alone = self.changing.lock().await;
                    self.changed(kind, &method, id.as_deref(), &wish).await
                });
                changed.await.map_err(|_| Fault::away())?
            }
            _ => Err(Fault::method()),
        }
    }

    async fn changed(
        &self,
        kind: Kind,
        method: &Method,
        id: Option<&str>,
        wish: &Wish,
    ) -> Result<Answer, Fault> {
        for _ in 1..TRIES {
            match self.change(kind, method, id, wish).await {
                Err(fault) if fault.is_stale() => {}
                answer => return answer,
            }
        }
        self.change(kind, method, id, wish).await
    }

    async fn change(
        &self,
        kind: Kind,
        method: &Method,
        id: Option<&str>,
        wish: &Wish,
    ) -> Result<Answer, Fault> {
        let Wish { of, directory, .. } = wish;
        let desk = Desk { console: &self.console, directory, of };
        let Some(id) = id else {
            let resource = resource::read(kind, &wish.body)?;
            return wish.show(StatusCode::CREATED, &desk.put(kind, None, resource).await?).await;
        };
        let before = wish.find(kind, id).await?;
        match *method {
            Method::DELETE => {
                desk.remove(&before).await?;
                Ok(Answer { status: StatusCode::NO_CONTENT, location: None, body: None })
            }
            Method::PUT => {
                let resource = resource::read(kind, &wish.body)?;
                let put = desk.put(kind, Some(&before), resource).await?;
                wish.show(StatusCode::OK, &put).await
            }
            _ => {
                let mut resource = shown::kept(&before)?;
                if kind == Kind::Group {
                    let members = directory.members(&before.id).await?;
                    let members = members.into_iter().map(|id| json!({ "value": id }));
                    resource.insert("members".to_owned(), members.collect::<Vec<_>>().into());
                }
                patch::apply(kind, &mut resource, &wish.body)?;
                let put = desk.put(kind, Some(&before), resource).await?;
                match kind {
                    Kind::User => wish.show(StatusCode::OK, &put).await,
                    // It may be long, and nobody reads it.
                    Kind::Group => {
                        Ok(Answer { status: StatusCode::NO_CONTENT, location: None, body: None })
                    }
                }
            }
        }
    }
}

impl Wish {
    async fn search(&self, method: &Method, kinds: &[Kind]) -> Result<Answer, Fault> {
        if *method != Method::POST {
            return Err(Fault::method());
        }
        self.list(&Asked::posted(&self.body)?, kinds).await
    }

    async fn list(&self, asked: &Asked, kinds: &[Kind]) -> Result<Answer, Fault> {
        let found = asked.list(&self.directory, &self.of.issuer, kinds, &self.base);
        Ok(Answer::well(found.await?))
    }

    async fn find(&self, kind: Kind, id: &str) -> Result<Entry, Fault> {
        let found = self.directory.get(&self.of.issuer, kind, id).await?;
        found.ok_or_else(Fault::unknown)
    }

    async fn show(&self, status: StatusCode, entry: &Entry) -> Result<Answer, Fault> {
        let asked = Asked::read(self.query.as_deref())?;
        let whole = asked.wanted.whole(entry.kind);
        let told = tell(&self.directory, entry, &self.base, whole).await?;
        let location = told.get("meta").and_then(|meta| meta["location"].as_str());
        let location = location.map(str::to_owned);
        let body = Some(Value::Object(asked.wanted.of(entry.kind, told)));
        Ok(Answer { status, location: location.filter(|_| status == StatusCode::CREATED), body })
    }
}

/// What the service says of itself (RFC 7644 §4).
fn about(steps: &[&str], method: &Method, wish: &Wish) -> Result<Answer, Fault> {
    let (base, kinds) = (wish.base.as_str(), [Kind::User, Kind::Group]);
    if Asked::read(wish.query.as_deref())?.has_filter() {
        let detail = "what the service says of itself has no filter";
        return Err(Fault::new(StatusCode::FORBIDDEN, detail));
    }
    let all = |told: Vec<Value>| list(u64::try_from(told.len()).unwrap_or(u64::MAX), 1, told);
    let one = |id: &str, told: &dyn Fn(Kind) -> Value| {
        kinds.map(told).into_iter().find(|told| told["id"] == id).ok_or_else(Fault::unknown)
    };
    let schema = |kind| schema::schema(kind, base);
    let resource_type = |kind| schema::resource_type(kind, base);
    let told = match steps {
        ["ServiceProviderConfig"] => schema::provider_config(base, RESULTS_MAX),
        ["Schemas"] => all(kinds.map(schema).to_vec()),
        ["Schemas", id] => one(id, &schema)?,
        ["ResourceTypes"] => all(kinds.map(resource_type).to_vec()),
        ["ResourceTypes", id] => one(id, &resource_type)?,
        _ => return Err(Fault::unknown()),
    };
    if *method == Method::GET { Ok(Answer::well(told)) } else { Err(Fault::method()) }
}

impl Answer {
    const fn well(body: Value) -> Self {
        Self { status: StatusCode::OK, location: None, body: Some(body) }
    }

    fn into_response(self) -> Response {
        let Some(body) = self.body else { return self.status.into_response() };
        let mut response = (self.status, axum::Json(body)).into_response();
        let headers = response.headers_mut();
        headers.insert(header::CONTENT_TYPE, HeaderValue::from_static(MEDIA_TYPE));
        if let Some(location) = self.location.and_then(|path| HeaderValue::try_from(path).ok()) {
            headers.insert(header::LOCATION, location);
        }
        response
    }
}

async fn read(headers: &HeaderMap, body: Body) -> Result<Bytes, Fault> {
    let read = timeout(BODY_WAIT_MAX, to_bytes(body, BODY_MAX_BYTES)).await;
    let read = read.ok().and_then(Result::ok).ok_or_else(|| {
        Fault::new(StatusCode::PAYLOAD_TOO_LARGE, "the body is over 2 MiB, or too slow")
    })?;
    let said = headers.get(header::CONTENT_TYPE).and_then(|value| value.to_str().ok());
    let said = said.and_then(|said| said.split(';').next()).unwrap_or_default().trim();
    let fits = [MEDIA_TYPE, "application/json"].iter().any(|one| said.eq_ignore_ascii_case(one));
    if !fits && !read.is_empty() {
        let detail = "the body must be application/scim+json";
        return Err(Fault::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, detail));
    }
    Ok(read)
}
