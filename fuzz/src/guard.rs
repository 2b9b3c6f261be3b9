//! What the command guard reads: SQL, shell and the other texts of calls, and packs of rules. On a
//! small stack, because nothing in it may recurse over its input.

use lockgate_rules::guard::{Kind, Pack, inspect_text};

/// A quarter of what a thread of the gateway has.
const STACK_BYTES: usize = 512 * 1024;

/// Reading ends, on a small stack, with facts whose spans lie within the text, the same each time.
fn holds(input: &[u8], kinds: &'static [Kind]) {
    let text = String::from_utf8_lossy(input).into_owned();
    let read = move || {
        for kind in kinds {
            let facts = inspect_text(&text, *kind, None);
            for fact in facts.list() {
                assert!(
                    fact.span.start <= fact.span.end && fact.span.end <= text.len().max(1),
                    "{fact:?}"
                );
            }
            assert_eq!(facts, inspect_text(&text, *kind, None));
        }
    };
    let thread = std::thread::Builder::new().stack_size(STACK_BYTES).spawn(read);
    if thread.expect("a thread").join().is_err() {
        panic!("the guard panicked");
    }
}

/// SQL, also as nobody declares it.
pub fn sql(input: &[u8]) {
    holds(input, &[Kind::Sql, Kind::Auto]);
}

/// Shell, program texts, databases without SQL, calls.
pub fn shell(input: &[u8]) {
    holds(input, &[Kind::Shell, Kind::Code, Kind::Nosql, Kind::Call, Kind::Location]);
}

/// A pack loads or says why not.
pub fn packs(input: &[u8]) {
    if let Ok(text) = str::from_utf8(input)
        && let Err(fault) = Pack::load(text)
    {
        assert!(!fault.to_string().is_empty());
    }
}
