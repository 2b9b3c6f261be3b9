//! What views show, and where it comes from.

use super::{View, fold, runs, runs::Run, soft};

/// The view's text, and for each of its characters the source that it needs.
fn sources<'a>(view: &View, source: &'a str) -> Vec<(char, &'a str)> {
    let characters = view.text.char_indices();
    let of = |(at, c): (usize, char)| (c, &source[view.source(at..at + c.len_utf8())]);
    characters.map(of).collect()
}

#[test]
fn json_strings_are_unescaped_with_their_places() {
    let inner = r"a\u0034\n\ud83d\ude00é";
    let view = View::of_json(inner);
    assert_eq!(view.text, "a4\n😀é");
    let expected =
        [('a', "a"), ('4', r"\u0034"), ('\n', r"\n"), ('😀', r"\ud83d\ude00"), ('é', "é")];
    assert_eq!(sources(&view, inner), expected);
    assert_eq!(&inner[view.source(1..3)], r"\u0034\n");
}

#[test]
fn folding_shows_what_a_reader_sees() {
    for (text, seen) in [
        ("４１１１", "4111"),
        ("٤١١١", "4111"),
        ("𝟒𝟏𝟏𝟏", "4111"),
        ("4\u{200b}1\u{ad}1\u{feff}1", "4111"),
        ("4111\u{a0}1111", "4111 1111"),
        ("4111–1111", "4111-1111"),
        ("4\u{301}1", "41"),
        ("j\u{43e}e@ex\u{430}mple.c\u{43e}m", "joe@example.com"),
        ("joe＠example．com", "joe@example.com"),
        ("𝓳𝓸𝓮@x", "joe@x"),
        ("ⒶⓀⒾⒶ", "AKIA"),
        ("АКIA", "AKIA"),
    ] {
        assert_eq!(fold(text).map(|view| view.text).as_deref(), Some(seen), "{text}");
    }
    for text in ["Москва", "größe", "名前", "naïve", "αβγ δ"] {
        assert!(fold(text).is_none(), "{text}");
    }
}

#[test]
fn escapes_within_texts_are_undone() {
    for (text, seen) in [
        ("joe%40example.com", "joe@example.com"),
        ("joe&#64;example&period;com", "joe@example.com"),
        ("joe&#x40;example", "joe@example"),
        ("joe=40example.com", "joe@example.com"),
        ("41=\r\n11", "4111"),
        (r"joe\u0040example", "joe@example"),
        (r"joe\x40example", "joe@example"),
        ("%EF%BC%94%31", "４1"),
    ] {
        assert_eq!(soft(text).map(|view| view.text).as_deref(), Some(seen), "{text}");
    }
    for text in ["100% sure", "a & b; c", "x=1", "%zz", r"C:\dir", "&nothing;", "%EF%BC"] {
        assert!(soft(text).is_none(), "{text}");
    }
    let view = soft("a%40b").unwrap();
    assert_eq!(sources(&view, "a%40b"), [('a', "a"), ('@', "%40"), ('b', "b")]);
}

#[test]
fn encoded_texts_are_found_whatever_stands_before_them() {
    let secret = "card 4111 1111 1111 1111";
    let base64 = "Y2FyZCA0MTExIDExMTEgMTExMSAxMTEx";
    let hex = "636172642034313131203131313120313131312031313131";
    for encoded in [base64, hex] {
        for before in ["", "x", "xy", "xyz", "path/", "data:text/plain;base64,", "é"] {
            let text = format!("{before}{encoded}== and");
            let mut found: Vec<Run> = Vec::new();
            runs(&text, &mut found);
            let hit = found.iter().any(|run| run.view.text.contains("4111 1111 1111 111"));
            assert!(hit, "{text}: {found:?}");
            assert!(found.iter().all(|run| text[run.span.clone()].len() >= encoded.len()));
        }
    }
    assert!(secret.len() > 12);
    let mut found = Vec::new();
    runs(
        "f81d4fae-7dec-11d0-a765-00a0c91e6bf6 da39a3ee5e6b4b0d3255bfef95601890afd80709",
        &mut found,
    );
    assert!(found.is_empty(), "{found:?}");
}
