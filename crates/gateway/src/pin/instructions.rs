//! The text that a server gives the model about itself, on `initialize` and `server/discover`:
//! withheld where it is not the accepted one. The call itself goes on, because a client that
//! can't initialize can't even be told why.

use std::ops::Range;

use bytes::Bytes;
use lockgate_mcp::{
    Fault, definition,
    json::{JsonLimits, Node},
    message::{self, Body, Message},
};
use lockgate_model::Digest;

/// A result after its instructions were looked at.
#[derive(Debug, PartialEq, Eq)]
pub struct Screened {
    /// The response; the same bytes where nothing was withheld.
    pub body: Bytes,
    /// Whether instructions were taken out.
    pub withheld: bool,
}

/// Takes `instructions` out of the result in `body` unless `admits` says that they are accepted.
/// All other bytes stay.
///
/// # Errors
/// [`Fault`] with reason `upstream.invalid` where `body` is no response, or its instructions are
/// no text.
pub fn screen(
    body: &Bytes,
    limits: JsonLimits,
    admits: impl FnOnce(Option<Digest>) -> bool,
) -> Result<Screened, Fault> {
    let Body::One(Message::Response(response)) = message::parse_server(body, limits)? else {
        return Err(Fault::upstream("no response"));
    };
    let unchanged = || Ok(Screened { body: body.clone(), withheld: false });
    let Some(result) = response.result() else { return unchanged() };
    let Some(instructions) = result.get("instructions") else { return unchanged() };
    let Some(text) = instructions.text() else {
        return Err(Fault::upstream("instructions that are no text"));
    };
    if admits(digest_of(&text)) {
        return unchanged();
    }
    let span = member_span(result, instructions);
    let head = body.get(..span.start).unwrap_or_default();
    let tail = body.get(span.end..).unwrap_or_default();
    Ok(Screened { body: [head, tail].concat().into(), withheld: true })
}

/// The digest by which instructions are compared; empty text is none.
pub(super) fn digest_of(text: &str) -> Option<Digest> {
    (!text.is_empty()).then(|| definition::instructions_digest(text))
}

/// The member with the comma that separates it from a neighbour.
fn member_span(object: Node<'_, '_>, member: Node<'_, '_>) -> Range<usize> {
    let span = member.span();
    let mut before = None;
    for sibling in object.children() {
        if sibling.span().start > span.start {
            return match before {
                Some(before) => before..span.end,
                None => span.start..sibling.span().start,
            };
        }
        if sibling.span().start < span.start {
            before = Some(sibling.span().end);
        }
    }
    before.unwrap_or(span.start)..span.end
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lockgate_mcp::json::JsonLimits;

    use super::screen;

    #[test]
    fn only_the_instructions_are_taken_out() {
        for (before, after) in [
            (r#"{"a":1, "instructions" : "x" , "b":[2]}"#, r#"{"a":1 , "b":[2]}"#),
            (r#"{ "instructions":"x", "b":1.0}"#, r#"{ "b":1.0}"#),
            (r#"{"b":{"instructions":"y"},"instructions":"x"}"#, r#"{"b":{"instructions":"y"}}"#),
            (r#"{"instructions":"x"}"#, "{}"),
        ] {
            let whole = |result| format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#);
            let body = Bytes::from(whole(before));
            let kept = screen(&body, JsonLimits::default(), |_| true).unwrap();
            assert_eq!((kept.body, kept.withheld), (body.clone(), false));
            let cut = screen(&body, JsonLimits::default(), |_| false).unwrap();
            assert_eq!((cut.body, cut.withheld), (whole(after).into(), true));
        }
    }

    #[test]
    fn answers_without_instructions_pass_and_others_are_refused() {
        for text in [
            r#"{"jsonrpc":"2.0","id":1,"result":{"a":1}}"#,
            r#"{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":""}}"#,
        ] {
            let screened = screen(&text.into(), JsonLimits::default(), |_| false).unwrap();
            assert!(!screened.withheld);
        }
        let odd = r#"{"jsonrpc":"2.0","id":1,"result":{"instructions":["x"]}}"#;
        assert!(screen(&odd.into(), JsonLimits::default(), |_| true).is_err());
    }
}
