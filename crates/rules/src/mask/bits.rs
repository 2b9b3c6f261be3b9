//! Up to sixty-four bytes at a time, as bits: which of them are letters, which digits, and so on; and how to
//! find runs in such bits. Bit 0 is the first byte.
//!
//! Knows no detector.

use wide::u8x16;

/// How many bytes are looked at together.
pub(super) const BLOCK: usize = 64;

/// A text of at most [`BLOCK`] bytes.
#[derive(Clone, Copy)]
pub(super) struct Block {
    parts: [u8x16; 4],
    /// A bit for each byte of the text.
    pub(super) all: u64,
}

impl Block {
    /// The first `length` bytes of `text`, at most [`BLOCK`]. What stands behind them makes it faster, and
    /// counts for nothing.
    #[inline]
    pub(super) fn of(text: &[u8], length: usize) -> Self {
        let mut copy = [0; BLOCK];
        let bytes = text.first_chunk::<BLOCK>().unwrap_or_else(|| {
            if let Some(place) = copy.get_mut(..text.len()) {
                place.copy_from_slice(text);
            }
            &copy
        });
        let mut parts = [u8x16::default(); 4];
        let (chunks, _) = bytes.as_chunks::<16>();
        parts.iter_mut().zip(chunks).for_each(|(part, bytes)| *part = u8x16::new(*bytes));
        let beyond = u32::try_from(BLOCK - length.min(BLOCK)).unwrap_or_default();
        Self { parts, all: u64::MAX.unbounded_shr(beyond) }
    }

    /// The bytes that `is` likes.
    #[inline]
    pub(super) fn bits(&self, is: impl Fn(u8x16) -> u8x16) -> u64 {
        let [a, b, c, d] = self.parts.map(|part| u64::from(is(part).to_bitmask()));
        (a | b << 16 | c << 32 | d << 48) & self.all
    }

    /// `byte`.
    #[inline]
    pub(super) fn one(&self, byte: u8) -> u64 {
        self.bits(|part| part.simd_eq(u8x16::splat(byte)))
    }

    /// `a` to `z` and `A` to `Z`.
    #[inline]
    pub(super) fn letters(&self) -> u64 {
        self.bits(letter)
    }

    /// Bytes from `first` to `last`.
    #[inline]
    pub(super) fn range(&self, first: u8, last: u8) -> u64 {
        self.bits(|part| within(part, first, last))
    }
}

#[inline]
pub(super) fn letter(part: u8x16) -> u8x16 {
    within(part | u8x16::splat(0x20), b'a', b'z')
}

#[inline]
pub(super) fn within(part: u8x16, first: u8, last: u8) -> u8x16 {
    (part - u8x16::splat(first)).simd_le(u8x16::splat(last - first))
}

/// A text of any length, block by block, each with its place.
#[inline]
pub(super) fn blocks(text: &[u8]) -> impl Iterator<Item = (usize, Block)> {
    (0..text.len()).step_by(BLOCK).map(|at| {
        let rest = text.get(at..).unwrap_or_default();
        (at, Block::of(rest, rest.len().min(BLOCK)))
    })
}

/// Finds bytes of one kind, in order: a whole block of them at once.
pub(super) struct Finder<'t, F> {
    text: &'t [u8],
    is: F,
    /// Where the current block begins, and what is found in it.
    block: usize,
    found: u64,
}

impl<'t, F: Fn(u8x16) -> u8x16> Finder<'t, F> {
    #[inline]
    pub(super) fn new(text: &'t [u8], is: F) -> Self {
        let mut finder = Self { text, is, block: 0, found: 0 };
        finder.read(0);
        finder
    }

    #[inline]
    fn read(&mut self, at: usize) {
        let rest = self.text.get(at..).unwrap_or_default();
        self.block = at;
        self.found = Block::of(rest, rest.len().min(BLOCK)).bits(&self.is);
    }

    /// The first one from `from` on. Never goes back: `from` only grows.
    #[inline]
    pub(super) fn next(&mut self, from: usize) -> Option<usize> {
        if from >= self.block + BLOCK {
            self.read(from);
        }
        let passed = u32::try_from(from.saturating_sub(self.block)).unwrap_or(u32::MAX);
        let mut found = self.found & u64::MAX.unbounded_shl(passed);
        while found == 0 {
            if self.block + BLOCK >= self.text.len() {
                return None;
            }
            self.read(self.block + BLOCK);
            found = self.found;
        }
        Some(self.block + found.trailing_zeros() as usize)
    }
}

/// The first bits of all runs.
#[inline]
pub(super) const fn firsts(bits: u64) -> u64 {
    bits & !(bits << 1)
}

/// The first bits of all runs of at least twelve.
#[inline]
pub(super) const fn runs_of_12(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let eight = four & four >> 4;
    eight & four >> 8
}

/// The bits that stand in runs of at least twelve.
#[inline]
pub(super) const fn in_runs_of_12(bits: u64) -> u64 {
    let first = runs_of_12(bits);
    let two = first | first << 1;
    let four = two | two << 2;
    let eight = four | four << 4;
    eight | four << 8
}

/// The bits that stand in runs of at least seven.
#[inline]
pub(super) const fn in_runs_of_7(bits: u64) -> u64 {
    let two = bits & bits >> 1;
    let four = two & two >> 2;
    let first = four & four >> 3;
    let two = first | first << 1;
    let four = two | two << 2;
    four | four << 3
}

/// Each bit.
#[inline]
pub(super) fn each(mut bits: u64) -> impl Iterator<Item = u32> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let at = bits.trailing_zeros();
            bits &= bits - 1;
            at
        })
    })
}

/// Each run of bits: its first one, and the one after its last.
#[inline]
pub(super) fn runs(mut bits: u64) -> impl Iterator<Item = (u32, u32)> {
    std::iter::from_fn(move || {
        (bits != 0).then(|| {
            let start = bits.trailing_zeros();
            let end = start + (!(bits >> start)).trailing_zeros();
            bits &= u64::MAX.unbounded_shl(end);
            (start, end)
        })
    })
}

/// The bits from `start` up to `end`, without.
#[inline]
pub(super) const fn between(start: u32, end: u32) -> u64 {
    u64::MAX.unbounded_shl(start) & !u64::MAX.unbounded_shl(end)
}
