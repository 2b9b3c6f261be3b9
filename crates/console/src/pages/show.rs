//! What a page shows of questions, and how what is hidden in a text is made visible.

use lockgate_model::{ACCESS, is_hidden};
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
    /// Taken without asking before.
    pub(super) emergency: bool,
}

/// A piece of a text: as it is, or the name of a character that shows nothing.
pub(super) struct Piece {
    pub(super) text: String,
    pub(super) hidden: bool,
}

/// What waits, and may be seen.
pub(super) async fn pending(visitor: &Visitor) -> Result<Vec<Line>, Problem> {
    let mut found = Vec::new();
    for state in ["emergency", "unreviewed", "pending"] {
        let filter = ApprovalFilter { state: Some(state.to_owned()), ..ApprovalFilter::default() };
        found.extend(inquiry::list(&visitor.somebody.0, &filter).await?);
    }
    let line = |approval: lockgate_model::Approval| Line {
        yours: inquiry::may_answer(&approval, visitor.somebody.0.identity()),
        what: what(
            &approval.subject.connection,
            &approval.subject.target,
            &approval.subject.action,
        ),
        emergency: approval.access.as_ref().is_some_and(|access| access.emergency),
        who: approval.subject.caller(),
        reason: match approval.access {
            Some(access) => access.reason,
            None => approval.terms.reason.unwrap_or_default(),
        },
        id: approval.id,
    };
    Ok(found.into_iter().map(line).collect())
}

/// What a question is about, in a line.
pub(super) fn what(connection: &str, target: &str, action: &str) -> String {
    match (action, target) {
        (ACCESS, "") => format!("access to {connection}"),
        (ACCESS, tool) => format!("access to {connection}/{tool}"),
        (_, target) => format!("{connection}/{target}"),
    }
}

/// How old something is, in the largest unit of which it has two.
pub(super) fn age(seconds: u64) -> String {
    match seconds {
        0..120 => format!("{seconds} s"),
        120..7_200 => format!("{} min", seconds / 60),
        _ => format!("{} h", seconds / 3_600),
    }
}

/// A text in pieces; characters that hide or turn something stand as their names.
pub(super) fn pieces(text: &str) -> Vec<Piece> {
    let mut pieces: Vec<Piece> = Vec::new();
    for character in text.chars() {
        let hidden = is_hidden(character);
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
    use super::{age, pieces};

    #[test]
    fn hidden_characters_are_named_where_they_stand() {
        let shown: Vec<_> = pieces("a\u{202e}bc\u{200b}").into_iter().map(|p| p.text).collect();
        assert_eq!(shown, ["a", "U+202E", "bc", "U+200B"]);
    }

    #[test]
    fn ages_have_one_unit() {
        let shown = [0, 119, 120, 7_199, 7_200].map(age);
        assert_eq!(shown, ["0 s", "119 s", "2 min", "119 min", "2 h"]);
    }
}
