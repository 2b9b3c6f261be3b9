//! The words of a JSON document, up to a limit. Pure.
//!
//! Strings, numbers and the names of members, in the order in which they stand. A document is read
//! as a stream and left where the limit is reached, so that a large one costs no more than a small
//! one.

use std::fmt;

use serde::de::{DeserializeSeed, Deserializer, Error as _, MapAccess, SeqAccess, Visitor};
use serde_json::{Value, value::RawValue};

use super::words;

/// Text of one call that is searched, in bytes; what comes after is not found.
pub const TEXT_MAX_BYTES: usize = 256 * 1024;

/// As what serde_json shows a number that keeps its digits.
const NUMBER: &str = "$serde_json::private::Number";

/// Ends the reading; nobody reads it.
const CUT: &str = "more text than is searched";

/// Words in the making.
#[derive(Debug)]
pub(super) struct Text {
    /// Parted by one blank each.
    pub(super) words: String,
    /// Bytes of text that may still be read.
    budget: usize,
    /// There was more than the budget.
    pub(super) cut: bool,
}

/// The words of a call's arguments.
pub(super) fn of_arguments(arguments: &Value, budget: usize) -> Text {
    read(arguments, budget, Part::Content)
}

/// The words of a message, or of a batch of them: of its members, those that hold more than one
/// value. The others only hold it together.
pub(super) fn of_body(body: &RawValue, budget: usize) -> Text {
    read(&mut serde_json::Deserializer::from_str(body.get()), budget, Part::Message)
}

fn read<'de>(source: impl Deserializer<'de>, budget: usize, part: Part) -> Text {
    let mut text = Text { words: String::new(), budget, cut: false };
    if (Walk { text: &mut text, part }).deserialize(source).is_err() {
        text.cut = true;
    }
    text
}

impl Text {
    /// Bytes of the budget that are left.
    pub(super) fn left(&self) -> usize {
        self.budget
    }

    /// Takes the words of one string; false once the budget is used up.
    fn take(&mut self, string: &str) -> bool {
        let mut end = string.len().min(self.budget);
        while !string.is_char_boundary(end) {
            end -= 1;
        }
        let (kept, rest) = string.split_at_checked(end).unwrap_or((string, ""));
        self.budget -= end;
        words::append(kept, &mut self.words);
        rest.is_empty()
    }
}

/// Which part of a document a value is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Part {
    /// A message, or a batch of messages.
    Message,
    /// What stands directly in a message.
    Member,
    /// What is read.
    Content,
}

struct Walk<'t> {
    text: &'t mut Text,
    part: Part,
}

impl Walk<'_> {
    fn take<E: serde::de::Error>(self, string: &str) -> Result<(), E> {
        if self.part != Part::Content || self.text.take(string) {
            Ok(())
        } else {
            Err(E::custom(CUT))
        }
    }
}

impl<'de> DeserializeSeed<'de> for Walk<'_> {
    type Value = ();

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<(), D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Walk<'_> {
    type Value = ();

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("JSON")
    }

    fn visit_str<E: serde::de::Error>(self, string: &str) -> Result<(), E> {
        self.take(string)
    }

    fn visit_i64<E: serde::de::Error>(self, number: i64) -> Result<(), E> {
        self.take(&number.to_string())
    }

    fn visit_u64<E: serde::de::Error>(self, number: u64) -> Result<(), E> {
        self.take(&number.to_string())
    }

    fn visit_f64<E: serde::de::Error>(self, number: f64) -> Result<(), E> {
        self.take(&number.to_string())
    }

    fn visit_bool<E>(self, _: bool) -> Result<(), E> {
        Ok(())
    }

    fn visit_unit<E>(self) -> Result<(), E> {
        Ok(())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<(), A::Error> {
        let part = if self.part == Part::Message { Part::Message } else { Part::Content };
        while items.next_element_seed(Walk { text: &mut *self.text, part })?.is_some() {}
        Ok(())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut members: A) -> Result<(), A::Error> {
        while let Some(name) = members.next_key::<String>()? {
            let part = match self.part {
                Part::Message => Part::Member,
                Part::Member if name == NUMBER => Part::Member,
                Part::Member | Part::Content => {
                    if name != NUMBER && !self.text.take(&name) {
                        return Err(A::Error::custom(CUT));
                    }
                    Part::Content
                }
            };
            members.next_value_seed(Walk { text: &mut *self.text, part })?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, value::RawValue};

    use super::{of_arguments, of_body};

    #[test]
    fn strings_numbers_and_names_are_read_in_their_order() {
        let json = r#"{"sql":"DROP TABLE x","n":[1.50,true,null,-7],"o":{"k":"v"}}"#;
        let value: Value = serde_json::from_str(json).unwrap();
        let text = of_arguments(&value, 1_000);
        assert_eq!(text.words, "sqgl drop table x n 1 50 7 o k v");
        assert!(!text.cut);
    }

    #[test]
    fn a_message_is_read_without_its_envelope() {
        let json = r#"[{"v":"2.0","id":7,"result":{"text":"a\u0000\nb"}},{"error":{"code":-3}}]"#;
        let body: Box<RawValue> = serde_json::from_str(json).unwrap();
        assert_eq!(of_body(&body, 1_000).words, "text a b code 3");
    }

    #[test]
    fn the_budget_ends_the_reading() {
        let body: Box<RawValue> = serde_json::from_str(r#"{"result":["aaa","éé","b"]}"#).unwrap();
        for (budget, words, cut, left) in [
            (8, "aaa qe9gqe9g b", false, 0),
            (7, "aaa qe9gqe9g", true, 0),
            (6, "aaa qe9g", true, 1),
            (0, "", true, 0),
        ] {
            let text = of_body(&body, budget);
            assert_eq!((&*text.words, text.cut, text.left()), (words, cut, left), "{budget}");
        }
    }

    #[test]
    fn what_is_too_deep_is_left_out() {
        for (depth, cut) in [(100, false), (100_000, true)] {
            let deep = format!("{}1{}", "[".repeat(depth), "]".repeat(depth));
            let body = RawValue::from_string(deep).unwrap();
            assert_eq!(of_body(&body, 10).cut, cut, "{depth}");
        }
    }
}
