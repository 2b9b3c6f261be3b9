//! What a word is, the same for both databases.
//!
//! A word is a run of letters and digits (Unicode), in lower case, of at most [`WORD_MAX`]
//! characters: what follows in the same run is not looked at. A Chinese or Japanese character, and
//! a Korean syllable, is a word of its own, because these scripts don't part words. Accents are
//! kept. Each word is then spelled in lower-case ASCII letters and digits, so that no database
//! parts, folds or reads it in its own way. Pure.

use std::fmt::Write as _;

/// Characters of a word that count.
const WORD_MAX: usize = 64;

/// The words of `text` in the spelling of the index, in their order.
pub(super) fn words(text: &str) -> Vec<String> {
    let mut all = String::new();
    append(text, &mut all);
    all.split_ascii_whitespace().map(str::to_owned).collect()
}

/// Appends the words of `text` to others, parted by one blank each.
pub(super) fn append(text: &str, words: &mut String) {
    words.reserve(text.len() + 1);
    // A word of another text does not go on here.
    let mut length = 0;
    for character in text.chars() {
        if character.is_ascii() {
            take(character.to_ascii_lowercase(), &mut length, words);
        } else {
            character.to_lowercase().for_each(|lower| take(lower, &mut length, words));
        }
    }
}

/// Appends one character of a text to the word that has `length` characters so far.
fn take(character: char, length: &mut usize, words: &mut String) {
    if !character.is_alphanumeric() {
        *length = 0;
        return;
    }
    let alone = stands_alone(character);
    if (*length == 0 || alone) && !words.is_empty() {
        words.push(' ');
    }
    *length = if alone { 0 } else { *length + 1 };
    if *length <= WORD_MAX {
        spell(character, words);
    }
}

/// One character after the other, so that the beginning of a word is spelled as the beginning of
/// its spelling: `q`, the code point in hexadecimal, `g` for what is no ASCII, and `qg` for `q`.
fn spell(character: char, word: &mut String) {
    match character {
        'q' => word.push_str("qg"),
        _ if character.is_ascii() => word.push(character),
        _ => {
            // Writing to a String does not fail.
            let _ = write!(word, "q{:x}g", u32::from(character));
        }
    }
}

fn stands_alone(character: char) -> bool {
    matches!(u32::from(character),
        0x3041..=0x30ff | 0x31f0..=0x31ff | 0x3400..=0x4dbf | 0x4e00..=0x9fff
        | 0xac00..=0xd7a3 | 0xf900..=0xfaff | 0x20000..=0x3ffff)
}

#[cfg(test)]
mod tests {
    use super::{append, words};

    #[test]
    fn words_are_ascii_and_keep_their_order() {
        for (text, expected) in [
            ("", &[][..]),
            ("--- \0\u{2028}*\"'", &[]),
            ("DROP TABLE users;", &["drop", "table", "users"]),
            ("a_b-c.d@e", &["a", "b", "c", "d", "e"]),
            ("q", &["qg"]),
            ("Straße GRÖSSE", &["straqdfge", "grqf6gsse"]),
            ("x東京y", &["x", "q6771g", "q4eacg", "y"]),
            ("3.14e5", &["3", "14e5"]),
        ] {
            assert_eq!(words(text), expected, "{text}");
        }
        assert_eq!(words(&"z".repeat(70)), ["z".repeat(64)]);
        assert_eq!(words("İstanbul").concat(), words("i\u{307}stanbul").concat());
        let mut parted = String::new();
        ["a東", "", "-", "b"].into_iter().for_each(|text| append(text, &mut parted));
        assert_eq!(parted, "a q6771g b");
    }
}
