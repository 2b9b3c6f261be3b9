//! Bytes in base64 that are a whole value, as resources, images and sounds have them: decoded, masked and
//! encoded again where they are text, so that the value stays base64.

use std::borrow::Cow;

use base64::{Engine as _, engine::general_purpose::STANDARD};

use super::{
    Binary, Class, LEVELS_MAX, MaskFault,
    class::Name,
    desk::{Desk, Hit, Place, Scope},
    render,
    view::{self, View},
};

/// A shorter value is read as any other text, in characters.
const BLOB_MIN: usize = 16;
/// Other bytes than text are known as such only from this length on, in characters.
const BINARY_MIN: usize = 64;

/// Whether the inside of a string was base64 and is dealt with.
///
/// # Errors
/// [`MaskFault`] where its text was not read to its end.
pub(super) fn look(
    desk: &mut Desk<'_>,
    raw: &str,
    escaped: bool,
    scope: &Scope<'_>,
) -> Result<bool, MaskFault> {
    if raw.len() < BLOB_MIN || scope.level >= LEVELS_MAX {
        return Ok(false);
    }
    let unescaped = escaped.then(|| View::of_json(raw).text);
    let text = unescaped.as_deref().unwrap_or(raw);
    let Some(bytes) = view::decode_whole(text) else { return Ok(false) };
    let (span, path) = (scope.lens.source(0..raw.len()), desk.path(scope));
    let hit = |class, score, detector, masked, instead| Hit {
        span: span.clone(),
        class,
        score,
        detector,
        masked,
        value: String::new(),
        place: Place::Text,
        path: path.clone(),
        instead,
    };
    let Ok(decoded) = String::from_utf8(bytes) else {
        let dropped = desk.masker.settings.binary == Binary::Drop && text.len() >= BINARY_MIN;
        if dropped {
            let class = Class::known("binary");
            desk.hits.push(hit(class, 100, Name::known("binary"), true, Some(String::new())));
        }
        return Ok(dropped);
    };
    desk.spend(decoded.len())?;
    let mut beside = desk.beside();
    beside.text(&decoded, &Scope { level: scope.level + 1, ..Scope::outermost() })?;
    desk.settle(&beside);
    let masked = render::render(beside, &decoded);
    if matches!(masked.bytes, Cow::Borrowed(_)) {
        return Ok(false);
    }
    let instead = STANDARD.encode(&masked.bytes);
    desk.issued.extend(masked.issued);
    for report in masked.reports {
        let instead = report.masked.then(|| instead.clone());
        desk.hits.push(hit(report.class, report.score, report.detector, report.masked, instead));
    }
    Ok(true)
}
