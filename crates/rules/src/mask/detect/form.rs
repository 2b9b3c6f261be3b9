//! What a value under a telling name must look like to be what the name says: a password is no
//! placeholder, a name has no digits.
//!
//! Takes whole values only, and never looks at a key.

use std::{collections::HashSet, sync::LazyLock};

use super::{
    bytes::{self, DIGIT, LETTER, LOWER, UPPER, kind},
    date, keyed,
};

/// A longer value under a key is a text, not a value, in bytes.
const VALUE_MAX_BYTES: usize = 4096;
/// Longest name or address, in bytes.
const LINE_MAX_BYTES: usize = 200;

/// What stands where there is no value, or where its kind is named.
const NOTHING: [&str; 82] = [
    "null",
    "none",
    "nil",
    "undefined",
    "n/a",
    "na",
    "unknown",
    "redacted",
    "masked",
    "hidden",
    "empty",
    "true",
    "false",
    "yes",
    "no",
    "string",
    "str",
    "text",
    "number",
    "integer",
    "int",
    "bool",
    "boolean",
    "object",
    "array",
    "required",
    "optional",
    "varchar",
    "password",
    "passwd",
    "secret",
    "token",
    "todo",
    "tbd",
    "any",
    "uuid",
    "bearer",
    "basic",
    "key",
    "value",
    "name",
    "email",
    "phone",
    "address",
    "...",
    "default",
    "not set",
    "unset",
    "enabled",
    "disabled",
    "is",
    "and",
    "or",
    "the",
    "set",
    "hash",
    "bytes",
    "username",
    "user",
    "not provided",
    "not available",
    "anonymous",
    "invalid",
    "expired",
    "missing",
    "u8",
    "u16",
    "u32",
    "u64",
    "i8",
    "i16",
    "i32",
    "i64",
    "f32",
    "f64",
    "usize",
    "char",
    "option",
    "callable",
    "self",
    "dict",
    "list",
];

/// Which letters those of each length begin with, as a set of bits.
#[expect(clippy::indexing_slicing, reason = "evaluated by the compiler")]
const NOTHING_BEGINS: [u32; NOTHING_MAX_BYTES + 1] = {
    let (mut sets, mut rest) = ([0; NOTHING_MAX_BYTES + 1], NOTHING.as_slice());
    while let Some((word, others)) = rest.split_first() {
        sets[word.len()] |= 1 << (word.as_bytes()[0] & 31);
        rest = others;
    }
    sets
};
/// The longest of [`NOTHING`], in bytes.
const NOTHING_MAX_BYTES: usize = 13;

/// Words of sentences about passwords.
const SAID: [&str; 26] = [
    "must",
    "should",
    "is",
    "are",
    "your",
    "least",
    "required",
    "invalid",
    "incorrect",
    "please",
    "characters",
    "expired",
    "changed",
    "reset",
    "be",
    "was",
    "has",
    "not",
    "will",
    "can",
    "cannot",
    "field",
    "used",
    "password",
    "passwords",
    "length",
];

/// What a value must look like.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// Anything that somebody could have chosen.
    Password,
    /// A token or key: not a word or a sentence.
    Secret,
    /// The same where the name says little: it must look drawn by lot.
    Drawn,
    /// A signature in base64, as it stands in URLs: whoever has it may open them.
    Signature,
    /// A person's name, where the key says so.
    Name,
    /// The same where the key may name other things: it must begin with a given name.
    Person,
    /// A street, with or without a town.
    Address,
    /// Digits, so many at least and at most.
    Digits(u8, u8),
    /// Letters and digits with at least one digit, so many at least and at most.
    Code(u8, u8),
    /// A day.
    Date,
    /// Month and year.
    Expiry,
    /// A telephone number.
    Phone,
    /// A mail address, whatever its domain.
    Mail,
    /// A user's name.
    Handle,
    /// Degrees.
    Coordinate,
    /// An amount of money.
    Amount,
    /// Words.
    Free,
}

