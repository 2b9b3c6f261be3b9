//! Trace contexts, good and bad.

use super::TraceParent;

const GOOD: &str = "00-4bf92f3577b34da6a3ce929d0e0e4736-00f067aa0ba902b7-01";

#[test]
fn l2_only_well_formed_parents_are_read() {
    let parent = TraceParent::parse(GOOD).unwrap();
    assert_eq!(parent.to_string(), GOOD);
    assert_eq!(
        parent.with_span(1).to_string(),
        GOOD.replace("00f067aa0ba902b7", "0000000000000001")
    );
    assert_eq!(TraceParent::parse(&format!("cc{}-more", &GOOD[2..])), Some(parent));
    for bad in [
        "",
        "00",
        &format!("{GOOD}-more"),
        &format!("ff{}", &GOOD[2..]),
        &GOOD.to_uppercase(),
        &GOOD.replace("4bf92f3577b34da6a3ce929d0e0e4736", &"0".repeat(32)),
        &GOOD.replace("00f067aa0ba902b7", &"0".repeat(16)),
        &GOOD.replace("00f067aa0ba902b7", "+0f067aa0ba902b7"),
        &format!(" {GOOD}"),
        &format!("{GOOD}\r\nX: y"),
    ] {
        assert_eq!(TraceParent::parse(bad), None, "{bad:?}");
    }
}
