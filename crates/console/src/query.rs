//! Reading what was asked: query strings, paths and bodies, strictly and within bounds.

use std::{fmt, time::Duration};

use axum::{
    Json,
    body::{Body, to_bytes},
    extract::{FromRequest, FromRequestParts, Path, Query, Request},
};
use http::{HeaderMap, header, request::Parts};
use lockgate_model::{ConnectionName, SecretName, Timestamp};
use serde::{Deserialize, Deserializer, Serialize, Serializer, de::DeserializeOwned};
use url::form_urlencoded;
use utoipa::{
    IntoParams, ToSchema,
    openapi::{
        ObjectBuilder, Type,
        path::{Parameter, ParameterBuilder, ParameterIn},
    },
};

use crate::{
    problem::{Code, Problem},
    registrar::Known,
};

/// Bytes of a request's body.
const BODY_MAX_BYTES: usize = 16 * 1024;
/// A request's body must have come within this time.
const BODY_WAIT_MAX: Duration = Duration::from_secs(10);
/// Characters of one parameter.
const VALUE_MAX: usize = 512;

/// The parameters of a query, every one known and given once.
pub(crate) struct Params<T>(pub(crate) T);

/// A JSON body.
pub(crate) struct Asked<T>(pub(crate) T);

/// A session's id: `s` and 32 lower-case hexadecimal digits.
pub(crate) struct SessionId(pub(crate) String);

/// An approval's id: `a` and 32 lower-case hexadecimal digits.
pub(crate) struct ApprovalId(pub(crate) String);

/// The name of something in the path.
pub(crate) struct Name<T>(Option<T>);

/// What a change says of the version that it was made from (RFC 9110 §13.1.1).
pub(crate) struct IfMatch(pub(crate) Known);

/// A call's id: 32 lower-case hexadecimal digits, for a part of a batch with its place behind.
pub(crate) struct CallId(pub(crate) String);

/// A point in time, RFC 3339 on the outside.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = String, format = DateTime, example = "2026-11-25T10:00:00.000Z")]
pub(crate) struct Time(pub(crate) Timestamp);

/// Highest sequence number that can be named: the largest whole number that every reader of JSON
/// holds exactly (RFC 8259 §6).
const SEQ_MAX: u64 = (1 << 53) - 1;

/// A record's sequence number.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = u64, minimum = 0, maximum = 9007199254740991_u64)]
pub(crate) struct Seq(pub(crate) u64);

impl Seq {
    /// From its digits; `None` where it is none, or too high.
    pub(crate) fn parse(text: &str) -> Option<Self> {
        text.parse().ok().filter(|seq| *seq <= SEQ_MAX).map(Self)
    }
}

impl<'de> Deserialize<'de> for Seq {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| serde::de::Error::custom("not a record's number"))
    }
}

/// How many at most; 50 where nothing is said.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ToSchema)]
#[schema(value_type = u32, minimum = 1, maximum = 200, default = 50)]
pub(crate) struct Limit(pub(crate) u16);

impl Default for Limit {
    fn default() -> Self {
        Self(50)
    }
}

impl<'de> Deserialize<'de> for Limit {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let limit = u16::deserialize(deserializer)?;
        let fits = (1..=200).contains(&limit);
        fits.then_some(Self(limit)).ok_or_else(|| serde::de::Error::custom("from 1 to 200"))
    }
}

impl<'de> Deserialize<'de> for Time {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        let time: jiff::Timestamp =
            text.parse().map_err(|_| serde::de::Error::custom("not a time as RFC 3339 has it"))?;
        Ok(Self(Timestamp::from_millis(time.as_millisecond())))
    }
}

impl Serialize for Time {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // What no calendar has is shown as the beginning of the one there is.
        let time = jiff::Timestamp::from_millisecond(self.0.millis()).unwrap_or_default();
        write!(f, "{time:.3}")
    }
}

impl<S: Send + Sync, T: DeserializeOwned + Send> FromRequestParts<S> for Params<T> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        for (name, value) in form_urlencoded::parse(parts.uri.query().unwrap_or("").as_bytes()) {
            let wrong = match &*value {
                "" => "is empty",
                // What was no UTF-8 has been replaced by the decoder.
                text if text.contains(['\0', '\u{fffd}']) => "has bytes that are no text",
                text if text.chars().count() > VALUE_MAX => "is too long",
                _ => continue,
            };
            let name: String = name.chars().take(32).collect();
            let detail = format!("`{}` {wrong}", name.escape_debug());
            return Err(Problem::new(Code::QueryInvalid, detail));
        }
        let query = Query::<T>::from_request_parts(parts, state).await;
        let Query(params) =
            query.map_err(|fault| Problem::new(Code::QueryInvalid, fault.body_text()))?;
        Ok(Self(params))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for SessionId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Code::SessionUnknown.into());
        };
        Self::parse(id).ok_or_else(|| Code::SessionUnknown.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for ApprovalId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let id = Path::<String>::from_request_parts(parts, state).await.ok().map(|Path(id)| id);
        let id = id.filter(|id| id.strip_prefix('a').is_some_and(is_id));
        id.map(Self).ok_or_else(|| Code::ApprovalUnknown.into())
    }
}

