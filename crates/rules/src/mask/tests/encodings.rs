//! Ways to write a text that a reader, a program or a model undoes, and how each is undone. The way back
//! is written here once more, so that nothing is hidden by what it is to check.

use base64::{
    Engine as _,
    alphabet::STANDARD as ALPHABET,
    engine::{DecodePaddingMode, GeneralPurpose, GeneralPurposeConfig, general_purpose as engines},
};

/// One way.
pub(super) struct Encoding {
    pub(super) name: &'static str,
    /// What stands between the quotes of a JSON string.
    pub(super) inner: fn(&str) -> String,
    pub(super) of: Of,
    /// All that may be read in a text of a masked message; the text itself is looked at as well.
    pub(super) undo: fn(&str) -> Vec<String>,
}

/// What an encoding can be of.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Of {
    /// A text or a part of it.
    Any,
    /// A whole text.
    Whole,
    /// A whole text that tells by itself what it is.
    Telling,
}

const fn encoding(
    name: &'static str,
    inner: fn(&str) -> String,
    undo: fn(&str) -> Vec<String>,
) -> Encoding {
    Encoding { name, inner, undo, of: Of::Any }
}

impl Encoding {
    const fn of(self, of: Of) -> Self {
        Self { of, ..self }
    }
}

pub(super) const ENCODINGS: &[Encoding] = &[
    encoding("plain", json, |_| Vec::new()),
    encoding("JSON escapes", |text| units(text, |_| true), |_| Vec::new()),
    encoding(
        "some JSON escapes",
        |text| units(text, |c| matches!(c, '1' | 'a' | 'e' | 'A' | '@')),
        |_| Vec::new(),
    ),
    encoding("full-width", |text| json(&shifted(text)), |text| vec![unshifted(text)]),
    encoding("mathematical", |text| json(&styled(text)), |text| vec![unstyled(text)]),
    encoding("Arabic digits", |text| json(&arabic(text)), |text| vec![unarabic(text)]),
    encoding(
        "zero-width",
        |text| json(&strewn(text, '\u{200b}')),
        |text| vec![text.replace('\u{200b}', "")],
    ),
    encoding(
        "soft hyphens",
        |text| json(&strewn(text, '\u{ad}')),
        |text| vec![text.replace('\u{ad}', "")],
    ),
    encoding("look-alikes", |text| json(&cyrillic(text)), |text| vec![uncyrillic(text)]),
    encoding("percent", |text| octets(text, "%", ""), |text| vec![unmarked(text, "%")]),
    encoding(
        "percent twice",
        |text| octets(text, "%25", ""),
        |text| vec![unmarked(&unmarked(text, "%"), "%")],
    ),
    encoding(
        "some percent",
        |text| json(&text.replace('@', "%40").replace(' ', "%20").replace('1', "%31")),
        |text| vec![unmarked(text, "%")],
    ),
    encoding("HTML decimal", |text| references(text, false), |text| vec![unreferenced(text)]),
    encoding("HTML hexadecimal", |text| references(text, true), |text| vec![unreferenced(text)]),
    encoding("quoted-printable", |text| octets(text, "=", ""), |text| vec![unmarked(text, "=")]),
    encoding("source code", |text| octets(text, "\\\\x", ""), |text| vec![unmarked(text, "\\x")]),
    encoding("base64", |text| engines::STANDARD.encode(text), unbased),
    encoding("base64 without padding", |text| engines::URL_SAFE_NO_PAD.encode(text), unbased),
    encoding(
        "base64 behind a word",
        |text| format!("data;xy{}", engines::STANDARD.encode(format!("is: {text}"))),
        unbased,
    )
    .of(Of::Telling),
    encoding(
        "base64 twice",
        |text| engines::STANDARD.encode(engines::STANDARD.encode(text)),
        |text| unbased(text).iter().flat_map(|text| unbased(text)).collect(),
    ),
    encoding("hexadecimal", |text| octets(text, "", ""), unhexed),
    encoding("JSON in a string", |text| json(&format!("[{}, 1]", super::quoted(text))), unnested)
        .of(Of::Whole),
    encoding(
        "JSON in JSON in a string",
        |text| json(&super::quoted(&format!("[{}]", super::quoted(text)))),
        unnested,
    )
    .of(Of::Whole),
];

/// As it stands in a JSON string.
fn json(text: &str) -> String {
    let quoted = super::quoted(text);
    quoted[1..quoted.len() - 1].to_owned()
}

fn units(text: &str, which: fn(char) -> bool) -> String {
    let unit = |c: char| {
        if !which(c) && c != '"' && c != '\\' {
            return c.to_string();
        }
        c.encode_utf16(&mut [0; 2]).iter().map(|unit| format!("\\u{unit:04x}")).collect()
    };
    text.chars().map(unit).collect()
}

fn moved(text: &str, by: impl Fn(u32) -> u32) -> String {
    text.chars().map(|c| char::from_u32(by(c.into())).unwrap_or(c)).collect()
}

fn shifted(text: &str) -> String {
    moved(text, |c| if (0x21..0x7F).contains(&c) { c + 0xFEE0 } else { c })
}

fn unshifted(text: &str) -> String {
    moved(text, |c| if (0xFF01..0xFF5F).contains(&c) { c - 0xFEE0 } else { c })
}

