//! One message as Standard Webhooks 1.0 has it: an id that stays the same, the time of this attempt,
//! and an HMAC-SHA256 over both and the body.

use aws_lc_rs::hmac;
use base64::{Engine as _, prelude::BASE64_STANDARD};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue};
use lockgate_model::Timestamp;
use serde_json::Value;

use super::{WebhookSecret, WebhookSettings};
use crate::deliver::{DeliverFault, Headers, Http};

const ID: HeaderName = HeaderName::from_static("webhook-id");
const TIMESTAMP: HeaderName = HeaderName::from_static("webhook-timestamp");
const SIGNATURE: HeaderName = HeaderName::from_static("webhook-signature");

/// A receiver with its key.
pub struct Webhook {
    http: Http,
    key: hmac::Key,
}

impl Webhook {
    /// Dials nothing yet.
    ///
    /// # Errors
    /// [`DeliverFault::Setting`].
    pub fn new(
        settings: &WebhookSettings,
        headers: Headers,
        secret: &WebhookSecret,
    ) -> Result<Self, DeliverFault> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        Ok(Self { http: Http::new(&settings.receiver(), headers)?, key })
    }

    /// Posts one message.
    pub(super) async fn send(
        &self,
        id: &str,
        message: &Value,
        now: Timestamp,
    ) -> Result<(), DeliverFault> {
        let (body, time) = (message.to_string(), now.seconds().to_string());
        let mut headers = HeaderMap::new();
        for (name, value) in [
            (ID, id),
            (TIMESTAMP, time.as_str()),
            (SIGNATURE, self.signature(id, &time, &body).as_str()),
        ] {
            let value = HeaderValue::from_str(value);
            headers.insert(name, value.map_err(|error| DeliverFault::Later(error.to_string()))?);
        }
        self.http.post("application/json", headers, Bytes::from(body)).await
    }

    fn signature(&self, id: &str, time: &str, body: &str) -> String {
        let tag = hmac::sign(&self.key, format!("{id}.{time}.{body}").as_bytes());
        format!("v1,{}", BASE64_STANDARD.encode(tag))
    }
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;

    use super::{super::WebhookSecret, Http, Webhook};
    use crate::deliver::{Headers, HttpSettings};

    #[test]
    fn the_signature_is_that_of_the_specification() {
        let secret = WebhookSecret::parse("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw").unwrap();
        let settings = HttpSettings {
            url: "http://127.0.0.1:1/".parse().unwrap(),
            allow_cleartext: true,
            headers: Default::default(),
            ca: None,
        };
        let http = Http::new(&settings, Headers::default()).unwrap();
        let key = hmac::Key::new(hmac::HMAC_SHA256, secret.expose());
        let webhook = Webhook { http, key };
        // The example of the reference libraries.
        let signed = webhook.signature(
            "msg_p5jXN8AQM9LWM0D4loKWxJek",
            "1614265330",
            r#"{"test": 2432232314}"#,
        );
        assert_eq!(signed, "v1,g0hM9SsE+OTPJTGt/tmIKtSyZlE3uFJELVlNIOLJ1OE=");
    }
}
