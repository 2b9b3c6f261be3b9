//! Text from outside where people read it: what in it shows nothing, or turns what stands around it.

/// Whether a character shows nothing, or turns what stands around it (UAX #9, zero-width, tags).
pub fn is_hidden(c: char) -> bool {
    matches!(c,
        '\u{ad}' | '\u{34f}' | '\u{61c}' | '\u{115f}'..='\u{1160}' | '\u{17b4}'..='\u{17b5}'
        | '\u{180b}'..='\u{180f}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{206f}' | '\u{3164}' | '\u{fe00}'..='\u{fe0f}' | '\u{feff}'
        | '\u{ffa0}' | '\u{fff0}'..='\u{fffb}' | '\u{e0000}'..='\u{e0fff}')
        || c.is_control()
}

/// The text on one line, with `U+FFFD` for every hidden character and line end, and at most
/// `max_chars` long; what is longer ends with `…`.
pub fn inert(text: &str, max_chars: usize) -> String {
    let shown = |c: char| {
        let hidden = is_hidden(c) || matches!(c, '\u{2028}' | '\u{2029}');
        if hidden { char::REPLACEMENT_CHARACTER } else { c }
    };
    if text.chars().nth(max_chars).is_none() {
        return text.chars().map(shown).collect();
    }
    let mut cut: String = text.chars().take(max_chars.saturating_sub(1)).map(shown).collect();
    cut.push('…');
    cut
}

#[cfg(test)]
mod tests {
    use super::inert;

    #[test]
    fn nothing_steers_and_nothing_is_longer_than_it_may_be() {
        for (text, max, shown) in [
            ("plain", 5, "plain"),
            ("longer", 5, "long…"),
            ("a\r\nBcc: x", 20, "a\u{fffd}\u{fffd}Bcc: x"),
            ("\u{202e}x\u{200b}\u{2028}\u{1b}[", 20, "\u{fffd}x\u{fffd}\u{fffd}\u{fffd}["),
            ("ünï", 3, "ünï"),
            ("", 3, ""),
        ] {
            assert_eq!(inert(text, max), shown, "{text:?}");
        }
    }
}
