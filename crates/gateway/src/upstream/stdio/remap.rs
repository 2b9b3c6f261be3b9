//! Ids of one client's request, exchanged for the gateway's own on the way to a shared child and
//! put back on the way home. Pure; everything else in a message keeps its bytes.
//!
//! Several clients use the same ids and progress tokens on one child, so that each must be unique
//! there, and nobody's own spelling may lead to another's answer.

use std::ops::Range;

use bytes::Bytes;
use lockgate_mcp::{
    Fault,
    json::{JsonLimits, Node},
    message::{self, Body, Message, Notification, Request, Response},
};

/// What a request called itself: text as it stood in the message.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Original {
    id: Box<str>,
    token: Option<Box<str>>,
}

/// The request under the id `minted`, its progress token likewise, and how to undo both.
/// `text` is what `request` was read from.
pub(super) fn disguise(text: &[u8], request: &Request<'_>, minted: i64) -> (Bytes, Original) {
    let minted = minted.to_string();
    let id = request.id_node();
    let token = request.meta("progressToken");
    let own = |node: Option<Node<'_, '_>>| node.map(|node| Box::from(node.raw()));
    let original = Original { id: own(id).unwrap_or_default(), token: own(token) };
    let spans = [id, token].into_iter().flatten().map(|node| (node.value_span(), &*minted));
    (splice(text, spans.collect()), original)
}

impl Original {
    /// Whether the client asked for progress.
    pub(super) const fn wants_progress(&self) -> bool {
        self.token.is_some()
    }

    /// The response under the client's id.
    pub(super) fn response(&self, text: &Bytes, response: &Response<'_>) -> Bytes {
        self.put_back(text, response.id_node(), &self.id)
    }

    /// A progress notification with the client's token.
    pub(super) fn progress(&self, text: &Bytes, notification: &Notification<'_>) -> Bytes {
        let token = notification.params().and_then(|params| params.get("progressToken"));
        self.put_back(text, token, self.token.as_deref().unwrap_or_default())
    }

    /// The response to `subscriptions/listen`, which names the subscription in its result as well.
    ///
    /// # Errors
    /// Any fault of the strict reading, which looks deeper than that of other answers.
    pub(super) fn listen_response(&self, text: &[u8], limits: JsonLimits) -> Result<Bytes, Fault> {
        let Body::One(Message::Response(response)) = message::parse_client(text, limits)? else {
            return Err(Fault::upstream("no response"));
        };
        let tag = response.result().and_then(subscription);
        let nodes = [response.id_node(), tag].into_iter().flatten();
        Ok(splice(text, nodes.map(|node| (node.value_span(), &*self.id)).collect()))
    }

    /// A notification of a subscription, named as the client knows it.
    pub(super) fn notice(&self, text: &Bytes, notification: &Notification<'_>) -> Bytes {
        self.put_back(text, notification.params().and_then(subscription), &self.id)
    }

    fn put_back(&self, text: &Bytes, node: Option<Node<'_, '_>>, own: &str) -> Bytes {
        let spans = node.map(|node| (node.value_span(), own));
        spans.map_or_else(|| text.clone(), |span| splice(text, vec![span]))
    }
}

/// The listen request that a result or a notification's parameters name.
pub(super) fn subscription<'d, 'a>(node: Node<'d, 'a>) -> Option<Node<'d, 'a>> {
    node.get("_meta")?.get(message::META_SUBSCRIPTION)
}

/// `text` with each span replaced. Spans don't overlap.
fn splice(text: &[u8], mut spans: Vec<(Range<usize>, &str)>) -> Bytes {
    spans.sort_unstable_by_key(|(span, _)| span.start);
    let mut spliced = Vec::with_capacity(text.len() + 64);
    let mut done = 0;
    for (span, replacement) in spans {
        spliced.extend_from_slice(text.get(done..span.start).unwrap_or_default());
        spliced.extend_from_slice(replacement.as_bytes());
        done = span.end;
    }
    spliced.extend_from_slice(text.get(done..).unwrap_or_default());
    spliced.into()
}

#[cfg(test)]
mod tests {
    use bytes::Bytes;
    use lockgate_mcp::{
        json::JsonLimits,
        message::{Body, Message, parse_client, parse_server},
    };
    use proptest::prelude::*;

    use super::{Original, disguise};

