//! JSON as editors write it, with comments and trailing commas, made plain JSON.
//!
//! Never judges what is left: that is the JSON parser's work.

/// `text` with comments and trailing commas as spaces. Line breaks stay, so that a parser's line is the
/// file's line; what stands in strings stays as it is.
pub(super) fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut rest = text.chars().peekable();
    // Where the last comma is, as long as nothing but blanks followed it.
    let mut comma = None;
    while let Some(c) = rest.next() {
        match (c, rest.peek()) {
            ('"', _) => {
                out.push(c);
                while let Some(c) = rest.next() {
                    out.push(c);
                    match c {
                        '\\' => out.extend(rest.next()),
                        '"' => break,
                        _ => {}
                    }
                }
                comma = None;
            }
            ('/', Some('/')) => while rest.next_if(|c| *c != '\n').is_some() {},
            ('/', Some('*')) => {
                rest.next();
                let mut before = ' ';
                for c in rest.by_ref() {
                    if c == '\n' {
                        out.push(c);
                    }
                    if (before, c) == ('*', '/') {
                        break;
                    }
                    before = c;
                }
                out.push(' ');
            }
            (',', _) => {
                comma = Some(out.len());
                out.push(c);
            }
            _ => {
                if let (']' | '}', Some(at)) = (c, comma) {
                    out.replace_range(at..=at, " ");
                }
                if !c.is_whitespace() {
                    comma = None;
                }
                out.push(c);
            }
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::{any, proptest};
    use serde_json::{Value, json};

    use super::plain;

    #[test]
    fn comments_and_trailing_commas_go() {
        let text =
            "{ // a, \"b\"\n \"a\": [1, 2, /* , \n ] */ ], \"u\": \"https://x/*y*/,]\\\"//\", }";
        let read: Value = serde_json::from_str(&plain(text)).unwrap();
        assert_eq!(read, json!({ "a": [1, 2], "u": "https://x/*y*/,]\"//" }));
        assert_eq!(plain(text).lines().count(), text.lines().count());
        assert!(serde_json::from_str::<Value>(&plain("[1,,]")).is_err());
    }

    proptest! {
        #[test]
        fn plain_json_stays_as_it_is(key in any::<String>(), text in any::<String>()) {
            let written = json!({ key: [text, ",]", "//"] }).to_string();
            assert_eq!(plain(&written), written);
        }

        #[test]
        fn a_comment_is_as_good_as_none(text in any::<String>(), note in "[^\n]*") {
            let value = json!([text, note]);
            let written = format!("// {note}\n{value:#}\n// {note}");
            assert_eq!(serde_json::from_str::<Value>(&plain(&written)).unwrap(), value);
        }

        #[test]
        fn nothing_is_too_odd(text in any::<String>()) {
            plain(&text);
        }
    }
}