impl<T> Name<T> {
    /// The name, unless it can't be one.
    pub(crate) fn or(self, unknown: Code) -> Result<T, Problem> {
        self.0.ok_or_else(|| unknown.into())
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name<ConnectionName> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await.ok();
        Ok(Self(name.and_then(|Path(name)| ConnectionName::new(&name).ok())))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for Name<SecretName> {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let name = Path::<String>::from_request_parts(parts, state).await.ok();
        Ok(Self(name.and_then(|Path(name)| SecretName::new(&name).ok())))
    }
}

impl<S: Sync> FromRequestParts<S> for IfMatch {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, _: &S) -> Result<Self, Problem> {
        let mut lines = parts.headers.get_all(header::IF_MATCH).iter();
        let (Some(line), None) = (lines.next(), lines.next()) else {
            let none = !parts.headers.contains_key(header::IF_MATCH);
            return none.then_some(Self(Known::Nothing)).ok_or_else(|| Code::VersionInvalid.into());
        };
        let text = line.to_str().unwrap_or_default().trim();
        let version = text.strip_prefix('"').and_then(|text| text.strip_suffix('"'));
        let version = version.and_then(Seq::parse).map(|Seq(version)| Known::Version(version));
        let known = if text == "*" { Some(Known::Any) } else { version };
        known.map(Self).ok_or_else(|| Code::VersionInvalid.into())
    }
}

impl IntoParams for IfMatch {
    fn into_params(_: impl Fn() -> Option<ParameterIn>) -> Vec<Parameter> {
        let about = "The version that is changed, as `ETag` gives it, or `*`; absent where there is none yet";
        let form = ObjectBuilder::new().schema_type(Type::String);
        let form = form.pattern(Some(r#"^(\*|"[0-9]{1,15}")$"#));
        let header = ParameterBuilder::new().name("If-Match").parameter_in(ParameterIn::Header);
        vec![header.description(Some(about)).schema(Some(form)).build()]
    }
}

impl SessionId {
    fn parse(id: String) -> Option<Self> {
        id.strip_prefix('s').is_some_and(is_id).then_some(Self(id))
    }
}

impl<'de> Deserialize<'de> for SessionId {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let id = String::deserialize(deserializer)?;
        Self::parse(id).ok_or_else(|| serde::de::Error::custom("not a session's id"))
    }
}

impl<S: Send + Sync> FromRequestParts<S> for CallId {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Ok(Path(id)) = Path::<String>::from_request_parts(parts, state).await else {
            return Err(Code::CallUnknown.into());
        };
        let (call, part) =
            id.split_once('-').map_or((&*id, None), |(call, part)| (call, Some(part)));
        let digits = |part: &str| {
            (1..=9).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit())
        };
        let fits = is_id(call) && part.is_none_or(digits);
        if fits { Ok(Self(id)) } else { Err(Code::CallUnknown.into()) }
    }
}

/// Whether `text` is 32 lower-case hexadecimal digits.
fn is_id(text: &str) -> bool {
    text.len() == 32 && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
}

impl<S: Send + Sync, T: DeserializeOwned> FromRequest<S> for Asked<T> {
    type Rejection = Problem;

    async fn from_request(request: Request, _: &S) -> Result<Self, Problem> {
        let (head, body) = request.into_parts();
        if !is_json(&head.headers) {
            return Err(Code::MediaType.into());
        }
        let body = collect(body).await?;
        let Json(asked) = Json::from_bytes(&body)
            .map_err(|fault| Problem::new(Code::BodyInvalid, fault.body_text()))?;
        Ok(Self(asked))
    }
}

async fn collect(body: Body) -> Result<bytes::Bytes, Problem> {
    match tokio::time::timeout(BODY_WAIT_MAX, to_bytes(body, BODY_MAX_BYTES)).await {
        Ok(Ok(body)) => Ok(body),
        Ok(Err(_)) => Err(Code::BodyTooLarge.into()),
        Err(_) => Err(Code::BodyTooSlow.into()),
    }
}

fn is_json(headers: &HeaderMap) -> bool {
    let named = headers.get(header::CONTENT_TYPE).and_then(|named| named.to_str().ok());
    let named = named.and_then(|named| named.split(';').next()).unwrap_or_default();
    named.trim().eq_ignore_ascii_case("application/json")
}

#[cfg(test)]
mod tests {
    use lockgate_model::Timestamp;

    use super::{Limit, Time};

    #[test]
    fn times_are_written_and_read_to_the_millisecond() {
        let time = Time(Timestamp::from_millis(1_764_064_800_007));
        assert_eq!(time.to_string(), "2025-11-25T10:00:00.007Z");
        let again: Time = serde_json::from_str("\"2025-11-25T12:00:00.007+02:00\"").unwrap();
        assert_eq!(again, time);
        for bad in ["", "yesterday", "1764064800007", "2025-11-25", "2025-13-25T10:00:00Z"] {
            assert!(serde_json::from_str::<Time>(&format!("\"{bad}\"")).is_err(), "{bad}");
        }
    }

    #[test]
    fn limits_have_ends() {
        for (text, fits) in [("0", false), ("1", true), ("200", true), ("201", false)] {
            assert_eq!(serde_json::from_str::<Limit>(text).is_ok(), fits, "{text}");
        }
    }
}
