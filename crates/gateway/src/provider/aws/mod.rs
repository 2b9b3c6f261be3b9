//! AWS: what Secrets Manager keeps, and the vault's keys wrapped and unwrapped under a key of KMS, which
//! never leaves it. Both speak JSON over HTTP:
//! <https://docs.aws.amazon.com/secretsmanager/latest/apireference/> and
//! <https://docs.aws.amazon.com/kms/latest/APIReference/>.

mod identity;
mod settings;

#[cfg(test)]
mod tests;

use bytes::Bytes;
use http::{Method, Request, StatusCode, header};
use http_body_util::Full;
use identity::Identity;
use lockgate_vault::{KeyId, Secret, VaultKey};
use object_store::client::HttpRequestBody;
use serde::{Deserialize, Serialize};
use serde_json::value::RawValue;
pub use settings::AwsSettings;
use url::Url;
use zeroize::Zeroizing;

use super::{
    ProviderFault,
    wire::{self, CONNECT_WAIT_MAX, Fields, Wire, json, parse, unusable},
};
use crate::{
    egress::{self, EgressFault, EgressRules},
    secret::AwsSecret,
};

/// An account in a region of AWS, and who the gateway is there.
pub struct Aws {
    region: String,
    identity: Identity,
    secrets_manager: Service,
    kms: Service,
}

/// One service of it.
struct Service {
    /// How it is named in signatures.
    name: &'static str,
    url: Url,
    wire: Wire,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct GetSecretValue<'a> {
    secret_id: &'a str,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct SecretValue<'a> {
    /// Absent where it holds bytes.
    #[serde(borrow)]
    secret_string: Option<&'a RawValue>,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypt<'a> {
    key_id: &'a str,
    plaintext: &'a str,
    encryption_context: About,
}

#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypt<'a> {
    key_id: &'a str,
    ciphertext_blob: &'a str,
    encryption_context: About,
}

/// What a wrapped key is bound to.
#[derive(Serialize)]
struct About {
    #[serde(rename = "lockgate-vault-key")]
    key: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Encrypted {
    ciphertext_blob: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Decrypted {
    plaintext: String,
}

/// How a service says what is wrong.
#[derive(Deserialize)]
struct Wrong {
    #[serde(rename = "__type")]
    kind: String,
}

impl Aws {
    /// From its settings. Nothing is dialled here.
    ///
    /// # Errors
    /// [`EgressFault`] where an address may not be dialled, authorities can't be read, or the
    /// environment tells half an identity.
    pub fn new(settings: &AwsSettings) -> Result<Self, EgressFault> {
        let rules = EgressRules {
            allow_private: settings.allow_private,
            ca: settings.ca.clone(),
            connect_wait_max: CONNECT_WAIT_MAX,
        };
        if !settings.is_region() {
            let url = settings.public("kms");
            return Err(EgressFault::Url { url, why: "its region is none" });
        }
        let client = egress::client(&rules)?;
        let service = |name: &'static str, elsewhere: &Option<Url>| {
            let url = elsewhere.as_ref().map_or_else(|| settings.public(name), Url::to_string);
            let url = egress::check_url(&url, &rules)?;
            Ok(Service { name, url, wire: Wire::new(client.clone()) })
        };
        Ok(Self {
            region: settings.region.clone(),
            identity: Identity::of(settings, &rules)?,
            secrets_manager: service("secretsmanager", &settings.secrets_manager)?,
            kms: service("kms", &settings.kms)?,
        })
    }

    /// The current version of a secret, or of one text in it.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub async fn read(&self, secret: &AwsSecret) -> Result<Secret, ProviderFault> {
        let missing = |what: &str| ProviderFault::Missing(what.to_owned());
        let body = json(&GetSecretValue { secret_id: &secret.id })?;
        let answer = self.ask(&self.secrets_manager, "secretsmanager.GetSecretValue", body).await?;
        let value = parse::<SecretValue<'_>>(&answer)?.secret_string;
        let value = value.ok_or_else(|| missing("it holds no text"))?;
        let Some(field) = &secret.field else {
            return wire::secret(value).ok_or_else(|| missing("it holds no text that is sent"));
        };
        // JSON within a text of JSON.
        let text = serde_json::from_str(value.get()).map(Zeroizing::<String>::new);
        let text = text.map_err(|_| missing("it holds no text"))?;
        let fields = serde_json::from_str::<Fields<'_>>(&text);
        wire::field(&fields.map_err(|_| missing("it holds no fields"))?, field)
    }

