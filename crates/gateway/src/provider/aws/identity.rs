//! Who the gateway is to AWS, and requests signed as that (Signature Version 4).
//!
//! Keys that are named in the configuration are read anew for each request, so that their file may be
//! replaced. All others are the machine's own, found and renewed by the `object_store` crate.

use std::{env, future::Future, pin::Pin, time::Duration};

use http::HeaderValue;
use http_body_util::{BodyExt as _, Full};
use object_store::{
    ClientOptions, RetryConfig,
    aws::{
        AmazonS3Builder, AmazonS3ConfigKey, AwsAuthorizer, AwsCredential, AwsCredentialProvider,
    },
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};
use tokio::time::timeout;
use zeroize::Zeroize as _;

use super::AwsSettings;
use crate::{
    egress::{self, Client, EgressFault, EgressRules},
    provider::{
        ProviderFault,
        wire::{CALL_MAX, unusable},
    },
    secret::SecretRef,
};

/// The variables by which AWS tells a program who it is.
const VARIABLES: [(&str, AmazonS3ConfigKey); 9] = [
    ("AWS_ACCESS_KEY_ID", AmazonS3ConfigKey::AccessKeyId),
    ("AWS_SECRET_ACCESS_KEY", AmazonS3ConfigKey::SecretAccessKey),
    ("AWS_SESSION_TOKEN", AmazonS3ConfigKey::Token),
    ("AWS_WEB_IDENTITY_TOKEN_FILE", AmazonS3ConfigKey::WebIdentityTokenFile),
    ("AWS_ROLE_ARN", AmazonS3ConfigKey::RoleArn),
    ("AWS_ENDPOINT_URL_STS", AmazonS3ConfigKey::StsEndpoint),
    ("AWS_CONTAINER_CREDENTIALS_RELATIVE_URI", AmazonS3ConfigKey::ContainerCredentialsRelativeUri),
    ("AWS_CONTAINER_CREDENTIALS_FULL_URI", AmazonS3ConfigKey::ContainerCredentialsFullUri),
    ("AWS_CONTAINER_AUTHORIZATION_TOKEN_FILE", AmazonS3ConfigKey::ContainerAuthorizationTokenFile),
];

/// Who the gateway is.
pub(super) enum Identity {
    /// Whose keys these are.
    Named {
        /// Where the access key is.
        access: SecretRef,
        /// Where the secret key is.
        secret: SecretRef,
    },
    /// Whom the machine is for AWS.
    Machine(AwsCredentialProvider),
}

/// The way to whoever tells the machine who it is.
#[derive(Clone, Debug)]
struct Way(Client);

type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl Identity {
    pub(super) fn of(settings: &AwsSettings, rules: &EgressRules) -> Result<Self, EgressFault> {
        if let (Some(access), Some(secret)) = (&settings.access_key, &settings.secret_key) {
            return Ok(Self::Named { access: access.clone(), secret: secret.clone() });
        }
        // The library finds a machine's identity for its buckets alone; this one is never asked for.
        let mut builder = AmazonS3Builder::new()
            .with_bucket_name("none")
            .with_region(&settings.region)
            .with_retry(RetryConfig {
                max_retries: 1,
                retry_timeout: CALL_MAX,
                ..Default::default()
            })
            .with_http_connector(Way(egress::client_to_metadata(rules)?));
        for (name, key) in VARIABLES {
            if let Ok(value) = env::var(name) {
                builder = builder.with_config(key, value);
            }
        }
        let bucket = builder.build().map_err(|_| EgressFault::Url {
            url: "AWS".to_owned(),
            why: "the variables `AWS_…` of the environment tell no identity",
        })?;
        Ok(Self::Machine(bucket.credentials().clone()))
    }

    /// Signs a request to a service.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub(super) async fn sign(
        &self,
        request: &mut HttpRequest,
        service: &str,
        region: &str,
    ) -> Result<(), ProviderFault> {
        match self {
            Self::Named { access, secret } => {
                let read = |place: &SecretRef| {
                    place.resolve().map_err(|refusal| {
                        let why = format!("nobody can sign: {}", refusal.detail);
                        ProviderFault::Unreachable(why)
                    })
                };
                let (access, secret) = (read(access)?, read(secret)?);
                let mut credential = AwsCredential {
                    key_id: access.expose().to_owned(),
                    secret_key: secret.expose().to_owned(),
                    token: None,
                };
                let signed = sign(request, &credential, service, region);
                credential.secret_key.zeroize();
                signed
            }
            Self::Machine(provider) => {
                let credential = timeout(CALL_MAX + GRACE, provider.get_credential()).await;
                let none = "nobody tells this machine who it is for AWS";
                // The library's words may quote what it was answered.
                let credential = credential.map_err(|_| unusable(none))?;
                sign(request, &*credential.map_err(|_| unusable(none))?, service, region)
            }
        }
    }
}

/// The library gives up by itself; this is for when it doesn't.
const GRACE: Duration = Duration::from_secs(1);

fn sign(
    request: &mut HttpRequest,
    credential: &AwsCredential,
    service: &str,
    region: &str,
) -> Result<(), ProviderFault> {
    // The library takes for granted that headers carry them.
    let fits = |text: &String| HeaderValue::from_str(text).is_ok();
    if !fits(&credential.key_id) || !credential.token.as_ref().is_none_or(fits) {
        return Err(ProviderFault::Refused("no header carries its access key".to_owned()));
    }
    let signed = AwsAuthorizer::new(credential, service, region).try_authorize(request, None);
    signed.map_err(|_| unusable("the request can't be signed"))
}

impl HttpService for Way {
    // As the library's `async_trait` spells it.
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Answer<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let request =
                request.map(|body| Full::new(body.as_bytes().cloned().unwrap_or_default()));
            let answer = self.0.send(request).await;
            // All that is asked here may be asked again.
            let answer = answer.map_err(|fault| HttpError::new(HttpErrorKind::Connect, fault))?;
            let (head, body) = answer.into_parts();
            let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
            Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
        })
    }
}

impl HttpConnector for Way {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}
