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
pub(super) fn words(text: &str) -> impl Iterator<Item = String> {
    let mut characters = text.chars().flat_map(char::to_lowercase).peekable();
    std::iter::from_fn(move || {
        while characters.next_if(|character| !character.is_alphanumeric()).is_some() {}
        let first = characters.next()?;
        let mut word = String::new();
        spell(first, &mut word);
        if stands_alone(first) {
            return Some(word);
        }
        let mut length = 1;
        while let Some(next) =
            characters.next_if(|next| next.is_alphanumeric() && !stands_alone(*next))
        {
            length += 1;
            if length <= WORD_MAX {
                spell(next, &mut word);
            }
        }
        Some(word)
    })
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
    use super::words;

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
            let found: Vec<_> = words(text).collect();
            assert_eq!(found, expected, "{text}");
        }
        let long: Vec<_> = words(&"z".repeat(70)).collect();
        assert_eq!(long, ["z".repeat(64)]);
        let turkish: Vec<_> = words("İstanbul").collect();
        assert_eq!(turkish.concat(), words("i\u{307}stanbul").collect::<Vec<_>>().concat());
    }
}
