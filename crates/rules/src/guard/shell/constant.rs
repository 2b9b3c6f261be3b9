//! What commands of constants print: `echo`, `printf` and the filters that hide or reveal them.

use super::{
    lex::{self, Variables},
    word::{Command, Direction, Word},
};
use crate::guard::text::{base64_text, hex_text};

/// What a script prints, if it does nothing else and can be worked out.
pub(super) fn evaluate(text: &str, depth: u8, variables: &mut Variables) -> Option<String> {
    let first = text.split_whitespace().next()?;
    if !is_known(first.trim_start_matches(['\\', '"', '\''])) {
        return None;
    }
    let script = lex::parse(text, depth, variables);
    (script.inner.is_empty()).then(|| pipeline(&script.commands))?
}

/// What the last of these commands prints, where each reads what the one before prints.
pub(super) fn pipeline(commands: &[Command]) -> Option<String> {
    let mut stream: Option<String> = None;
    for (place, command) in commands.iter().enumerate() {
        if place > 0 && !command.piped {
            return None;
        }
        stream = Some(stage(command, stream)?);
    }
    stream.map(|text| text.trim_end_matches('\n').to_owned())
}

fn is_known(name: &str) -> bool {
    matches!(
        name,
        "echo"
            | "printf"
            | "base64"
            | "base32"
            | "xxd"
            | "rev"
            | "tr"
            | "cat"
            | "openssl"
            | "sed"
            | "tac"
    )
}

fn stage(command: &Command, stdin: Option<String>) -> Option<String> {
    let given = command
        .redirects
        .iter()
        .find(|one| one.to == Direction::Text)
        .map(|one| one.word.text.clone());
    let stdin = given.or(stdin);
    let (program, arguments) = command.words.split_first()?;
    if arguments.iter().any(|word| word.opaque) {
        return None;
    }
    let has = |flags: &[&str]| arguments.iter().any(|word| flags.contains(&word.text.as_str()));
    match program.text.as_str() {
        "echo" => Some(echo(arguments)),
        "printf" => printf(arguments),
        "cat" | "tee" if arguments.is_empty() => stdin,
        "base64" if has(&["-d", "-D", "--decode", "-di"]) => base64_text(&stdin?, 2),
        "openssl" if has(&["-d"]) && has(&["base64", "-base64", "-a"]) => base64_text(&stdin?, 2),
        "xxd" if has(&["-r", "-rp", "-ps"]) => hex_text(&stdin?),
        "rev" => Some(stdin?.trim_end_matches('\n').chars().rev().collect()),
        "tr" => translate(arguments, &stdin?),
        "sed" => substitute(arguments, stdin?),
        _ => None,
    }
}

fn echo(arguments: &[Word]) -> String {
    let flags = arguments
        .iter()
        .take_while(|word| matches!(word.text.as_str(), "-e" | "-n" | "-ne" | "-en" | "-E"))
        .count();
    let codes = arguments.iter().take(flags).any(|word| word.text.contains('e'));
    let texts: Vec<&str> = arguments.iter().skip(flags).map(|word| word.text.as_str()).collect();
    let text = texts.join(" ");
    if codes { unescape(&text) } else { text }
}

fn printf(arguments: &[Word]) -> Option<String> {
    let (format, values) = arguments.split_first()?;
    let mut values = values.iter();
    let mut out = String::new();
    let format = unescape(&format.text);
    let mut parts = format.split('%');
    out.push_str(parts.next()?);
    for part in parts {
        match part.chars().next() {
            Some('s' | 'b' | 'd') => {
                out.push_str(values.next().map_or("", |word| &word.text));
                out.push_str(part.get(1..).unwrap_or_default());
            }
            _ => out.push_str(part),
        }
    }
    if format.contains("%s") {
        // The format is used again for what is left.
        for word in values {
            out.push_str(&format.replacen("%s", &word.text, 1));
        }
    }
    Some(out)
}

