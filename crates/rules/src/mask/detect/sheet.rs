//! Tables in a text: the header of a column is the key of its cells. Markdown, CSV and TSV.
//!
//! Reads the header in the first two lines, behind an empty line, or above a line of dashes; and rows of
//! exactly as many cells.

use super::{
    context::{self, Hint},
    form::{self, Form},
    page::{Page, what},
    walk,
};

/// Most columns that are read.
const COLUMNS_MAX: usize = 64;
/// Longest name of a column, in bytes.
const HEADER_MAX_BYTES: usize = 48;

/// A table that is being read.
struct Sheet {
    gap: u8,
    hints: Vec<Hint>,
}

/// Looks for tables in the whole text.
pub(super) fn look(page: &mut Page<'_>) {
    let text = page.text;
    if memchr::memchr(b'\n', text.as_bytes()).is_none() {
        return;
    }
    let mut sheet: Option<Sheet> = None;
    let (mut start, mut fresh) = (0, 2u8);
    while start < text.len() {
        let rest = text.get(start..).unwrap_or_default();
        let length = memchr::memchr(b'\n', rest.as_bytes()).unwrap_or(rest.len());
        let line = rest.get(..length).unwrap_or_default();
        let next = rest.get(length + 1..).unwrap_or_default();
        if line.trim().is_empty() {
            (sheet, fresh) = (None, 2);
        } else if let Some(known) = sheet.take_if(|known| !row(page, known, line, start)) {
            // The table has ended; this line may begin another one.
            drop(known);
            sheet = header(line, is_ruled(next));
        } else if sheet.is_none() && (fresh > 0 || is_ruled(next)) {
            sheet = header(line, is_ruled(next));
            fresh = fresh.saturating_sub(1);
        }
        start += length + 1;
    }
}

/// Whether the line below a header parts it from the rows: `|---|:--:|`.
fn is_ruled(next: &str) -> bool {
    let line = next.as_bytes();
    let ruled = line.iter().take_while(|byte| b"|-: +=".contains(byte)).count();
    ruled >= 5 && matches!(line.get(ruled), None | Some(b'\n' | b'\r')) && line.starts_with(b"|")
        || ruled >= 5 && line.get(..ruled).is_some_and(|line| line.contains(&b'|'))
}

/// A header, if one of its columns has a telling name.
fn header(line: &str, ruled: bool) -> Option<Sheet> {
    let gaps: &[u8] = if ruled { b"|" } else { b"\t|,;" };
    let gap = gaps.iter().find(|gap| line.as_bytes().contains(gap))?;
    let cells = cells(line, *gap);
    let name = |cell: &str| {
        let named = |one: char| one.is_alphanumeric() || " _-./#'()".contains(one);
        (1..=HEADER_MAX_BYTES).contains(&cell.len())
            && cell.chars().all(named)
            && cell.starts_with(char::is_alphabetic)
    };
    let names = cells.iter().all(|(from, to)| line.get(*from..*to).is_some_and(name));
    if cells.len() < 2 || !names && !ruled {
        return None;
    }
    let mut hints: Vec<Hint> = cells
        .iter()
        .map(|(from, to)| context::of_key(line.get(*from..*to).unwrap_or_default()))
        .collect();
    // Beside what only persons have, a name is one of a person.
    let personal = |hint: &Hint| {
        let class = hint.whole.map_or("", |whole| whole.class);
        ["pii.phone", "pii.email", "pii.address", "pii.birth_date"].contains(&class)
    };
    if hints.iter().any(personal) {
        for whole in hints.iter_mut().filter_map(|hint| hint.whole.as_mut()) {
            whole.form = if whole.form == Form::Person { Form::Name } else { whole.form };
        }
    }
    // Two columns with names and values side by side need no telling header.
    let telling = hints.iter().any(|hint| hint.whole.is_some() || hint.concepts != 0);
    (telling || ruled && hints.len() == 2).then_some(Sheet { gap: *gap, hints })
}

