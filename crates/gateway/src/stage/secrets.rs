//! Credentials on their way to the server: a fact for policies, and masked in the record.

use lockgate_model::{Action, Reason, Refusal, canonical};
use lockgate_rules::mask::{MaskSettings, Masker, Reveal, mask_json, mask_text};
use serde_json::Value;

use super::{
    mask::{failed, owned},
    parse::Item,
    resolve::Caller,
};
use crate::{gateway::Gateway, snapshot::Snapshot};

/// The class of credentials, with all below it.
const SECRET: &str = "secret";

/// Looks for credentials in what is called, and with what: a fact for policy, and not for the record.
///
/// # Errors
/// [`Reason::MaskFailed`]; nothing of the arguments is to be recorded then.
pub fn search(
    gateway: &Gateway,
    snapshot: &Snapshot,
    caller: &Caller,
    item: &mut Item,
) -> Result<(), Refusal> {
    if caller.connection.settings.masking.mask.is_empty() {
        return Ok(());
    }
    let settings = MaskSettings { mask: vec![SECRET.to_owned()], ..MaskSettings::default() };
    let reveal = Reveal::nothing();
    let masker = Masker::new(&snapshot.detectors, &settings, &gateway.mask_key, &reveal);
    if matches!(item.call.arguments, Value::Object(_)) {
        let sent = item.recorded.replace(Value::Null);
        let text = canonical(sent.as_ref().unwrap_or(&item.call.arguments));
        let found = owned(mask_json(&masker, text.as_bytes()).map_err(failed)?);
        found.counts.keys().for_each(|class| item.facts.secret(class));
        let unread = |_| Refusal::new(Reason::MaskFailed, "masked arguments that are no JSON");
        item.recorded = match found.bytes {
            Some(hidden) => Some(serde_json::from_slice(&hidden).map_err(unread)?),
            None => sent,
        };
    }
    if let Action::ReadResource(uri) | Action::SubscribeResource(uri) = &item.call.action {
        let found = owned(mask_text(&masker, uri.as_bytes()).map_err(failed)?);
        found.counts.keys().for_each(|class| item.facts.secret(class));
        item.recorded_target =
            found.bytes.map(|hidden| String::from_utf8_lossy(&hidden).into_owned());
    }
    Ok(())
}