/// `tr a-z n-za-m` and `tr -d x`, for sets of letters and ranges.
fn translate(arguments: &[Word], text: &str) -> Option<String> {
    let texts: Vec<&str> = arguments.iter().map(|word| word.text.as_str()).collect();
    match texts.as_slice() {
        ["-d", set] => {
            let set = members(set);
            Some(text.chars().filter(|c| !set.contains(c)).collect())
        }
        [from, to] => {
            let (from, to) = (members(from), members(to));
            let last = *to.last()?;
            let one = |c: char| {
                from.iter()
                    .position(|f| *f == c)
                    .map_or(c, |at| to.get(at).copied().unwrap_or(last))
            };
            Some(text.chars().map(one).collect())
        }
        _ => None,
    }
}

fn members(set: &str) -> Vec<char> {
    let set = unescape(
        &set.replace("[:lower:]", "a-z").replace("[:upper:]", "A-Z").replace("[:space:]", " "),
    );
    let characters: Vec<char> = set.chars().collect();
    let mut out = Vec::new();
    let mut at = 0;
    while let Some(&first) = characters.get(at) {
        match (characters.get(at + 1), characters.get(at + 2)) {
            (Some('-'), Some(&last)) if first < last && out.len() < 1024 => {
                out.extend(first..=last);
                at += 3;
            }
            _ => {
                out.push(first);
                at += 1;
            }
        }
    }
    out
}

/// `sed 's/a/b/g'` of plain texts.
fn substitute(arguments: &[Word], text: String) -> Option<String> {
    let script = arguments.iter().find(|word| !word.text.starts_with('-'))?;
    let mut characters = script.text.chars();
    let (Some('s'), Some(mark)) = (characters.next(), characters.next()) else { return None };
    let mut parts = characters.as_str().split(mark);
    let (from, to) = (parts.next()?, parts.next()?);
    let plain = !from.is_empty()
        && !from.contains(['.', '*', '[', '^', '$', '\\', '+'])
        && !to.contains(['&', '\\']);
    plain.then(|| text.replace(from, to))
}

/// Escape codes as in `$'…'`, `echo -e` and `printf`.
pub(super) fn unescape(text: &str) -> String {
    let mut bytes: Vec<u8> = Vec::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '\\' {
            bytes.extend(character.encode_utf8(&mut [0; 4]).as_bytes());
            continue;
        }
        if let Some(c) = characters.next() {
            let mut number = |radix: u32, most: usize, first: u32| {
                let mut code = first;
                for _ in 0..most {
                    let Some(digit) = characters.peek().and_then(|c| c.to_digit(radix)) else {
                        break;
                    };
                    code = code * radix + digit;
                    characters.next();
                }
                code
            };
            match c {
                'n' => bytes.push(b'\n'),
                't' => bytes.push(b'\t'),
                'r' => bytes.push(b'\r'),
                'a' | 'b' | 'c' | 'f' | 'v' => {}
                'e' => bytes.push(0x1b),
                'x' => bytes.push(u8::try_from(number(16, 2, 0)).unwrap_or(b'?')),
                'u' => bytes.extend(
                    char::from_u32(number(16, 4, 0))
                        .unwrap_or('?')
                        .encode_utf8(&mut [0; 4])
                        .as_bytes(),
                ),
                'U' => bytes.extend(
                    char::from_u32(number(16, 8, 0))
                        .unwrap_or('?')
                        .encode_utf8(&mut [0; 4])
                        .as_bytes(),
                ),
                '0' => bytes.push(u8::try_from(number(8, 3, 0)).unwrap_or(b'?')),
                '1'..='7' => bytes.push(
                    u8::try_from(number(8, 2, c.to_digit(8).unwrap_or(0)) & 0xff).unwrap_or(b'?'),
                ),
                other => {
                    if !matches!(other, '\\' | '\'' | '"') {
                        bytes.push(b'\\');
                    }
                    bytes.extend(other.encode_utf8(&mut [0; 4]).as_bytes());
                }
            }
        } else {
            bytes.push(b'\\');
        }
    }
    String::from_utf8_lossy(&bytes).into_owned()
}