/// How sure it is that `value` is what its key says, in percent; `None` if it can't be.
pub(super) fn fits(form: Form, value: &str) -> Option<u8> {
    let plain = value.as_bytes();
    if value.is_empty() || value.len() > VALUE_MAX_BYTES || is_placeholder(value) {
        return None;
    }
    let digits = || plain.iter().filter(|byte| byte.is_ascii_digit()).count();
    match form {
        Form::Password => is_password(value).then_some(90),
        Form::Secret => is_secret(value).then_some(88),
        Form::Drawn => keyed::is_drawn(plain).then_some(75),
        Form::Signature => {
            let cases = plain.iter().fold(0, |kinds, byte| kinds | kind(*byte)) & LETTER;
            (cases == LETTER && is_secret(value)).then_some(88)
        }
        Form::Name => is_name(value).then_some(88),
        Form::Person => (is_name(value) && begins_with_given_name(value)).then_some(75),
        Form::Address => is_address(value, digits()).then_some(85),
        Form::Digits(least, most) => {
            let digits = digits();
            let fits = plain.len() == digits && (least.into()..=most.into()).contains(&digits);
            fits.then_some(88)
        }
        Form::Code(least, most) => is_code(plain, least, most).then_some(85),
        Form::Date => (date::is_day(plain) || plain.len() == 4 && digits() == 4).then_some(88),
        Form::Expiry => is_expiry(plain, digits()).then_some(80),
        Form::Phone => is_phone(plain, digits()).then_some(85),
        Form::Mail => {
            let spaced = plain.iter().any(u8::is_ascii_whitespace);
            (plain.contains(&b'@') && !spaced).then_some(85)
        }
        Form::Handle => is_handle(plain).then_some(60),
        Form::Coordinate => is_coordinate(value).then_some(70),
        Form::Amount => (digits() >= 3 && plain.len() <= 20).then_some(65),
        Form::Free => (value.len() <= LINE_MAX_BYTES && plain.iter().any(u8::is_ascii_alphabetic))
            .then_some(70),
    }
}

/// Stands for a value that is not there.
pub(super) fn is_placeholder(value: &str) -> bool {
    let plain = value.as_bytes();
    let first = bytes::at(plain, 0);
    if value.starts_with("-----") {
        return true;
    }
    let same = plain.len() > 2
        && plain.iter().all(|byte| *byte == first || *byte == b'-' || *byte == b' ');
    let marked = same && matches!(first, b'*' | b'x' | b'X' | b'#' | b'.' | b'-' | b'_' | b'?')
        || plain.iter().all(|byte| *byte == b'*')
        || value.chars().all(|one| matches!(one, '*' | '•' | '●' | '…' | ' '));
    let variable = value.strip_prefix('$').is_some_and(|name| {
        name.len() > 2 && name.bytes().all(|byte| byte == b'_' || kind(byte) == UPPER)
    });
    let template = variable
        || value.starts_with("${")
        || value.starts_with("{{")
        || value.starts_with("$(")
        || value.starts_with("%(")
        || value.starts_with('<') && value.ends_with('>')
        || value.starts_with('[') && value.ends_with(']')
        || value.starts_with('{') && value.ends_with('}')
        || value.starts_with('%') && value.ends_with('%') && value.len() > 2;
    marked || template || is_nothing(value) || is_advice(value)
}

fn is_nothing(value: &str) -> bool {
    let begins = NOTHING_BEGINS.get(value.len()).copied().unwrap_or_default();
    let first = bytes::at(value.as_bytes(), 0) & 31;
    begins >> first & 1 != 0 && NOTHING.iter().any(|word| value.eq_ignore_ascii_case(word))
}

/// `your-api-key-here`, `REPLACE_ME`.
fn is_advice(value: &str) -> bool {
    let first = bytes::at(value.as_bytes(), 0);
    if value.len() > 40 || !b"ymriep<".contains(&first.to_ascii_lowercase()) {
        return false;
    }
    let alike =
        |part: Option<&str>, word: &str| part.is_some_and(|it| it.eq_ignore_ascii_case(word));
    let begins = |word: &&str| alike(value.get(..word.len()), word);
    let ends = |word: &&str| {
        let from = value.len().checked_sub(word.len());
        alike(from.and_then(|from| value.get(from..)), word)
    };
    ["your", "my-", "my_", "replace", "insert", "enter", "put", "<"].iter().any(begins)
        && ["key", "token", "secret", "password", "here", "me"].iter().any(ends)
}

fn is_password(value: &str) -> bool {
    if value.len() < 3 || value.len() > 256 {
        return false;
    }
    !value.contains(' ') || !is_sentence(value)
}

/// Words that are said about passwords, not words of which one is made.
fn is_sentence(value: &str) -> bool {
    let said = |word: &str| SAID.iter().any(|one| word.eq_ignore_ascii_case(one));
    value.split(' ').any(|word| said(word.trim_matches(|one: char| !one.is_alphanumeric())))
}