fn styled(text: &str) -> String {
    moved(text, |c| match c {
        0x30..=0x39 => c - 0x30 + 0x1D7CE,
        0x41..=0x5A => c - 0x41 + 0x1D400,
        0x61..=0x7A => c - 0x61 + 0x1D41A,
        _ => c,
    })
}

fn unstyled(text: &str) -> String {
    moved(text, |c| match c {
        0x1D7CE..=0x1D7D7 => c + 0x30 - 0x1D7CE,
        0x1D400..=0x1D419 => c + 0x41 - 0x1D400,
        0x1D41A..=0x1D433 => c + 0x61 - 0x1D41A,
        _ => c,
    })
}

fn arabic(text: &str) -> String {
    moved(text, |c| if (0x30..0x3A).contains(&c) { c + 0x630 } else { c })
}

fn unarabic(text: &str) -> String {
    moved(text, |c| if (0x660..0x66A).contains(&c) { c - 0x630 } else { c })
}

fn strewn(text: &str, mark: char) -> String {
    text.chars().flat_map(|c| [c, mark]).collect()
}

const LOOKALIKES: [(char, char); 9] = [
    ('a', 'а'),
    ('o', 'о'),
    ('e', 'е'),
    ('p', 'р'),
    ('c', 'с'),
    ('x', 'х'),
    ('A', 'А'),
    ('T', 'Т'),
    ('K', 'К'),
];

fn cyrillic(text: &str) -> String {
    let of = |c| LOOKALIKES.iter().find(|pair| pair.0 == c).map_or(c, |pair| pair.1);
    text.chars().map(of).collect()
}

fn uncyrillic(text: &str) -> String {
    let of = |c| LOOKALIKES.iter().find(|pair| pair.1 == c).map_or(c, |pair| pair.0);
    text.chars().map(of).collect()
}

fn octets(text: &str, before: &str, after: &str) -> String {
    text.bytes().map(|byte| format!("{before}{byte:02X}{after}")).collect()
}

fn unmarked(text: &str, mark: &str) -> String {
    let (mut out, mut rest) = (Vec::new(), text);
    while let Some(c) = rest.chars().next() {
        let octet = rest.strip_prefix(mark).and_then(|rest| rest.get(..2));
        match octet.and_then(|octet| u8::from_str_radix(octet, 16).ok()) {
            Some(octet) => {
                out.push(octet);
                rest = &rest[mark.len() + 2..];
            }
            None => {
                out.extend(c.to_string().bytes());
                rest = &rest[c.len_utf8()..];
            }
        }
    }
    String::from_utf8_lossy(&out).into_owned()
}

fn references(text: &str, hex: bool) -> String {
    let of = |c: char| {
        let code = u32::from(c);
        if hex { format!("&#x{code:x};") } else { format!("&#{code};") }
    };
    text.chars().map(of).collect()
}

fn unreferenced(text: &str) -> String {
    let mut parts = text.split("&#");
    let mut out = parts.next().unwrap_or_default().to_owned();
    for part in parts {
        let (number, rest) = part.split_once(';').unwrap_or((part, ""));
        let code = match number.strip_prefix('x') {
            Some(hex) => u32::from_str_radix(hex, 16),
            None => number.parse(),
        };
        out.extend(code.ok().and_then(char::from_u32));
        out += rest;
    }
    out
}

fn unbased(text: &str) -> Vec<String> {
    let lax = GeneralPurposeConfig::new()
        .with_decode_allow_trailing_bits(true)
        .with_decode_padding_mode(DecodePaddingMode::Indifferent);
    let engine = GeneralPurpose::new(&ALPHABET, lax);
    let text = text.replace('-', "+").replace('_', "/");
    let runs = text.split(|c: char| !c.is_ascii_alphanumeric() && c != '+' && c != '/');
    let all = runs.flat_map(|run| (0..4).filter_map(|at| run.get(at..)));
    let whole = all.map(|run| &run[..run.len() - usize::from(run.len() % 4 == 1)]);
    whole
        .filter_map(|run| engine.decode(run).ok())
        .map(|bytes| String::from_utf8_lossy(&bytes).into_owned())
        .collect()
}

fn unhexed(text: &str) -> Vec<String> {
    let runs = text.split(|c: char| !c.is_ascii_hexdigit());
    let all = runs.flat_map(|run| (0..2).filter_map(|at| run.get(at..)));
    all.map(|run| {
        let pairs = run.as_bytes().as_chunks::<2>().0.iter();
        let octets: Vec<u8> = pairs
            .filter_map(|pair| u8::from_str_radix(str::from_utf8(pair).ok()?, 16).ok())
            .collect();
        String::from_utf8_lossy(&octets).into_owned()
    })
    .collect()
}

fn unnested(text: &str) -> Vec<String> {
    let mut texts = Vec::new();
    let mut waiting = vec![text.to_owned()];
    while let Some(text) = waiting.pop() {
        match serde_json::from_str(&text) {
            Ok(serde_json::Value::String(inner)) => waiting.push(inner),
            Ok(value @ (serde_json::Value::Object(_) | serde_json::Value::Array(_))) => {
                super::strings(&value, &mut texts);
            }
            _ => texts.push(text),
        }
    }
    texts
}
