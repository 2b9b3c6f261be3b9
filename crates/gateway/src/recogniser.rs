//! Recognisers: services outside that read language and say where people and places are named. Spoken
//! to as Presidio's analyzer is: `POST /analyze` with a text, answered by spans in code points.
//!
//! What they find is looked for again by masking, in every guise; nothing of their answer is shown.

use std::{collections::BTreeSet, time::Duration};

use bytes::Bytes;
use http::{Request, StatusCode, header};
use http_body_util::{BodyExt as _, Collected, Full, Limited};
use lockgate_rules::mask::{Class, KnownValue, Name};
use serde::{Deserialize, Serialize};
use tokio::{sync::Semaphore, time::timeout};
use url::Url;

use crate::{
    egress::{self, Client, EgressFault, EgressRules},
    settings::RecogniserSettings,
};

/// An answer is at most this long.
const ANSWER_MAX_BYTES: usize = 1024 * 1024;

/// A recogniser, ready to be asked.
pub struct Recogniser {
    /// What an operator wrote.
    pub settings: RecogniserSettings,
    url: Url,
    client: Client,
    slots: Semaphore,
}

/// Why nothing is known of a text.
#[derive(Debug, thiserror::Error)]
pub enum RecogniserFault {
    /// More than it may be asked about.
    #[error("{bytes} bytes of text are more than the {max} that it is asked about")]
    TooLarge {
        /// Of all texts.
        bytes: usize,
        /// `request_max_bytes`
        max: u32,
    },
    /// No answer in time.
    #[error("no answer within {0} ms")]
    Late(u32),
    /// No connection, or not an allowed one.
    #[error("{0}")]
    Unreachable(String),
    /// An answer that can't be used.
    #[error("{0}")]
    Unusable(String),
}

#[derive(Serialize)]
struct Question<'a> {
    text: &'a str,
    language: &'a str,
    entities: Vec<&'a str>,
    score_threshold: f64,
}

/// One finding; what else an analyzer says of it is not read.
#[derive(Deserialize)]
struct Found {
    entity_type: String,
    /// In code points.
    start: usize,
    end: usize,
    score: f64,
}

impl Recogniser {
    /// From its settings.
    ///
    /// # Errors
    /// [`EgressFault`] where its address may not be dialled.
    pub fn new(settings: &RecogniserSettings) -> Result<Self, EgressFault> {
        let rules = EgressRules {
            allow_private: settings.allow_private,
            ca: settings.ca.clone(),
            connect_wait_max: Duration::from_millis(settings.wait_max_ms.into()),
        };
        Ok(Self {
            url: egress::check_url(settings.url.as_str(), &rules)?,
            client: egress::client(&rules)?,
            slots: Semaphore::new(settings.in_flight_max.into()),
            settings: settings.clone(),
        })
    }

    /// The values that it finds in `texts`.
    ///
    /// # Errors
    /// [`RecogniserFault`]; it is not known then what they hold.
    pub async fn look(&self, texts: &[String]) -> Result<Vec<KnownValue>, RecogniserFault> {
        let lines: Vec<String> = texts.iter().map(|text| text.replace(['\n', '\r'], " ")).collect();
        let text = lines.join("\n");
        if text.is_empty() {
            return Ok(Vec::new());
        }
        let max = self.settings.request_max_bytes;
        if text.len() > max as usize {
            return Err(RecogniserFault::TooLarge { bytes: text.len(), max });
        }
        let wait_ms = self.settings.wait_max_ms;
        let answer = timeout(Duration::from_millis(wait_ms.into()), self.ask(&text)).await;
        let found = answer.map_err(|_| RecogniserFault::Late(wait_ms))??;
        Ok(self.values(&text, &found))
    }

    async fn ask(&self, text: &str) -> Result<Vec<Found>, RecogniserFault> {
        let _slot = self.slots.acquire().await.map_err(unusable)?;
        let question = Question {
            text,
            language: &self.settings.language,
            entities: self.settings.classes.keys().map(String::as_str).collect(),
            score_threshold: f64::from(self.settings.score_min) / 100.0,
        };
        let body = serde_json::to_vec(&question).map_err(unusable)?;
        let request = Request::post(self.url.as_str())
            .header(header::CONTENT_TYPE, "application/json")
            .header(header::ACCEPT, "application/json")
            .body(Full::new(Bytes::from(body)))
            .map_err(unusable)?;
        let answer = self.client.send(request).await;
        let answer = answer.map_err(|refusal| RecogniserFault::Unreachable(refusal.to_string()))?;
        if answer.status() != StatusCode::OK {
            let status = answer.status().as_u16();
            return Err(RecogniserFault::Unusable(format!("it answers with status {status}")));
        }
        let body = Limited::new(answer.into_body(), ANSWER_MAX_BYTES).collect().await;
        let body = body.map(Collected::to_bytes).map_err(|fault| unusable(&*fault))?;
        serde_json::from_slice(&body).map_err(unusable)
    }

    /// What its spans stand for. One that reaches over several texts is taken apart.
    fn values(&self, text: &str, found: &[Found]) -> Vec<KnownValue> {
        let mut starts: Vec<usize> = text.char_indices().map(|(at, _)| at).collect();
        starts.push(text.len());
        let mut values = BTreeSet::new();
        for one in found {
            let Some(class) = self.settings.classes.get(&one.entity_type) else { continue };
            let span = starts.get(one.start).zip(starts.get(one.end));
            let part = span.and_then(|(start, end)| text.get(*start..*end)).unwrap_or_default();
            // Scores are shares of one.
            let score = (one.score.clamp(0.0, 1.0) * 100.0) as u8;
            if score < self.settings.score_min {
                continue;
            }
            values.extend(part.lines().map(str::trim).map(|value| KnownValue {
                value: value.to_owned(),
                class: Class::new(class),
                score,
                detector: Name::new(&self.settings.name),
            }));
        }
        values.into_iter().collect()
    }
}

fn unusable(fault: impl std::fmt::Display) -> RecogniserFault {
    RecogniserFault::Unusable(fault.to_string())
}
