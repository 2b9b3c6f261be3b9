//! Heads that could be read in two ways, by row, and their twins that must pass.

use lockgate_model::{Limits, Reason};
use proptest::{collection::vec, prelude::*};

use super::{Bad, Framer};

/// What the machine finds in `bytes`, given in pieces that end at `cuts`.
fn find(bytes: &[u8], cuts: &[usize]) -> (Option<Bad>, u32) {
    let mut framer = Framer::new(&Limits::default());
    let mut found = None;
    let mut start = 0;
    for &cut in cuts.iter().chain([&bytes.len()]) {
        let end = cut.clamp(start, bytes.len());
        found = found.or(framer.push(&bytes[start..end]));
        start = end;
    }
    (found, framer.heads)
}

fn post(lines: &str) -> Vec<u8> {
    format!("POST /mcp HTTP/1.1\r\nHost: a\r\n{lines}\r\n").into_bytes()
}

/// The catalogue's rows H1 to H4 and H7: each head is refused, whatever follows is never believed.
#[test]
fn heads_that_two_parsers_frame_differently_are_found() {
    let te = "Transfer-Encoding: chunked\r\n";
    let rows: &[(&str, String)] = &[
        ("H1", format!("Content-Length: 5\r\n{te}")),
        ("H1", format!("{te}Content-Length: 5\r\n")),
        ("H1", format!("Content_Length: 5\r\n{te}")),
        ("H2", format!("{te}{te}")),
        ("H2", "Transfer-Encoding: chunked, chunked\r\n".into()),
        ("H2", "Transfer-Encoding: gzip, chunked\r\n".into()),
        ("H3", "Transfer-Encoding: xchunked\r\n".into()),
        ("H3", "Transfer-Encoding:  chunked\r\n".into()),
        ("H3", "Transfer-Encoding: chunked \r\n".into()),
        ("H3", "Transfer-Encoding:\tchunked\r\n".into()),
        ("H3", "Transfer-Encoding: \"chunked\"\r\n".into()),
        ("H3", "Transfer-Encoding: identity\r\n".into()),
        ("H3", "Transfer-Encoding:\r\n".into()),
        ("H3", "Transfer_Encoding: chunked, x\r\n".into()),
        ("H3", "Transfer-Encoding : chunked\r\n".into()),
        ("H3", " Transfer-Encoding: chunked\r\n".into()),
        ("H3", "Transfer-Encoding\u{b}: chunked\r\n".into()),
        ("H3", "X: y\nTransfer-Encoding: chunked\r\n".into()),
        ("H3", "X: y\rTransfer-Encoding: chunked\r\n".into()),
        ("H3", "Transfer-Encoding: \u{b}chunked\r\n".into()),
        ("H4", "Content-Length: +5\r\n".into()),
        ("H4", "Content-Length: 5,5\r\n".into()),
        ("H4", "Content-Length: 5, 6\r\n".into()),
        ("H4", "Content-Length: 0x5\r\n".into()),
        ("H4", "Content-Length:  5\r\n".into()),
        ("H4", "Content-Length: 5 \r\n".into()),
        ("H4", "Content-Length: -5\r\n".into()),
        ("H4", "Content-Length: 5_0\r\n".into()),
        ("H4", "Content-Length:\r\n".into()),
        ("H4", "Content-Length: 18446744073709551616\r\n".into()),
        ("H4", "Content-Length: 00000000000000000000000000000005\r\n".into()),
        ("H4", "Content-Length: 5\r\nContent-Length: 5\r\n".into()),
        ("H4", "Content-Length: 5\r\ncontent-length: 6\r\n".into()),
        ("H7", "X: a\r\n b\r\n".into()),
        ("H7", "X: a\r\n\tb\r\n".into()),
        ("H7", "X : a\r\n".into()),
        ("H7", "X: a\nY: b\r\n".into()),
        ("H7", "X: a\rb\r\n".into()),
        ("H7", "X: a\0b\r\n".into()),
        ("H7", "X\0: a\r\n".into()),
        ("H7", ": a\r\n".into()),
        ("H7", "X\r\n".into()),
    ];
    for (row, lines) in rows {
        let bytes = post(lines);
        let (found, _) = find(&bytes, &[]);
        let found = found.unwrap_or_else(|| panic!("{row}: {lines:?} passed"));
        assert_eq!((found.index, found.reason), (0, Reason::HttpMalformed), "{row}: {lines:?}");
    }
}