/// A token: long enough, without spaces, and no word, path or name of a variable.
pub(super) fn is_secret(value: &str) -> bool {
    let value = ["Bearer ", "Basic ", "Token ", "bearer ", "basic ", "token "]
        .iter()
        .find_map(|scheme| value.strip_prefix(scheme))
        .unwrap_or(value);
    let plain = value.as_bytes();
    if plain.len() < 8 || plain.contains(&b' ') && !value.contains("PRIVATE KEY") {
        return value.contains(';') && value.contains('=') && plain.len() > 16;
    }
    let (mut kinds, mut digits) = (0, 0);
    for byte in plain {
        kinds |= kind(*byte);
        digits += u32::from(kind(*byte) == DIGIT);
    }
    let varied = bytes::distinct(plain) >= 5;
    if kinds & DIGIT != 0 {
        let is_count = kinds & LETTER == 0 && plain.len() < 12;
        let is_named = digits <= 2 && bytes::changes(plain) <= 3 && plain.len() < 14;
        let other = is_path(value) || date::is_day(plain) || is_constant(plain);
        return varied && !is_count && !is_named && !other;
    }
    // Letters only: random ones change their case often, or stand in a long unbroken run.
    let letters = plain.iter().all(|byte| kind(*byte) & LETTER != 0);
    let mixed = kinds & LETTER == LETTER && plain.len() >= 16;
    varied && letters && (mixed && bytes::changes(plain) >= 5 || is_gibberish(plain))
}

/// `SERVER_SECRET_0`, `customer_key_base64`, `node.colon2_token`: words with marks between them, some with a
/// number at their end.
fn is_constant(plain: &[u8]) -> bool {
    let parts = plain.split(|byte| matches!(byte, b'-' | b'_' | b'.'));
    let word = |part: &[u8]| {
        let letters = part.iter().take_while(|byte| kind(**byte) & LETTER != 0).count();
        let digits = part.iter().skip(letters).filter(|byte| byte.is_ascii_digit()).count();
        let whole = letters + digits == part.len() && digits <= 5;
        whole && bytes::changes(bytes::part(part, 0, letters)) <= 1
    };
    let long = |part: &&[u8]| part.len() >= 5 && !part.iter().any(u8::is_ascii_digit);
    parts.clone().all(word) && parts.filter(long).count() > 1
}

fn is_path(value: &str) -> bool {
    value.starts_with('/') && value.matches('/').count() > 1
        || value.starts_with("./")
        || value.starts_with("http://")
        || value.starts_with("https://")
        || value.starts_with("arn:")
}

/// Twenty letters and more without the vowels that words have.
fn is_gibberish(plain: &[u8]) -> bool {
    let vowels = plain.iter().filter(|byte| b"aeiouyAEIOUY".contains(byte)).count();
    plain.len() >= 20 && vowels * 4 <= plain.len()
}

/// Letters of any script with what names have between them.
pub(super) fn is_name(value: &str) -> bool {
    let letters = value.chars().filter(|one| one.is_alphabetic()).count();
    let others = value.chars().all(|one| {
        one.is_alphabetic()
            || matches!(one, ' ' | '.' | '-' | '\'' | '’' | ',' | '·' | '`')
            || is_mark(one)
    });
    let words = value.split_whitespace().count();
    letters >= 1 && others && value.len() <= 80 && (1..=6).contains(&words)
}

/// A combining mark.
fn is_mark(one: char) -> bool {
    matches!(one, '\u{300}'..='\u{36f}' | '\u{900}'..='\u{97f}' | '\u{e30}'..='\u{e4f}')
}

fn begins_with_given_name(value: &str) -> bool {
    static NAMES: LazyLock<HashSet<&str>> =
        LazyLock::new(|| include_str!("given_names.txt").split_whitespace().collect());
    let title = |word: &&str| {
        ["mr", "mrs", "ms", "dr", "prof", "herr", "frau", "sr", "sra", "mme", "m"]
            .contains(&&*word.trim_end_matches('.').to_lowercase())
    };
    let mut words =
        value.split([' ', ',']).filter(|word| !word.is_empty()).skip_while(title).take(2);
    let given = |word: &str| {
        let first = word.split('-').next().unwrap_or(word);
        first.chars().next().is_some_and(char::is_uppercase)
            && NAMES.contains(&*first.to_lowercase())
    };
    // `Doe, Jane` as well as `Jane Doe`.
    let family_first = value.contains(',');
    match (words.next(), words.next()) {
        (Some(first), Some(_)) if given(first) => true,
        (Some(_), Some(second)) => family_first && given(second),
        _ => false,
    }
}

