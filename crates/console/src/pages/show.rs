//! What a page shows of questions, and how what is hidden in a text is made visible.

use lockgate_store::approvals::ApprovalFilter;

use super::Visitor;
use crate::{inquiry, problem::Problem};

/// One line of the list.
pub(super) struct Line {
    pub(super) id: String,
    pub(super) what: String,
    pub(super) who: String,
    pub(super) reason: String,
    pub(super) yours: bool,
}

/// A piece of a text: as it is, or the name of a character that shows nothing.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) hidden: bool,
}

/// What waits, and may be seen.
pub(super) async fn pending(visitor: &Visitor) -> Result<Vec<Line>, Problem> {
    let filter = ApprovalFilter { state: Some("pending".to_owned()), ..ApprovalFilter::default() };
    let found = inquiry::list(&visitor.somebody.0, &filter).await?;
    let line = |approval: lockgate_model::Approval| Line {
        yours: inquiry::may_answer(&approval, visitor.somebody.0.identity()),
        id: approval.id,
        what: format!("{}/{}", approval.subject.connection, approval.subject.target),
        who: approval.subject.caller(),
        reason: approval.terms.reason.unwrap_or_default(),
    };
    Ok(found.into_iter().map(line).collect())
}

/// A text in pieces; characters that hide or turn something stand as their names.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for character in text.chars() {
        let hidden = inquiry::is_hidden(character);
        if hidden {
            let text = format!("U+{:04X}", u32::from(character));
            pieces.push(Piece { text, hidden });
            continue;
        }
        match pieces.last_mut() {
            Some(last) if !last.hidden => last.text.push(character),
            _ => pieces.push(Piece { text: character.to_string(), hidden }),
        }
    }
    pieces
}

#[cfg(test)]
mod tests {
    use super::pieces;

    #[test]
    fn hidden_characters_are_named_where_they_stand() {
        let shown: Vec<_> = pieces("a\u{202e}bc\u{200b}").into_iter().map(|p| p.text).collect();
        assert_eq!(shown, ["a", "U+202E", "bc", "U+200B"]);
    }
}
