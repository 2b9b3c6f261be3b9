//! The body as a call: read within its bounds, parsed once and strictly, its era settled, its
//! mirrored headers checked. From here on the call is a value, and its bytes are the ones that will
//! be forwarded.

use std::{borrow::Cow, sync::Arc, time::Duration};

use bytes::Bytes;
use lockgate_mcp::{
    Fault, call, headers, json,
    message::{self, Body, Message, Request, TASKS_EXTENSION},
    uri,
};
use lockgate_model::{
    Action, Call, Era, Group, Reason, Refusal, RequestId, RestoredValue, Revision,
};
use lockgate_rules::{guard::Facts, mask::KnownValue};
use serde_json::Value;
use tokio::time::timeout;

use super::{
    resolve::{Caller, Claim, Resolved},
    respond::Stop,
};
use crate::{
    body::{self, BodyFault},
    gateway::Gateway,
    legs::Legs,
    recording::Recording,
    session::Session,
    upstream::Verb,
};

/// A request whose body is understood.
pub struct Parsed {
    /// Who asks, and where.
    pub caller: Arc<Caller>,
    /// What is asked.
    pub item: Item,
}

/// One message, or the lack of one.
pub struct Item {
    /// What it asks for.
    pub call: Call,
    /// What kind of thing it is.
    pub part: Part,
    /// Its exact bytes; empty where there are none.
    pub body: Bytes,
    /// The revision that it speaks.
    pub revision: Revision,
    /// The legacy session that it belongs to.
    pub session: Option<Arc<Session>>,
    /// The recorded session that it belongs to, once it is judged.
    pub recording: Option<Arc<Recording>>,
    /// The caller's own trace, as it stands in `_meta` or in the headers.
    pub traceparent: Option<String>,
    /// What a subscription wants to watch besides: each must be permitted too.
    pub watches: Vec<Action>,
    /// `requestState` of a call that goes on after the client was asked for something.
    pub state: Option<String>,
    /// Whether the client declares that it knows tasks; legacy clients need not.
    pub knows_tasks: bool,
    /// Its place in a batch.
    pub nth: Option<usize>,
    /// What its arguments would do; found by the guard before it is judged.
    pub facts: Facts,
    /// Its arguments as they are recorded, where that is not how they are sent: without secrets, and with
    /// the tokens that the client sent.
    pub recorded: Option<Value>,
    /// Where tokens became values.
    pub restored: Vec<RestoredValue>,
    /// Which values: they are masked in the answer, whatever names them there.
    pub put_back: Vec<KnownValue>,
    /// Its target as it is recorded, where that holds a secret.
    pub recorded_target: Option<String>,
    /// How often its client came back to a call that waits for approval.
    pub leg: u32,
    /// How its client wants to hear that it is still being worked on.
    pub progress: Option<RequestId>,
    /// Groups whose approval it was given.
    pub approvals: Vec<Group>,
    /// What its caller did before, when it is judged.
    pub earlier: Arc<Vec<String>>,
}

/// What kind of thing a request carries.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    /// A message that wants an answer.
    Request,
    /// A message that wants none.
    Notification,
    /// The answer to a request of the server.
    Response,
    /// The legacy stream of server messages (GET).
    Listen,
    /// The end of a legacy session (DELETE).
    End,
}

/// What a request carries.
pub enum Spoken {
    /// One message, or none.
    One(Box<Parsed>),
    /// Several, each to be decided on its own.
    Batch(Vec<Parsed>),
}

/// The names under which what is no message stands in the record.
const LISTEN: &str = "session/listen";
const END: &str = "session/delete";
const RESPONSE: &str = "response";

/// Reads and parses the body.
///
/// # Errors
/// A refusal of the parse stage, with the request's id where it could be read.
pub async fn parse(gateway: &Gateway, resolved: Resolved) -> Result<Spoken, Stop> {
    let Resolved { caller, verb, claim, body } = resolved;
    let bytes = match verb {
        Verb::Post => read(&caller, body).await?,
        Verb::Get | Verb::Delete => Bytes::new(),
    };
    let caller = Arc::new(caller);
    let reader = Reader { gateway, caller: &caller, claim: &claim };
    if verb != Verb::Post {
        let item = reader.bare(verb)?;
        return Ok(Spoken::One(Box::new(Parsed { caller, item })));
    }
    match message::parse_client(&bytes, caller.connection.json)? {
        Body::One(message) => {
            let item = reader.one(&message, &bytes)?;
            Ok(Spoken::One(Box::new(Parsed { caller, item })))
        }
        Body::Batch(messages) => {
            let items = reader.batch(&messages, &bytes)?;
            let parsed = |item| Parsed { caller: Arc::clone(&caller), item };
            Ok(Spoken::Batch(items.into_iter().map(parsed).collect()))
        }
    }
}

