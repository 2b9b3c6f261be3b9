//! Pages of a list: newest first, continued by a cursor, never by a count.

use lockgate_model::Timestamp;
use serde::{Serialize, Serializer};

use super::IndexFault;

/// Most rows on one page.
pub const PAGE_MAX: u16 = 200;

/// Which part of a list is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page {
    pub(super) size: u16,
    pub(super) after: Option<Cursor>,
}

impl Page {
    /// `size` rows, from the beginning or after the row of `cursor`.
    ///
    /// # Errors
    /// [`IndexFault::Page`] for a size outside `1..=`[`PAGE_MAX`], and a cursor that no page gave.
    pub fn new(size: u16, cursor: Option<&str>) -> Result<Self, IndexFault> {
        if !(1..=PAGE_MAX).contains(&size) {
            return Err(IndexFault::Page("a page has 1 to 200 rows"));
        }
        let after = cursor.map(Cursor::parse).transpose()?;
        Ok(Self { size, after })
    }

    /// The first `size` rows, brought into `1..=`[`PAGE_MAX`].
    pub fn first(size: u16) -> Self {
        Self { size: size.clamp(1, PAGE_MAX), after: None }
    }
}

/// The place after one row, as a text that means nothing to whoever carries it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cursor {
    pub(super) time: Timestamp,
    pub(super) key: i64,
}

impl Cursor {
    fn parse(text: &str) -> Result<Self, IndexFault> {
        let number = |hex: &str| {
            let digits = hex.len() == 16 && hex.bytes().all(|byte| byte.is_ascii_hexdigit());
            digits.then(|| u64::from_str_radix(hex, 16).ok()).flatten().map(u64::cast_signed)
        };
        let parts = text.split_at_checked(16).and_then(|(time, key)| {
            Some(Self { time: Timestamp::from_millis(number(time)?), key: number(key)? })
        });
        parts.ok_or(IndexFault::Page("the cursor is none that a page gave"))
    }
}

impl std::fmt::Display for Cursor {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{:016x}{:016x}", self.time.millis(), self.key)
    }
}

impl Serialize for Cursor {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

/// One page.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Listing<T> {
    /// Newest first.
    pub rows: Vec<T>,
    /// Where the next page begins; `None` where there is no more.
    pub next: Option<Cursor>,
}

impl<T> Listing<T> {
    /// From one row more than the page has, each with its place.
    pub(super) fn new(mut rows: Vec<(Cursor, T)>, size: u16) -> Self {
        let size = usize::from(size);
        let more = rows.len() > size;
        rows.truncate(size);
        let next = if more { rows.last().map(|(cursor, _)| *cursor) } else { None };
        Self { rows: rows.into_iter().map(|(_, row)| row).collect(), next }
    }
}

#[cfg(test)]
mod tests {
    use lockgate_model::Timestamp;

    use super::{Cursor, Page};

    #[test]
    fn cursors_come_back_and_nothing_else_is_one() {
        for (time, key) in [(0, 0), (-1, 5), (i64::MAX, i64::MAX), (i64::MIN, 1)] {
            let cursor = Cursor { time: Timestamp::from_millis(time), key };
            let page = Page::new(1, Some(&cursor.to_string())).unwrap();
            assert_eq!(page.after, Some(cursor));
        }
        for bad in ["", "0", &"g".repeat(32), &"0".repeat(33), &"é".repeat(16), "' OR 1=1 --"] {
            assert!(Page::new(1, Some(bad)).is_err(), "{bad}");
        }
        for (size, good) in [(0, false), (1, true), (200, true), (201, false)] {
            assert_eq!(Page::new(size, None).is_ok(), good, "{size}");
        }
    }
}
