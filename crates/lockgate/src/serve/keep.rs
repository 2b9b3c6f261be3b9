//! Where the recording is kept: shipping of closed segments, and what their receivers are given.

use std::{
    collections::BTreeMap,
    path::Path,
    sync::{Arc, PoisonError},
};

use lockgate_gateway::{clock, secret::SecretRef};
use lockgate_store::{
    deliver::{HeadSettings, Headers, HttpSettings, Receiver, Reference},
    journal::{Elsewhere, JournalFault, read_from},
    retain::RetentionRule,
    ship::{S3Keys, ShipSettings, ShipState, ShipTarget, Shipper},
};
use tokio::{sync::watch, task::JoinSet};

use super::{beside::Ground, retention::Retention};
use crate::{config::Loaded, failure::Failure};

/// Shipping, as it shows in readiness.
pub(super) struct Shipping(watch::Receiver<ShipState>);

impl Shipping {
    /// Why it is not getting on.
    pub(super) fn failing(&self) -> Option<String> {
        self.0.borrow().failing.as_ref().map(ToString::to_string)
    }
}

/// Starts shipping, where it is configured.
///
/// # Errors
/// Where a reference leads nowhere, or the store's settings can't be used.
pub(super) async fn open(
    ground: &Ground,
    tasks: &mut JoinSet<()>,
) -> Result<Option<Arc<Shipper>>, Failure> {
    let settings = &ground.settings;
    let journal = Arc::clone(&ground.gateway.ground.journal);
    let shipper = match &settings.recording.ship {
        Some(ship) => Some(Arc::new(opened(ship, journal.folder(), &settings.data).await?)),
        None => None,
    };
    if let Some(shipper) = &shipper {
        let state = Shipping(shipper.state());
        *ground.parts.shipping.lock().unwrap_or_else(PoisonError::into_inner) = Some(state);
        let (shipper, folder, keys) =
            (Arc::clone(shipper), journal.folder().to_owned(), ground.keys.clone());
        tasks.spawn(async move {
            let record = move |seq| read_from(&folder, &keys, seq)?.next().transpose();
            shipper.run(record, clock::now).await;
        });
    }
    Ok(shipper)
}

/// Starts retention, where it is configured.
pub(super) fn retain(ground: &Ground, shipper: Option<Arc<Shipper>>, tasks: &mut JoinSet<()>) {
    let rule = ground.settings.recording.retention;
    if rule != RetentionRule::default() {
        tasks.spawn(Retention::new(ground.clone(), rule, shipper).run());
    }
}

async fn opened(settings: &ShipSettings, journal: &Path, data: &Path) -> Result<Shipper, Failure> {
    let keys = match &settings.to {
        ShipTarget::S3(s3) => match (&s3.access_key, &s3.secret_key) {
            (Some(access), Some(secret)) => Some(S3Keys::new(&resolve(access)?, &resolve(secret)?)),
            _ => None,
        },
        ShipTarget::Folder(_) => None,
    };
    Shipper::open(settings, keys.as_ref(), journal, &data.join("shipping"))
        .await
        .map_err(Failure::unreachable)
}

/// Where shipped segments are brought from. Readers block on it, on threads of their own.
pub(super) fn elsewhere(shipper: &Arc<Shipper>) -> Elsewhere {
    let (listed, shipper) = (Arc::clone(shipper), Arc::clone(shipper));
    let runtime = tokio::runtime::Handle::current();
    let list = move || listed.shipped().iter().map(|manifest| manifest.first_seq).collect();
    Elsewhere::new(list, move |seq| {
        let fetched = runtime.block_on(shipper.fetch(seq));
        let folder =
            fetched.map_err(|fault| JournalFault::Unavailable(fault.to_string().into()))?;
        Ok(folder.join(format!("{seq:020}.segment")))
    })
}

/// For commands that read: the store of the copies, opened for them alone.
///
/// # Errors
/// As [`open`].
pub(crate) async fn elsewhere_of(
    loaded: &Loaded,
    journal: &Path,
) -> Result<Option<Elsewhere>, Failure> {
    let Some(settings) = &loaded.settings.recording.ship else { return Ok(None) };
    let shipper = Arc::new(opened(settings, journal, &loaded.settings.data).await?);
    Ok(Some(elsewhere(&shipper)))
}

/// The resolved headers of a receiver of the recording.
///
/// # Errors
/// Where a reference leads nowhere.
pub(super) fn headers(receiver: &Receiver) -> Result<Headers, Failure> {
    match receiver {
        Receiver::Http(http) => http_headers(http),
        Receiver::Syslog(_) => Ok(Headers::default()),
    }
}

/// As [`headers`], of a receiver of signed heads.
///
/// # Errors
/// As [`headers`].
pub(super) fn head_headers(receiver: &HeadSettings) -> Result<Headers, Failure> {
    match receiver {
        HeadSettings::Http(http) => http_headers(http),
        HeadSettings::File(_) | HeadSettings::Syslog(_) => Ok(Headers::default()),
    }
}

fn http_headers(http: &HttpSettings) -> Result<Headers, Failure> {
    resolved(&http.headers)
}

/// Headers by reference, resolved.
///
/// # Errors
/// Where a reference leads nowhere, or a value can't be sent.
pub(super) fn resolved(references: &BTreeMap<String, Reference>) -> Result<Headers, Failure> {
    let mut headers = Headers::default();
    for (name, reference) in references {
        headers.add(name, &resolve(reference)?).map_err(Failure::usage_text)?;
    }
    Ok(headers)
}

/// A secret by reference.
///
/// # Errors
/// Where the reference leads nowhere.
pub(super) fn resolve(reference: &Reference) -> Result<String, Failure> {
    let place = SecretRef::parse(reference.as_str());
    let place =
        place.ok_or_else(|| Failure::usage_text(lockgate_gateway::secret::REFERENCE_WANTED))?;
    Ok(place.resolve().map_err(Failure::unreachable)?.expose().to_owned())
}