async fn read(caller: &Caller, body: hyper::body::Incoming) -> Result<Bytes, Refusal> {
    let limits = &caller.connection.limits;
    let wait = Duration::from_millis(limits.body_wait_max_ms.into());
    match timeout(wait, body::read(body, limits.request_max_bytes as usize)).await {
        Ok(Ok(bytes)) => Ok(bytes),
        Ok(Err(BodyFault::TooLarge)) => {
            Err(Refusal::new(Reason::BodyTooLarge, "the body is larger than the limit"))
        }
        Ok(Err(BodyFault::Broken)) => {
            Err(Refusal::new(Reason::HttpMalformed, "the body broke off, or its chunks are wrong"))
        }
        Err(_) => Err(Refusal::new(Reason::BodyTooSlow, "the body came too slowly")),
    }
}

struct Reader<'a> {
    gateway: &'a Gateway,
    caller: &'a Caller,
    claim: &'a Claim,
}

impl Reader<'_> {
    /// GET and DELETE, which belong to a session.
    fn bare(&self, verb: Verb) -> Result<Item, Stop> {
        let revision = headers::revision(&self.caller.headers, None, self.claimed())?;
        if revision.era() == Era::Modern {
            let detail = "this revision has no sessions";
            return Err(Refusal::new(Reason::MethodNotAllowed, detail).into());
        }
        let (part, method, action) = match verb {
            Verb::Get => (Part::Listen, LISTEN, Action::Subscribe),
            _ => (Part::End, END, Action::Protocol),
        };
        let session = self.session(revision, false)?;
        if session.is_none() && part == Part::End {
            return Err(Refusal::new(Reason::SessionMissing, "no session to end").into());
        }
        let call = silent_call(method, action, None);
        Ok(self.item(call, part, Bytes::new(), revision, session))
    }

    fn one(&self, message: &Message<'_>, bytes: &Bytes) -> Result<Item, Stop> {
        let id = message.request_id().cloned();
        let revision = headers::revision(&self.caller.headers, Some(message), self.claimed());
        let revision = revision.map_err(|fault| {
            let asked = message.protocol_version().map(Cow::into_owned);
            Stop::from(fault.with_id(id.clone())).asking_for(asked)
        })?;
        self.message(message, bytes, revision)
            .map_err(|stop| stop.about(revision.era(), id.as_ref()))
    }

    /// Each entry as if it had come alone; one bad entry refuses the batch.
    fn batch(&self, messages: &[Message<'_>], bytes: &Bytes) -> Result<Vec<Item>, Stop> {
        let revision = headers::revision(&self.caller.headers, None, self.claimed())?;
        let modern = |message: &Message<'_>| message.protocol_version().is_some();
        let opens = |message: &Message<'_>| message.method() == Some("initialize");
        if revision != Revision::V2025_03_26 || messages.iter().any(modern) {
            return Err(Fault::invalid("a batch outside revision 2025-03-26").into());
        }
        if messages.iter().any(opens) {
            return Err(Fault::invalid("`initialize` in a batch").into());
        }
        let entry = |(nth, message)| {
            let item = self.message(message, bytes, revision)?;
            Ok(Item { nth: Some(nth), ..item })
        };
        messages.iter().enumerate().map(entry).collect()
    }

    fn message(
        &self,
        message: &Message<'_>,
        bytes: &Bytes,
        revision: Revision,
    ) -> Result<Item, Stop> {
        let era = revision.era();
        let setting = self.caller.connection.settings.era;
        if !setting.admits(era) {
            let detail = "the connection's server speaks the other era";
            return Err(match era {
                // A client that speaks to a modern server is told so in its words (V11).
                Era::Legacy => Stop::from(Fault::revision(detail))
                    .asking_for(Some(revision.as_str().to_owned())),
                Era::Modern => Refusal::new(Reason::EraMismatch, detail).into(),
            });
        }
        let session = self.session(revision, message.method() == Some("initialize"))?;
        let (call, part) = match message {
            Message::Request(request) => (call::of_request(request, revision)?, Part::Request),
            Message::Notification(notification) => {
                (call::of_notification(notification, revision)?, Part::Notification)
            }
            Message::Response(response) => {
                let id = expected(response.id.as_ref(), session.as_deref(), era)?;
                (silent_call(RESPONSE, Action::Protocol, Some(id)), Part::Response)
            }
        };
        if era == Era::Modern {
            self.check_mirror(message, &call)?;
        }
        let body = bytes.slice_ref(message.raw().as_bytes());
        let mut item = self.item(call, part, body, revision, session);
        if let Message::Request(request) = message {
            if let Some(own) = request.traceparent() {
                item.traceparent = Some(own.into_owned());
            }
            item.progress = request.progress_token();
            item.state = request.param_text("requestState").map(Cow::into_owned);
            self.take_leg(&mut item, request)?;
            item.watches = watches(request)?;
            item.knows_tasks = era == Era::Legacy || request.declares(TASKS_EXTENSION);
        }
        Ok(item)
    }

    /// The gateway's own state is for the gateway: what is forwarded is the call as it was first made.
    fn take_leg(&self, item: &mut Item, request: &Request<'_>) -> Result<(), Refusal> {
        let Some(state) = item.state.take_if(|state| Legs::are_meant(state)) else { return Ok(()) };
        item.leg = self.gateway.legs.read(&state, &self.caller.identity, &item.call)?;
        item.body = request.without_params(&["requestState", "inputResponses"]).into();
        Ok(())
    }

    fn check_mirror(&self, message: &Message<'_>, call: &Call) -> Result<(), Fault> {
        let tool = match &call.action {
            Action::CallTool(name) => self.caller.connection.tools.get(name),
            _ => None,
        };
        let params = tool.and_then(|tool| tool.param_headers.as_deref()).unwrap_or_default();
        headers::check_mirror(&self.caller.headers, message, params)
    }

    fn item(
        &self,
        call: Call,
        part: Part,
        body: Bytes,
        revision: Revision,
        session: Option<Arc<Session>>,
    ) -> Item {
        let traceparent = self.caller.headers.get("traceparent");
        let traceparent = traceparent.and_then(|value| value.to_str().ok()).map(str::to_owned);
        Item {
            call,
            part,
            body,
            revision,
            session,
            recording: None,
            traceparent,
            watches: Vec::new(),
            state: None,
            knows_tasks: true,
            nth: None,
            facts: Facts::default(),
            recorded: None,
            restored: Vec::new(),
            put_back: Vec::new(),
            recorded_target: None,
            earlier: Arc::default(),
            leg: 0,
            progress: None,
            approvals: Vec::new(),
        }
    }

    fn claimed(&self) -> Option<Revision> {
        match self.claim {
            Claim::Own(session) => Some(session.revision),
            Claim::None | Claim::Foreign => None,
        }
    }

    /// The session of a legacy message. Where the server gives ids, only `initialize` has none.
    fn session(&self, revision: Revision, opens: bool) -> Result<Option<Arc<Session>>, Refusal> {
        if revision.era() == Era::Modern {
            return Ok(None);
        }
        match self.claim {
            Claim::Own(session) if !opens => Ok(Some(Arc::clone(session))),
            Claim::Foreign | Claim::Own(_) => {
                Err(Refusal::new(Reason::SessionUnknown, "no such session of this caller"))
            }
            Claim::None
                if !opens && self.gateway.sessions.gives_ids(self.caller.connection.name()) =>
            {
                Err(Refusal::new(Reason::SessionMissing, "the session id is missing"))
            }
            Claim::None => Ok(None),
        }
    }
}

