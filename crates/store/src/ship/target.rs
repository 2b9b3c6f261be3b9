//! The store of the copies: a folder, or a bucket.

use std::{sync::Arc, time::Duration};

use object_store::{
    BackoffConfig, ObjectStore, RetryConfig, aws::AmazonS3Builder, aws::Checksum,
    local::LocalFileSystem, path::Path as ObjectPath,
};

use super::{S3Keys, S3Settings, ShipFault, ShipTarget};
use crate::client::{Client, Reach};

/// How long one request is tried again before the whole segment waits for its next turn.
const RETRY_MAX: Duration = Duration::from_secs(10);

/// Opens the store. Dials nothing yet.
pub(super) fn open(
    target: &ShipTarget,
    keys: Option<&S3Keys>,
) -> Result<Arc<dyn ObjectStore>, ShipFault> {
    match target {
        ShipTarget::Folder(folder) => {
            let store = LocalFileSystem::new_with_prefix(folder);
            let store = store.map_err(|error| ShipFault::Setting(error.to_string()))?;
            // Off by default in the library: a copy that a power cut takes back is none.
            Ok(Arc::new(store.with_fsync(true)))
        }
        ShipTarget::S3(settings) => bucket(settings, keys),
    }
}

fn bucket(settings: &S3Settings, keys: Option<&S3Keys>) -> Result<Arc<dyn ObjectStore>, ShipFault> {
    let client =
        Client::new(settings.ca.as_deref(), Reach::Anywhere).map_err(ShipFault::Setting)?;
    let mut builder = AmazonS3Builder::new()
        .with_bucket_name(&settings.bucket)
        .with_region(&settings.region)
        // The server checks what it received before it keeps it.
        .with_checksum_algorithm(Checksum::SHA256)
        .with_retry(retry())
        .with_http_connector(client);
    if let Some(endpoint) = &settings.endpoint {
        if endpoint.scheme() != "https"
            && !(endpoint.scheme() == "http" && settings.allow_cleartext)
        {
            let why = "the endpoint needs https, or `allow_cleartext`".to_owned();
            return Err(ShipFault::Setting(why));
        }
        builder = builder
            .with_endpoint(endpoint.as_str().trim_end_matches('/'))
            .with_allow_http(settings.allow_cleartext)
            .with_virtual_hosted_style_request(false);
    }
    if let Some((id, secret)) = keys.map(S3Keys::expose) {
        builder = builder.with_access_key_id(id).with_secret_access_key(secret);
    }
    let store = builder.build().map_err(|error| ShipFault::Setting(error.to_string()))?;
    Ok(Arc::new(store))
}

fn retry() -> RetryConfig {
    let backoff = BackoffConfig {
        init_backoff: Duration::from_millis(200),
        max_backoff: Duration::from_secs(5),
        base: 2.,
    };
    RetryConfig { backoff, max_retries: 8, retry_timeout: RETRY_MAX }
}

/// The place of one segment's objects.
pub(super) fn place(prefix: &str, first_seq: u64) -> Result<ObjectPath, ShipFault> {
    let whole = format!("{}/{first_seq:020}", prefix.trim_matches('/'));
    let path = ObjectPath::parse(whole.trim_start_matches('/'));
    path.map_err(|error| ShipFault::Setting(format!("`prefix`: {error}")))
}