    /// Has a key wrapped under a key of KMS.
    ///
    /// # Errors
    /// [`ProviderFault`]
    pub async fn wrap(&self, name: &str, key: &VaultKey) -> Result<String, ProviderFault> {
        let plaintext = key.to_base64();
        let encryption_context = About { key: key.id().to_string() };
        let body = json(&Encrypt { key_id: name, plaintext: &plaintext, encryption_context })?;
        let answer = self.ask(&self.kms, "TrentService.Encrypt", body).await?;
        wire::wrapped(parse::<Encrypted>(&answer)?.ciphertext_blob)
    }

    /// Has the key of this id unwrapped, by that key of KMS alone.
    ///
    /// # Errors
    /// [`ProviderFault`]; [`ProviderFault::Refused`] also where what comes back is another key.
    pub async fn unwrap(
        &self,
        name: &str,
        id: KeyId,
        wrapped: &str,
    ) -> Result<VaultKey, ProviderFault> {
        let encryption_context = About { key: id.to_string() };
        let body = json(&Decrypt { key_id: name, ciphertext_blob: wrapped, encryption_context })?;
        let answer = self.ask(&self.kms, "TrentService.Decrypt", body).await?;
        let text = Zeroizing::new(parse::<Decrypted>(&answer)?.plaintext);
        VaultKey::from_base64(id, &text).map_err(|fault| ProviderFault::Refused(fault.to_string()))
    }

    async fn ask(
        &self,
        service: &Service,
        target: &str,
        body: Bytes,
    ) -> Result<Bytes, ProviderFault> {
        let request = Request::builder()
            .method(Method::POST)
            .uri(service.url.as_str())
            .header(header::CONTENT_TYPE, "application/x-amz-json-1.1")
            .header("x-amz-target", target)
            .body(HttpRequestBody::from(body.clone()));
        let mut request = request.map_err(|_| unusable("it can't be asked at that address"))?;
        self.identity.sign(&mut request, service.name, &self.region).await?;
        service.wire.ask(request.map(|_| Full::new(body)), judge).await
    }
}

/// Everything that is wrong is a 400 with its name in the body, as a rule.
fn judge(status: StatusCode, answer: &[u8]) -> Result<(), ProviderFault> {
    if status == StatusCode::OK {
        return Ok(());
    }
    let kind = serde_json::from_slice::<Wrong>(answer).map(|wrong| wrong.kind).unwrap_or_default();
    // With a name space before it, or a link behind it.
    let kind = kind.rsplit('#').next().and_then(|kind| kind.split(':').next()).unwrap_or_default();
    // A word, and not whatever somebody else may answer.
    let plain = kind.len() <= 64 && kind.bytes().all(|c| c.is_ascii_alphanumeric());
    let kind = if plain { kind } else { "" };
    let said = format!("status {} {kind}", status.as_u16());
    let said = said.trim_end();
    match (kind, status.as_u16()) {
        ("ResourceNotFoundException" | "NotFoundException", _) => {
            Err(ProviderFault::Missing(format!("AWS has no such thing ({said})")))
        }
        // To be tried later.
        ("LimitExceededException" | "RequestLimitExceeded", _) => Err(later(said)),
        (throttled, _) if throttled.starts_with("Throttl") => Err(later(said)),
        ("", 400) => Err(later(said)),
        (_, 400 | 401 | 403) => Err(ProviderFault::Refused(format!("AWS refuses it ({said})"))),
        _ => Err(later(said)),
    }
}

fn later(said: &str) -> ProviderFault {
    unusable(&format!("AWS answers with {said}"))
}