/// The resources and tasks that a modern subscription names.
fn watches(request: &Request<'_>) -> Result<Vec<Action>, Fault> {
    if request.method != "subscriptions/listen" {
        return Ok(Vec::new());
    }
    let Some(wanted) = request.params().and_then(|params| params.get("notifications")) else {
        return Ok(Vec::new());
    };
    let texts = |key: &'static str| {
        let items = wanted.get(key).into_iter().flat_map(|items| items.children());
        items.map(move |item| {
            item.text().ok_or_else(|| Fault::params(format!("an entry of `{key}` is no string")))
        })
    };
    let resources = texts("resourceSubscriptions").map(|text| {
        uri::canonical(&text?)
            .map(Action::SubscribeResource)
            .ok_or_else(|| Fault::params("an entry of `resourceSubscriptions` is no absolute URI"))
    });
    let tasks = texts("taskIds").map(|text| Ok(Action::Task(text?.into_owned())));
    resources.chain(tasks).collect()
}

/// The id of a response that this session waits for (J20).
fn expected(
    id: Option<&RequestId>,
    session: Option<&Session>,
    era: Era,
) -> Result<RequestId, Fault> {
    match (id, session) {
        (Some(id), Some(session)) if era == Era::Legacy && session.take_asked(id) => Ok(id.clone()),
        _ => Err(Fault::invalid("a response to a request that nobody made")),
    }
}

fn silent_call(method: &str, action: Action, id: Option<RequestId>) -> Call {
    let arguments = Value::Null;
    let arguments_digest = json::digest(&arguments);
    let method = method.to_owned();
    Call { era: Era::Legacy, id, method, action, arguments, arguments_digest }
}