    fn request(text: &str, minted: i64) -> (String, Original) {
        let Body::One(Message::Request(request)) =
            parse_client(text.as_bytes(), JsonLimits::default()).unwrap()
        else {
            panic!("a request: {text}")
        };
        let (bytes, original) = disguise(text.as_bytes(), &request, minted);
        (String::from_utf8(bytes.to_vec()).unwrap(), original)
    }

    fn answered(original: &Original, text: &str) -> String {
        let bytes = Bytes::copy_from_slice(text.as_bytes());
        let restored = match parse_server(&bytes, JsonLimits::default()).unwrap() {
            Body::One(Message::Response(response)) => original.response(&bytes, &response),
            Body::One(Message::Notification(notice)) => original.progress(&bytes, &notice),
            other => panic!("{other:?}"),
        };
        String::from_utf8(restored.to_vec()).unwrap()
    }

    #[test]
    fn only_ids_and_tokens_change() {
        let (sent, original) = request(
            r#"{"params" : {"_meta":{"progressToken": "t\u0041" , "x":1.0},"id":9}, "id":"a\/b" ,"method":"tools/call","jsonrpc":"2.0"}"#,
            41,
        );
        assert_eq!(
            sent,
            r#"{"params" : {"_meta":{"progressToken": 41 , "x":1.0},"id":9}, "id":41 ,"method":"tools/call","jsonrpc":"2.0"}"#
        );
        assert_eq!(
            answered(&original, r#"{"result":{"id":41,"n":1e2} ,"jsonrpc":"2.0","id":  41 }"#),
            r#"{"result":{"id":41,"n":1e2} ,"jsonrpc":"2.0","id":  "a\/b" }"#
        );
        assert_eq!(
            answered(
                &original,
                r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progressToken":41}}"#
            ),
            r#"{"jsonrpc":"2.0","method":"notifications/progress","params":{"progress":1,"progressToken":"t\u0041"}}"#
        );
    }

    #[test]
    fn a_subscription_is_named_as_the_client_knows_it() {
        let (_, original) =
            request(r#"{"jsonrpc":"2.0","id":"sub","method":"subscriptions/listen"}"#, 7);
        let meta = r#""_meta":{"io.modelcontextprotocol/subscriptionId":7}"#;
        let own = r#""_meta":{"io.modelcontextprotocol/subscriptionId":"sub"}"#;
        let result = format!(r#"{{"jsonrpc":"2.0","id":7,"result":{{{meta}}}}}"#);
        let restored = original.listen_response(result.as_bytes(), JsonLimits::default()).unwrap();
        assert_eq!(restored, format!(r#"{{"jsonrpc":"2.0","id":"sub","result":{{{own}}}}}"#));

        let notice =
            |meta| format!(r#"{{"jsonrpc":"2.0","method":"notifications/x","params":{{{meta}}}}}"#);
        let text = Bytes::from(notice(meta));
        let Body::One(Message::Notification(parsed)) =
            parse_client(&text, JsonLimits::default()).unwrap()
        else {
            panic!("a notification")
        };
        assert_eq!(original.notice(&text, &parsed), notice(own));
    }

    proptest! {
        /// C1, C3: whatever a client calls its request, the child sees the gateway's number, and
        /// the client sees its own spelling again.
        #[test]
        fn c1_c3_ids_come_back_as_they_were(
            id in "(0|-?[1-9][0-9]{0,17}|\"[a-z0-9./ ]{0,12}\")",
            token in "(0|-?[1-9][0-9]{0,17}|\"[a-z0-9./ ]{0,12}\")",
            space in "[ \t\n]{0,3}",
            minted in 1_i64..,
        ) {
            let build = |id: &str, token: &str| format!(
                "{{\"jsonrpc\":\"2.0\",\"method\":\"tools/call\",{space}\"id\":{space}{id}{space},\"params\":{{\"_meta\":{{\"progressToken\":{token}}}}}}}"
            );
            let (sent, original) = request(&build(&id, &token), minted);
            let number = minted.to_string();
            prop_assert_eq!(&sent, &build(&number, &number));
            let answer = |id: &str| format!("{{\"jsonrpc\":\"2.0\",\"id\":{id}{space},\"result\":{{}}}}");
            prop_assert_eq!(answered(&original, &answer(&number)), answer(&id));
        }
    }
}
