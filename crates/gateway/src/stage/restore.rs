//! Tokens among a call's arguments become what they stand for, before anything is judged: policies and the
//! guard look at what the server will get. The record keeps what the client sent.

use std::{cell::RefCell, collections::BTreeSet};

use lockgate_mcp::{
    json::Document,
    message::{self, Body, Message},
};
use lockgate_model::{Action, Reason, Refusal, RestoredValue};
use lockgate_rules::mask::{
    self as engine, Issued, KnownValue, Name, Operator, Restore, RestoreFault,
};
use serde_json::Value;

use super::{judge::ask, parse::Item, resolve::Caller};
use crate::{clock, gateway::Gateway, record, snapshot::Snapshot, tokens};

/// How sure it is that a value that was put back is one, in percent.
const SCORE: u8 = 99;

/// Puts the values back into the arguments that are judged and sent.
///
/// # Errors
/// [`Reason::TokenUnplaced`] for a token that stands for nothing here, or where a header mirrors it;
/// [`Reason::RestoreForbidden`] where no policy lets the caller send its value there;
/// [`Reason::MaskFailed`] where the arguments can't be searched. The call must not be sent then.
pub fn restore(
    gateway: &Gateway,
    snapshot: &Snapshot,
    caller: &Caller,
    item: &mut Item,
) -> Result<(), Refusal> {
    let operators = &caller.connection.settings.masking.operators;
    let tokens = operators.values().any(|operator| *operator == Operator::Token);
    if !tokens || !item.call.arguments.is_object() {
        return Ok(());
    }
    let limits = caller.connection.json;
    let body = item.body.clone();
    let Body::One(Message::Request(request)) = message::parse_client(&body, limits)? else {
        return Ok(());
    };
    let Some(sent) = request.params().and_then(|params| params.get("arguments")) else {
        return Ok(());
    };
    let (name, identity) = (caller.connection.name(), &caller.identity);
    let key = tokens::key(&gateway.mask_key, identity, name);
    let values = RefCell::new(Vec::new());
    let find = |token: &str| {
        let issued = gateway.tokens.find(identity, name, token, clock::now())?;
        values.borrow_mut().push(issued.clone());
        Some(issued)
    };
    let restored = engine::restore(&key, sent.raw().as_bytes(), &find).map_err(refusal)?;
    if restored.restores.is_empty() {
        return Ok(());
    }
    permit(snapshot, caller, item, &restored.restores)?;
    let document = Document::strict(&restored.bytes, limits)?;
    item.body = request.with_arguments(document.text()).into();
    let judged = document.root().to_value();
    item.recorded = Some(std::mem::replace(&mut item.call.arguments, judged));
    item.restored = restored.restores.iter().map(on_record).collect();
    item.put_back = values.into_inner().into_iter().map(known).collect();
    Ok(())
}

/// Whether policy lets the caller send these values to this target.
fn permit(
    snapshot: &Snapshot,
    caller: &Caller,
    item: &Item,
    restores: &[Restore],
) -> Result<(), Refusal> {
    let target = item.call.action.target();
    let classes: BTreeSet<&str> = restores.iter().map(|one| one.class.name()).collect();
    for class in classes {
        let action = Action::Restore { class: class.to_owned(), target: target.to_owned() };
        if !ask(snapshot, caller, &action, &Value::Null).is_allow() {
            let why = format!("no policy lets the caller send values of {class} there");
            return Err(Refusal::new(Reason::RestoreForbidden, why));
        }
    }
    // A header would still say the token, and the server must find both alike.
    let mirrored = mirrored(caller, &item.call.action);
    match restores.iter().find(|one| mirrored.contains(&one.pointer)) {
        None => Ok(()),
        Some(one) => {
            let why = format!("a header mirrors `{}`, where a token stands", one.pointer);
            Err(Refusal::new(Reason::TokenUnplaced, why))
        }
    }
}

/// Pointers to the arguments that headers mirror (2026-07-28, `x-mcp-header`).
fn mirrored(caller: &Caller, action: &Action) -> Vec<String> {
    let Action::CallTool(tool) = action else { return Vec::new() };
    let tool = caller.connection.tools.get(tool);
    let headers = tool.and_then(|tool| tool.param_headers.as_deref()).unwrap_or_default();
    let step = |key: &String| format!("/{}", key.replace('~', "~0").replace('/', "~1"));
    headers.iter().map(|header| header.path.iter().map(step).collect()).collect()
}

fn refusal(fault: RestoreFault) -> Refusal {
    let reason = match fault {
        RestoreFault::Unknown { .. } => Reason::TokenUnplaced,
        RestoreFault::Unread(_) => Reason::MaskFailed,
    };
    Refusal::new(reason, fault.to_string())
}

fn on_record(restore: &Restore) -> RestoredValue {
    RestoredValue {
        class: restore.class.name().to_owned(),
        pointer: record::inert(&restore.pointer),
    }
}

/// What was put back is masked in the answer again, wherever it stands.
fn known(issued: Issued) -> KnownValue {
    let detector = Name::known("restored");
    KnownValue { value: issued.value, class: issued.class, score: SCORE, detector }
}
