//! What the upstream answers with: so many different texts that neither a branch predictor nor a
//! compressor learns them, and the same on every machine.

use std::fmt::Write as _;

use memchr::memmem;

/// Different text of one size adds up to at least this, in bytes.
const DISTINCT_BYTES: usize = 4 * 1024 * 1024;

/// All texts of one size.
#[derive(Debug)]
pub(super) struct Bodies {
    texts: Vec<String>,
}

impl Bodies {
    /// Texts of `size` bytes each.
    pub(super) fn new(size: usize) -> Self {
        let count = DISTINCT_BYTES.div_ceil(size);
        Self { texts: (0..count).map(|number| text(number, size)).collect() }
    }

    /// The text with this number, counted round and round.
    pub(super) fn get(&self, number: usize) -> &str {
        self.texts.get(number % self.texts.len().max(1)).map_or("", String::as_str)
    }
}

/// Whether `answer` carries the JSON-RPC id `id` and the whole of `text`, in whatever frame.
pub(super) fn carries(answer: &[u8], id: u64, text: &str) -> bool {
    let mark = text.split_inclusive(' ').next().unwrap_or_default();
    let Some(start) = memmem::find(answer, mark.as_bytes()) else { return false };
    let whole = answer.get(start..start + text.len()) == Some(text.as_bytes());
    let outside = [answer.get(..start), answer.get(start + text.len()..)];
    let id = format!("\"id\":{id}");
    let ends = |rest: &[u8]| !rest.first().is_some_and(u8::is_ascii_digit);
    let named = outside.into_iter().flatten().any(|part| {
        memmem::find(part, id.as_bytes()).and_then(|at| part.get(at + id.len()..)).is_some_and(ends)
    });
    whole && named
}

/// Records as a payroll tool would give them, in letters that JSON never escapes.
fn text(number: usize, size: usize) -> String {
    const NAMES: [&str; 16] = [
        "Ada", "Bela", "Chen", "Dana", "Emre", "Femi", "Gita", "Hugo", "Ines", "Jun", "Kofi",
        "Lena", "Mina", "Noor", "Olga", "Pia",
    ];
    let mut state = (number as u64 + 1).wrapping_mul(0x9e37_79b9_7f4a_7c15) ^ size as u64;
    let mut next = move || {
        // xorshift64*: repeatable, and good enough to be different everywhere.
        state ^= state >> 12;
        state ^= state << 25;
        state ^= state >> 27;
        state.wrapping_mul(0x2545_f491_4f6c_dd1d) >> 33
    };
    let mut text = format!("#{number}/{size}: ");
    while text.len() < size {
        let [name, office, salary, hours] = [next(), next(), next(), next()];
        let name = NAMES.get(name as usize % NAMES.len()).copied().unwrap_or_default();
        let _ = write!(
            text,
            "{name} {office:x} earns {} in room {} since {}; ",
            salary % 90_000,
            office % 900,
            1970 + hours % 55
        );
    }
    text.truncate(size);
    text
}

#[cfg(test)]
mod tests {
    use super::{Bodies, carries};

    #[test]
    fn texts_differ_and_have_their_size() {
        for size in [256, 8 * 1024] {
            let bodies = Bodies::new(size);
            assert!(bodies.texts.iter().all(|text| text.len() == size));
            assert!(bodies.texts.len() * size >= 4 * 1024 * 1024);
            assert_ne!(bodies.get(0).get(20..), bodies.get(1).get(20..));
        }
    }

    #[test]
    fn an_answer_is_right_only_as_a_whole() {
        let text = Bodies::new(256).get(7).to_owned();
        let answer = |id: &str, text: &str| format!("{{\"id\":{id},\"result\":\"{text}\"}}");
        assert!(carries(answer("12", &text).as_bytes(), 12, &text));
        assert!(!carries(answer("123", &text).as_bytes(), 12, &text));
        assert!(!carries(answer("12", &text.replace("earns", "EARNS")).as_bytes(), 12, &text));
        assert!(!carries(answer("12", Bodies::new(256).get(8)).as_bytes(), 12, &text));
    }
}
