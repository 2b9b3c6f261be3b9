//! Whether a request comes from Slack ("Verifying requests from Slack", version `v0`): an HMAC-SHA-256
//! under the app's signing secret over the time and the body.

use aws_lc_rs::hmac;
use lockgate_model::Timestamp;

/// A request is from at most so long ago, or ahead, in seconds.
const AGE_MAX_S: i64 = 300;
/// Bytes of a signature.
const TAG_BYTES: usize = 32;

/// Why a request is not taken for one of Slack's.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureFault {
    /// Its time is no number, or not near enough.
    #[error("its time is not within five minutes of now")]
    Time,
    /// It is signed otherwise.
    #[error("its signature is not the app's")]
    Signature,
}

/// Compares in constant time.
pub(super) fn verify(
    key: &hmac::Key,
    timestamp: &str,
    signature: &str,
    body: &[u8],
    now: Timestamp,
) -> Result<(), SignatureFault> {
    let digits = !timestamp.is_empty() && timestamp.bytes().all(|byte| byte.is_ascii_digit());
    let at: i64 = timestamp.parse().ok().filter(|_| digits).ok_or(SignatureFault::Time)?;
    let tag = signature.strip_prefix("v0=").and_then(unhex).ok_or(SignatureFault::Signature)?;
    let signed = [b"v0:", timestamp.as_bytes(), b":", body].concat();
    hmac::verify(key, &signed, &tag).map_err(|_| SignatureFault::Signature)?;
    let near = now.seconds().checked_sub(at).is_some_and(|age| age.abs() <= AGE_MAX_S);
    if near { Ok(()) } else { Err(SignatureFault::Time) }
}

/// Lower-case hexadecimal digits, as Slack writes them: one spelling for each signature.
fn unhex(text: &str) -> Option<Vec<u8>> {
    let digit = |byte: u8| match byte {
        b'0'..=b'9' => Some(byte - b'0'),
        b'a'..=b'f' => Some(byte - b'a' + 10),
        _ => None,
    };
    let pairs = text.as_bytes().chunks(2).map(|pair| match pair {
        [high, low] => Some(digit(*high)? << 4 | digit(*low)?),
        _ => None,
    });
    pairs.collect::<Option<Vec<u8>>>().filter(|bytes| bytes.len() == TAG_BYTES)
}

#[cfg(test)]
mod tests {
    use aws_lc_rs::hmac;
    use lockgate_model::Timestamp;

    use super::{
        SignatureFault::{self, Signature, Time},
        verify,
    };

    /// The example of "Verifying requests from Slack".
    const SECRET: &str = "8f742231b10e8888abcd99yyyzzz85a5";
    const AT: i64 = 1_531_420_618;
    const BODY: &str = "token=xyzz0WbapA4vBCDEFasx0q6G&team_id=T1DC2JH3J&team_domain=testteamnow\
        &channel_id=G8PSS9T3V&channel_name=foobar&user_id=U2CERLKJA&user_name=roadrunner\
        &command=%2Fwebhook-collect&text=&response_url=https%3A%2F%2Fhooks.slack.com%2Fcommands%2F\
        T1DC2JH3J%2F397700885554%2F96rGlfmibIGlgcZRskXaIFfN\
        &trigger_id=398738663015.47445629121.803a0bc887a14d10d2c447fce8b6703c";
    const SIGNED: &str = "v0=a2114d57b48eac39b9ad189dd8316235a7b4a8d21a10bd27519666489c69b503";

    fn check(time: &str, signed: &str, body: &str, now: i64) -> Result<(), SignatureFault> {
        let key = hmac::Key::new(hmac::HMAC_SHA256, SECRET.as_bytes());
        verify(&key, time, signed, body.as_bytes(), Timestamp::from_millis(now * 1000))
    }

    #[test]
    fn a16_only_what_slack_signed_lately_counts() {
        let at = AT.to_string();
        for now in [AT, AT + 300, AT - 300] {
            assert_eq!(check(&at, SIGNED, BODY, now), Ok(()), "{now}");
        }
        for now in [AT + 301, AT - 301, i64::MAX / 1000, 0] {
            assert_eq!(check(&at, SIGNED, BODY, now), Err(Time), "{now}");
        }
        let later = (AT + 1).to_string();
        for time in [&*later, "01531420618"] {
            assert_eq!(check(time, SIGNED, BODY, AT), Err(Signature), "another time: {time}");
        }
        for time in ["", "x", "-1531420618", "+1531420618", " 1531420618", "99999999999999999999"] {
            assert_eq!(check(time, SIGNED, BODY, AT), Err(Time), "{time}");
        }
        let wrong = SIGNED.replace("503", "504");
        let upper = SIGNED.to_uppercase().replace("V0", "v0");
        for signed in
            ["", "v0=", &SIGNED[3..], &SIGNED[..66], &SIGNED[..65], &wrong, &upper, "v1=a"]
        {
            assert_eq!(check(&at, signed, BODY, AT), Err(Signature), "{signed}");
        }
        assert_eq!(check(&at, SIGNED, &BODY.replace("U2", "U3"), AT), Err(Signature));
        assert_eq!(check(&at, SIGNED, "", AT), Err(Signature));
    }
}