fn is_address(value: &str, digits: usize) -> bool {
    let letters = value.chars().filter(|one| one.is_alphabetic()).count();
    let technical = value.contains('@')
        || value.contains("://")
        || value.starts_with("0x")
        || value.starts_with(['/', '^', '~'])
        || value.contains(['{', '}', '&', '<', '>', '=', '[', ']', '_', '"'])
        || value.contains("::")
        || value.contains(')') && !value.contains('(');
    let short = value.len() <= LINE_MAX_BYTES;
    // One word without a number is more often a place in memory, or a host, than a street.
    let parted = value.contains(' ') || value.chars().any(|one| one > '\u{7f}');
    short && !technical && letters >= 3 && (parted || digits > 0 && !value.contains('.'))
        || short && !technical && (1..=5).contains(&digits) && value.len() <= 6
}

/// An address that is known as one in a running text: with a number.
pub(super) fn is_street(value: &str) -> bool {
    value.contains(' ') && value.bytes().any(|byte| byte.is_ascii_digit())
}

/// Letters and digits, with what groups them.
fn is_code(plain: &[u8], least: u8, most: u8) -> bool {
    let counted = |byte: &u8| kind(*byte) & (LETTER | DIGIT) != 0;
    let count = plain.iter().filter(|byte| counted(byte)).count();
    let allowed = |byte: &u8| counted(byte) || matches!(byte, b' ' | b'-' | b'.' | b'/' | b'<');
    let digit = plain.iter().any(u8::is_ascii_digit);
    digit && plain.iter().all(allowed) && (least.into()..=most.into()).contains(&count)
}

fn is_expiry(plain: &[u8], digits: usize) -> bool {
    let parted = plain.iter().any(|byte| matches!(byte, b'/' | b'-'));
    (3..=6).contains(&digits) && plain.len() == digits + usize::from(parted)
        || digits == 8 && date::is_day(plain)
}

fn is_phone(plain: &[u8], digits: usize) -> bool {
    let allowed = |byte: &u8| byte.is_ascii_digit() || b" -./()+x,;#ext:tel".contains(byte);
    (5..=20).contains(&digits) && plain.iter().all(allowed) && !date::is_day(plain)
}

fn is_handle(plain: &[u8]) -> bool {
    let allowed = |byte: &u8| {
        kind(*byte) & bytes::WORD != 0 || *byte == b'@' || *byte >= 0x80 || *byte == b'\\'
    };
    (2..=64).contains(&plain.len()) && plain.iter().all(allowed)
}

fn is_coordinate(value: &str) -> bool {
    let parts = value.split(',').map(str::trim);
    let degrees = |part: &str| {
        let fraction = part.split_once('.').map_or(0, |(_, fraction)| fraction.len());
        fraction >= 3 && part.parse::<f64>().is_ok_and(|degrees| degrees.abs() <= 180.0)
    };
    parts.clone().count() <= 2 && parts.clone().all(degrees)
}

/// `Ed25519SigningKey`: a few digits in a word of code.
fn is_type_with_number(plain: &[u8]) -> bool {
    let runs = plain.split(u8::is_ascii_digit).filter(|run| !run.is_empty());
    let digits = plain.iter().filter(|byte| byte.is_ascii_digit()).count();
    let longest = runs.clone().map(<[u8]>::len).max().unwrap_or_default();
    (1..=5).contains(&digits)
        && runs.clone().count() == 2
        && longest >= 8
        && plain.iter().all(|byte| kind(*byte) & (LETTER | DIGIT) != 0)
        && runs.flatten().any(u8::is_ascii_uppercase)
        && bytes::changes(plain) <= 9
}

/// A word in code that names something: a variable, a type, a call.
pub(super) fn is_identifier(value: &str) -> bool {
    let plain = value.trim_start_matches('_').as_bytes();
    if plain.len() < value.len() || is_type_with_number(plain) {
        return true;
    }
    let kinds = plain.iter().fold(0, |kinds, byte| kinds | kind(*byte));
    let named = |byte: &u8| {
        kind(*byte) & bytes::WORD != 0
            || matches!(byte, b'[' | b']' | b'(' | b')' | b':' | b'?' | b'!')
    };
    let snake = kinds & bytes::UNDER != 0
        || kinds & bytes::DOT != 0
        || plain.contains(&b'(')
        || plain.contains(&b':');
    kinds & DIGIT == 0
        && plain.iter().all(named)
        && (snake || kinds & LETTER != LOWER && kinds & UPPER == 0)
}
