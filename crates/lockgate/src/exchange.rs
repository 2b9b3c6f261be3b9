//! One request and its whole answer, in short time and no larger than asked for. What the binary itself
//! wants of a server goes through here; never a call of a client.

use std::time::Duration;

use bytes::Bytes;
use http::{Request, StatusCode};
use http_body_util::{BodyExt as _, Full, Limited};
use lockgate_gateway::egress::Client;

/// Sends the request; any status is an answer.
///
/// # Errors
/// In words: where no connection came about, or the answer broke off, has more than
/// `answer_max_bytes`, or did not come within `wait_max`.
pub(crate) async fn exchange(
    client: &Client,
    request: Request<Full<Bytes>>,
    wait_max: Duration,
    answer_max_bytes: usize,
) -> Result<(StatusCode, Bytes), String> {
    let work = async {
        let answer = client.send(request).await.map_err(|refusal| refusal.to_string())?;
        let (head, body) = answer.into_parts();
        let body = Limited::new(body, answer_max_bytes).collect().await;
        Ok((head.status, body.map_err(|error| error.to_string())?.to_bytes()))
    };
    let late = |_| format!("no answer within {} s", wait_max.as_secs());
    tokio::time::timeout(wait_max, work).await.map_err(late)?
}
