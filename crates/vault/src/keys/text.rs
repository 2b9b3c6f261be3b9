//! Keys as text: `ID:KEY`, one a line in a file that says how many it has, or apart by commas in a
//! variable. Pure.

use lockgate_model::Digest;
use zeroize::Zeroizing;

use super::{KEYS_MAX, KeyId};
use crate::{
    KeyFault,
    cipher::{KEY_BYTES, random_key},
    keyring::id_of,
};

type Key = Zeroizing<[u8; KEY_BYTES]>;

const HEAD: &str = "# The keys of a Lockgate vault. The last one seals, the others only open.\n\
     # Keep a copy, and never beside a copy of the database: together they give every secret.\n";

/// The keys of a file: lines of keys between lines of words, and `end N` as the last one.
pub(super) fn parse_file(text: &str) -> Result<Vec<Key>, KeyFault> {
    // A file that was cut within its last line may still look whole.
    let whole = text.strip_suffix('\n').ok_or(KeyFault::Truncated)?;
    let mut lines: Vec<&str> = lines(whole).collect();
    let last = lines.pop().and_then(|last| last.strip_prefix("end ")).ok_or(KeyFault::Truncated)?;
    if last.parse() != Ok(lines.len()) {
        return Err(KeyFault::Truncated);
    }
    parse(lines.into_iter())
}

/// The keys of a variable.
pub(super) fn parse_list(text: &str) -> Result<Vec<Key>, KeyFault> {
    parse(text.split(|c: char| c == ',' || c.is_whitespace()).filter(|key| !key.is_empty()))
}

/// The text of a file with a new key behind those of `text`; an empty text has none.
pub(super) fn with_new_key(text: &str) -> Result<Zeroizing<String>, KeyFault> {
    let mut keys = if text.is_empty() { Vec::new() } else { parse_file(text)? };
    keys.push(random_key().map_err(|_| KeyFault::Randomness)?);
    written(&keys)
}

/// The text of a file without one of its keys.
pub(super) fn without(text: &str, key: KeyId) -> Result<Zeroizing<String>, KeyFault> {
    let mut keys = parse_file(text)?;
    let before = keys.len();
    keys.retain(|one| id_of(one) != key);
    if keys.len() == before { Err(KeyFault::Unknown(key)) } else { written(&keys) }
}

fn lines(text: &str) -> impl Iterator<Item = &str> {
    text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'))
}

fn parse<'a>(keys: impl Iterator<Item = &'a str>) -> Result<Vec<Key>, KeyFault> {
    keys.enumerate().map(|(index, key)| one(key, index + 1)).collect()
}

fn one(text: &str, number: usize) -> Result<Key, KeyFault> {
    let (id, key) = match text.split_once(':') {
        Some((id, key)) => (Some(KeyId::parse(id).ok_or(KeyFault::Malformed(number))?), key),
        None => (None, text),
    };
    let key = Digest::from_hex(key).ok_or(KeyFault::Malformed(number))?;
    let key = Zeroizing::new(*key.as_bytes());
    match id.filter(|id| *id != id_of(&key)) {
        Some(id) => Err(KeyFault::WrongKey { number, id }),
        None => Ok(key),
    }
}

fn written(keys: &[Key]) -> Result<Zeroizing<String>, KeyFault> {
    if keys.is_empty() || keys.len() > KEYS_MAX {
        return Err(KeyFault::Count(keys.len()));
    }
    // Room for all of it at once: a text that grows leaves copies of itself behind.
    let mut text = Zeroizing::new(String::with_capacity(HEAD.len() + keys.len() * 82 + 16));
    text.push_str(HEAD);
    for key in keys {
        text.push_str(&format!("{}:", id_of(key)));
        for byte in key.iter() {
            for digit in [byte >> 4, byte & 15] {
                text.push(char::from_digit(digit.into(), 16).unwrap_or_default());
            }
        }
        text.push('\n');
    }
    text.push_str(&format!("end {}\n", keys.len()));
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::{parse_file, parse_list, with_new_key, without};
    use crate::{KeyFault, keyring::id_of};

    fn two() -> String {
        let one = with_new_key("").unwrap();
        with_new_key(&one).unwrap().to_string()
    }

    #[test]
    fn what_is_written_is_read() {
        let text = two();
        let keys = parse_file(&text).unwrap();
        assert_eq!(keys.len(), 2);
        let list = text.lines().filter(|line| line.contains(':') && !line.starts_with('#'));
        let list: Vec<&str> = list.collect();
        assert_eq!(parse_list(&list.join(",")).unwrap(), keys);
        let bare: Vec<&str> = list.iter().map(|key| key.split_once(':').unwrap().1).collect();
        assert_eq!(parse_list(&bare.join(" \n")).unwrap(), keys);
        let left = parse_file(&without(&text, id_of(&keys[0])).unwrap()).unwrap();
        assert_eq!(left, keys[1..]);
        assert!(matches!(without(&text, id_of(&[7; 32])), Err(KeyFault::Unknown(_))));
        let last = without(&text, id_of(&keys[0])).unwrap();
        assert!(matches!(without(&last, id_of(&keys[1])), Err(KeyFault::Count(0))));
    }

    #[test]
    fn a_file_that_was_cut_anywhere_is_refused() {
        let text = two();
        for end in 0..text.len() {
            let fault = parse_file(&text[..end]).err();
            assert!(matches!(fault, Some(KeyFault::Truncated)), "{end}: {fault:?}");
        }
    }

    #[test]
    fn a_changed_digit_is_the_wrong_key() {
        let text = two();
        let line = text.lines().find(|line| !line.starts_with('#')).unwrap();
        let (most, digit) = (&line[..line.len() - 1], if line.ends_with('0') { "1" } else { "0" });
        let changed = text.replace(line, &format!("{most}{digit}"));
        let fault = parse_file(&changed).err();
        assert!(matches!(fault, Some(KeyFault::WrongKey { number: 1, .. })), "{fault:?}");
        let short = text.replace(line, most);
        assert!(matches!(parse_file(&short), Err(KeyFault::Malformed(1))));
        assert!(matches!(parse_list("hunter2"), Err(KeyFault::Malformed(1))));
    }
}