#[test]
fn request_lines_that_are_none_are_found() {
    for line in [
        "\r\nPOST / HTTP/1.1",
        "POST  / HTTP/1.1",
        "POST / HTTP/1.1 ",
        "POST /\tHTTP/1.1",
        "POST /a b HTTP/1.1",
        "POST / HTTP/2.0",
        "POST / http/1.1",
        "POST /\u{e9} HTTP/1.1",
        "POST /",
        "PRI * HTTP/2.0",
        " POST / HTTP/1.1",
        "POST / HTTP/1.1\n",
    ] {
        let bytes = format!("{line}\r\nHost: a\r\n\r\n");
        assert!(find(bytes.as_bytes(), &[]).0.is_some(), "{line:?} passed");
    }
}

#[test]
fn sound_heads_pass_with_their_bodies() {
    let te = post("Transfer-Encoding: chunked\r\n");
    let length = [&post("content-length: 5\r\n")[..], b"GET /\r\n\r\n\0"].concat();
    for (bytes, heads) in [
        (post(""), 1),
        (post("Content-Length: 0\r\n"), 1),
        (post("Content-Length: 000\r\n"), 1),
        (post("transfer-encoding: Chunked\r\n"), 1),
        (post("Content-Length:4\r\nX:\r\nY: a\tb \u{e9}\r\n"), 1),
        ([&post("Content-Length: 5\r\n")[..], b"\r\n\0 a", &post("")].concat(), 2),
        // Nothing after a chunked head is looked at.
        ([&te[..], b"5\r\nhello\r\n0\r\n\r\n\0\0 GET"].concat(), 1),
        (b"GET / HTTP/1.0\r\n\r\n".to_vec(), 1),
    ] {
        assert_eq!(find(&bytes, &[]), (None, heads), "{:?}", String::from_utf8_lossy(&bytes));
    }
    let (found, heads) = find(&length, &[]);
    assert_eq!((found.map(|bad| bad.index), heads), (Some(1), 1), "a body's end is exact");
}

#[test]
fn limits_have_reasons_of_their_own() {
    let limits = Limits::default();
    let long = "x".repeat(limits.uri_max_bytes as usize);
    let many = "X: y\r\n".repeat(limits.headers_max as usize);
    let large = format!("X: {}\r\n", "y".repeat(limits.headers_max_bytes as usize));
    for (bytes, reason) in [
        (format!("POST /{long} HTTP/1.1\r\n").into_bytes(), Reason::UriTooLong),
        (post(&many), Reason::HeadersTooLarge),
        (post(&large), Reason::HeadersTooLarge),
    ] {
        assert_eq!(find(&bytes, &[]).0.map(|bad| bad.reason), Some(reason));
    }
}

#[test]
fn http_1_0_has_no_chunks() {
    let bytes = b"POST / HTTP/1.0\r\nTransfer-Encoding: chunked\r\n\r\n";
    assert!(find(bytes, &[]).0.is_some());
}

proptest! {
    /// However the bytes are split, the findings are the same.
    #[test]
    fn splits_change_nothing(
        heads in vec(prop_oneof![
            Just(post("")),
            Just(post("Content-Length: 5\r\n")),
            Just(b"hello".to_vec()),
            Just(post("Transfer-Encoding: chunked\r\n")),
            Just(post("Content-Length: 5, 5\r\n")),
            Just(post("X: a\r\n b\r\n")),
            vec(any::<u8>(), 0..20),
        ], 0..6),
        mut cuts in vec(0_usize..400, 0..40),
    ) {
        let bytes = heads.concat();
        cuts.sort_unstable();
        prop_assert_eq!(find(&bytes, &[]), find(&bytes, &cuts));
        let every: Vec<_> = (0..bytes.len()).collect();
        prop_assert_eq!(find(&bytes, &[]), find(&bytes, &every));
    }
}