/// Takes what the cells of a row hold; false if the line is no row.
fn row(page: &mut Page<'_>, sheet: &Sheet, line: &str, start: usize) -> bool {
    if is_ruled(line) {
        return true;
    }
    let cells = cells(line, sheet.gap);
    if cells.len() != sheet.hints.len() {
        return false;
    }
    // Two columns, of names and values.
    let pairs = cells.len() == 2 && sheet.hints.last().is_some_and(|hint| hint.whole.is_none());
    let name = cells.first().filter(|_| pairs).and_then(|(from, to)| line.get(*from..*to));
    let named = name.map(context::of_key);
    for (index, ((from, to), hint)) in cells.iter().zip(&sheet.hints).enumerate() {
        let beside = named.filter(|_| index == 1);
        cell(page, beside.unwrap_or(*hint), start + from, start + to);
    }
    true
}

fn cell(page: &mut Page<'_>, hint: Hint, start: usize, end: usize) {
    let Some(text) = page.text.get(start..end) else { return };
    if let Some(whole) = hint.whole
        && let Some(score) = form::fits(whole.form, text)
        && (whole.form != Form::Address || form::is_street(text))
    {
        page.take(start, end, what(whole.class, "column"), score);
    }
    if hint.concepts != 0 {
        let outer = std::mem::replace(&mut page.hint, hint);
        walk::walk(page, start, end);
        page.hint = outer;
    }
}

/// The cells of a line as spans, without spaces and quotes around them.
fn cells(line: &str, gap: u8) -> Vec<(usize, usize)> {
    let bytes = line.as_bytes();
    let mut cells = Vec::new();
    let (mut start, mut quoted) = (0, false);
    for (at, byte) in bytes.iter().enumerate() {
        if *byte == b'"' && gap != b'|' {
            quoted = !quoted;
        } else if *byte == gap && !quoted {
            cells.push((start, at));
            start = at + 1;
        }
        if cells.len() == COLUMNS_MAX {
            return cells;
        }
    }
    cells.push((start, bytes.len()));
    let mut cells: Vec<_> = cells.into_iter().map(|(from, to)| bare(line, from, to)).collect();
    if gap == b'|' && line.trim_start().starts_with('|') {
        cells.remove(0);
        if line.trim_end().ends_with('|') && cells.len() > 1 {
            cells.pop();
        }
    }
    cells
}

fn bare(line: &str, from: usize, to: usize) -> (usize, usize) {
    let text = line.get(from..to).unwrap_or_default();
    let cut: &[char] = &[' ', '\r', '\t', '"', '*', '`'];
    let front = text.len() - text.trim_start_matches(cut).len();
    let inner = text.trim_matches(cut);
    (from + front, from + front + inner.len())
}

#[cfg(test)]
mod tests {
    use crate::mask::{Detectors, Text};

    #[test]
    fn cells_are_read_by_their_column() {
        for (text, values) in [
            ("id,first_name,city\n1,Jane,Paris\n2,Omar,Rome", &["Jane", "Omar"][..]),
            (
                "| Name | Password |\n|------|----------|\n| x1 | hunter2 |\n\nno | cells",
                &["hunter2"],
            ),
            ("username\tpwd\r\nalice\tsunshine\r\n", &["alice", "sunshine"]),
            ("| Field | Value |\n|---|---|\n| Password | sunshine |", &["sunshine"]),
            ("id,\"last name\"\n1,\"O'Neil, Jr\"\n", &["O'Neil, Jr"]),
            ("alpha,beta\ngamma,delta\n", &[]),
        ] {
            let mut found = Vec::new();
            Detectors::standard().scan(Text { text, key: None }, &mut found);
            let found: Vec<&str> = found.iter().map(|one| &text[one.start..one.end]).collect();
            assert_eq!(found, values, "{text}");
        }
    }
}
