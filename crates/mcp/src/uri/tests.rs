//! Canonical URIs, and the spellings that try to get past them.

use super::canonical;

#[test]
fn p8_spellings_of_one_resource_have_one_canonical_form() {
    for (uri, expected) in [
        ("file:///srv/a", "file:///srv/a"),
        ("FILE:///srv/a", "file:///srv/a"),
        ("file:/srv/a", "file:///srv/a"),
        ("file://localhost/srv/a", "file:///srv/a"),
        ("file://LOCALHOST/srv/a", "file:///srv/a"),
        ("file:///srv/../etc/passwd", "file:///etc/passwd"),
        ("file:///srv/%2e%2e/etc/passwd", "file:///etc/passwd"),
        ("file:///srv/%2E./etc/passwd", "file:///etc/passwd"),
        ("file:///srv/./a/", "file:///srv/a/"),
        ("file:///srv/a/..", "file:///srv/"),
        ("file:///../../etc", "file:///etc"),
        ("file:////etc//passwd", "file:///etc/passwd"),
        ("file:///srv/x//../y", "file:///srv/y"),
        ("file:///srv/%61%7Eb", "file:///srv/a~b"),
        ("file:///srv/a b", "file:///srv/a%20b"),
        ("file:///srv/%c3%a9", "file:///srv/%C3%A9"),
        ("file:///srv/é", "file:///srv/%C3%A9"),
        ("file://host/srv/a", "file://host/srv/a"),
        ("HTTPS://User@Example.COM:443/A/../b?x=%2f#%61", "https://User@example.com/b?x=%2F#a"),
        ("http://h:/", "http://h/"),
        ("http://h:8080/", "http://h:8080/"),
        ("https://[::1]:443/a", "https://[::1]/a"),
        ("https://[::1]:80/a", "https://[::1]:80/a"),
        ("note://Team/Plan%2FB", "note://team/Plan%2FB"),
        ("db://host/a//b", "db://host/a//b"),
        ("urn:isbn:0451450523", "urn:isbn:0451450523"),
        ("ui://card", "ui://card"),
        ("file:///srv/..a/.b./...", "file:///srv/..a/.b./..."),
    ] {
        assert_eq!(canonical(uri).as_deref(), Some(expected), "{uri}");
        assert_eq!(canonical(expected).as_deref(), Some(expected), "stable: {expected}");
    }
}

#[test]
fn p8_spellings_that_readers_take_differently_have_none() {
    let deep = format!("file:///srv/%{}2e", "25".repeat(4000));
    for uri in [
        "",
        "srv/a",
        "/srv/a",
        "1x:a",
        ":a",
        "file:srv/a",
        "x:../a",
        "x:a/./b",
        "file:///srv/..%2fetc",
        "file:///srv/..%2Fetc/passwd",
        "file:///srv/a%2f..%2f..",
        "file:///srv/..\\etc",
        "file:///srv/%5c..%5cetc",
        "file:///srv/..%5Cetc",
        "file:///srv/%252e%252e/etc",
        "file:///srv/%252e%252e%252fetc",
        "file:///srv/..;x/etc",
        "file:///srv/..;/etc",
        "file:///srv/%c0%ae%c0%ae/etc",
        "file:///srv/%ff",
        "file:///srv/%00",
        "file:///srv/a%0ab",
        "file:///srv/\u{0}",
        "file:///srv/a\nb",
        "file:///srv/%zz",
        "file:///srv/%2",
        "http://a@b@c/",
        "http://good\\@bad/",
        "http://a b/",
        "https://[::/a",
        "https://[::1]x/a",
        "https://[[::1]]/a",
        "https://h:80:443/a",
        "https://h:x/a",
        "file://../etc/passwd",
        "file://./etc",
        "file://h%2f..%2fetc/x",
        &deep,
    ] {
        assert_eq!(canonical(uri), None, "{uri:?}");
    }
    assert_eq!(canonical(&format!("x:{}", "a".repeat(9000))), None);
}
