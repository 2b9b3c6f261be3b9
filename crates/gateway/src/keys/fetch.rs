//! Going out for an issuer's keys: from the configured URL, or from where its metadata says.

use std::path::PathBuf;

use url::Url;

use super::KeySet;
use crate::{
    discovery::{FetchFault, Fetcher, unusable},
    egress::EgressFault,
};

/// Where one issuer's keys come from.
#[derive(Debug)]
pub(super) struct Source {
    fetcher: Fetcher,
    issuer: String,
    /// The configured URL; discovery is not used then.
    jwks_url: Option<Url>,
}

impl Source {
    pub(super) fn new(
        issuer: &str,
        jwks_url: Option<&Url>,
        allow_private: bool,
        ca: Option<PathBuf>,
    ) -> Result<Self, EgressFault> {
        let fetcher = Fetcher::new(allow_private, ca)?;
        let jwks_url = match jwks_url {
            Some(url) => Some(fetcher.check(url.as_str())?),
            None => {
                fetcher.check(issuer)?;
                None
            }
        };
        Ok(Self { fetcher, issuer: issuer.to_owned(), jwks_url })
    }

    /// The issuer's keys as they are published now.
    pub(super) async fn keys(&self) -> Result<KeySet, FetchFault> {
        let url = match &self.jwks_url {
            Some(url) => url.clone(),
            None => self.discover().await?,
        };
        let body = self.fetcher.get(&url).await?;
        KeySet::parse(&body).map_err(|what| unusable(&url, what))
    }

    async fn discover(&self) -> Result<Url, FetchFault> {
        let found = self.fetcher.metadata(&self.issuer).await?.jwks_uri;
        let found = found
            .ok_or_else(|| unusable(&self.issuer, "its metadata has no `jwks_uri`".to_owned()))?;
        Ok(self.fetcher.check(&found)?)
    }
}
