//! The texts of a message in which a person may be named, for a recogniser that reads language.

use super::{
    LEVELS_MAX, MaskFault,
    json::{Lexer, Token},
    utf8,
    view::View,
    walk::may_be_json,
};

/// The strings of a JSON message that are no keys and hold a letter, as a person would read them; those
/// of JSON within strings too.
///
/// # Errors
/// [`MaskFault`] where it is not JSON in UTF-8.
pub fn texts(message: &[u8]) -> Result<Vec<String>, MaskFault> {
    let mut found = Vec::new();
    collect(Lexer::one(utf8(message)?), utf8(message)?, LEVELS_MAX, &mut found)?;
    Ok(found)
}

fn collect(
    mut lexer: Lexer<'_>,
    text: &str,
    levels: u8,
    found: &mut Vec<String>,
) -> Result<(), MaskFault> {
    while let Some(token) = lexer.next()? {
        let Token::Text(quoted) = token else { continue };
        let raw = quoted.span.of(text);
        let leaf = if quoted.escaped { View::of_json(raw).text } else { raw.to_owned() };
        let before = found.len();
        if levels > 0 && may_be_json(&leaf) {
            if collect(Lexer::many(&leaf), &leaf, levels - 1, found).is_ok() {
                continue;
            }
            found.truncate(before);
        }
        if leaf.contains(char::is_alphabetic) {
            found.push(leaf);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::texts;

    #[test]
    fn texts_are_read_at_any_depth_and_keys_are_not() {
        let message = r#"{"id":1,"result":{"content":[{"type":"text","text":"[{\"name\":\"Zo\u00eb\"}]"},{"text":"{broken"},{"text":"12"}]}}"#;
        assert_eq!(texts(message.as_bytes()).unwrap(), ["text", "Zoë", "{broken"]);
        assert!(texts(b"{").is_err());
    }
}
