//! The Merkle tree over all records (RFC 6962 §2.1): leaf n is the hash of record n + 1.
//!
//! Pure. The running tree keeps its complete subtrees alone, at most 64 hashes, so that neither
//! memory nor start grows with the journal. Proofs are checked with the crate `ct-merkle`.

use ct_merkle::{InclusionProof, RootHash};
use lockgate_model::Digest;
use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

/// A tree that grows by leaves at its end.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frontier {
    size: u64,
    /// Roots of the complete subtrees, largest first; one for each bit set in `size`.
    peaks: Vec<Digest>,
}

impl Frontier {
    /// How many records it holds.
    pub const fn size(&self) -> u64 {
        self.size
    }

    /// Whether it has the shape that its size asks for.
    pub(super) fn is_sound(&self) -> bool {
        self.peaks.len() == self.size.count_ones() as usize
    }

    /// Adds the record with this hash.
    pub(super) fn push(&mut self, record: &Digest) {
        let mut node = leaf(record);
        let mut size = self.size;
        while size & 1 == 1 {
            if let Some(left) = self.peaks.pop() {
                node = join(&left, &node);
            }
            size >>= 1;
        }
        self.peaks.push(node);
        self.size += 1;
    }

    /// The root: SHA-256 of nothing for an empty tree.
    pub fn root(&self) -> Digest {
        let mut peaks = self.peaks.iter().rev();
        let Some(last) = peaks.next() else {
            return Digest::from_bytes(Sha256::digest([]).into());
        };
        peaks.fold(*last, |right, left| join(left, &right))
    }

    /// The complete subtree over the leaves `[start, start + 2^height)`, if it is one of the peaks.
    fn peak(&self, start: u64, height: u32) -> Option<Digest> {
        let mut at = 0;
        let mut bits = (0..u64::BITS).rev().filter(|bit| self.size >> bit & 1 == 1);
        self.peaks.iter().find_map(|peak| {
            let bit = bits.next()?;
            let found = at == start && bit == height;
            at += 1 << bit;
            found.then_some(*peak)
        })
    }
}

/// A whole tree whose first part is known by its frontier alone: what proofs are made from. Takes 32
/// bytes of memory a leaf.
pub(super) struct Tree {
    before: Frontier,
    leaves: Vec<Digest>,
}

impl Tree {
    pub(super) fn new(before: Frontier) -> Self {
        Self { before, leaves: Vec::new() }
    }

    pub(super) fn push(&mut self, record: &Digest) {
        self.leaves.push(leaf(record));
    }

    /// `PATH(index, D[0:size])` of RFC 6962 §2.1.1; `None` where the leaf is not there.
    pub(super) fn proof(&self, index: u64, size: u64) -> Option<Vec<Digest>> {
        if index < self.before.size || index >= size || size > self.size() {
            return None;
        }
        let (mut start, mut end) = (0, size);
        let mut path = Vec::new();
        while end - start > 1 {
            let middle = start + split(end - start);
            let sibling = if index < middle {
                let sibling = self.range(middle, end);
                end = middle;
                sibling
            } else {
                let sibling = self.range(start, middle);
                start = middle;
                sibling
            };
            path.push(sibling?);
        }
        path.reverse();
        Some(path)
    }

    fn size(&self) -> u64 {
        self.before.size + self.leaves.len() as u64
    }

    /// The hash of the leaves `[start, end)`.
    fn range(&self, start: u64, end: u64) -> Option<Digest> {
        let length = end - start;
        if length.is_power_of_two()
            && let Some(peak) = self.before.peak(start, length.trailing_zeros())
        {
            return Some(peak);
        }
        if length == 1 {
            let at = usize::try_from(start.checked_sub(self.before.size)?).ok()?;
            return self.leaves.get(at).copied();
        }
        let middle = start + split(length);
        Some(join(&self.range(start, middle)?, &self.range(middle, end)?))
    }
}

/// Whether `proof` shows that the record with this hash is leaf `index` of the tree.
pub(super) fn proves(
    record: &Digest,
    index: u64,
    size: u64,
    root: &Digest,
    proof: &[Digest],
) -> bool {
    let bytes = proof.iter().flat_map(|node| *node.as_bytes()).collect();
    let Ok(proof) = InclusionProof::<Sha256>::try_from_bytes(bytes) else { return false };
    let root = RootHash::<Sha256>::new((*root.as_bytes()).into(), size);
    // Beyond half of the numbers the crate's own arithmetic would overflow.
    index < size
        && size <= u64::MAX / 2
        && root.verify_inclusion(record.as_bytes(), index, &proof).is_ok()
}

/// The largest power of two below `length`, which is at least 2.
fn split(length: u64) -> u64 {
    1 << (u64::BITS - 1 - (length - 1).leading_zeros())
}

fn leaf(record: &Digest) -> Digest {
    hash(&[&[0], record.as_bytes()])
}

fn join(left: &Digest, right: &Digest) -> Digest {
    hash(&[&[1], left.as_bytes(), right.as_bytes()])
}

fn hash(parts: &[&[u8]]) -> Digest {
    let mut hasher = Sha256::new();
    parts.iter().for_each(|part| hasher.update(part));
    Digest::from_bytes(hasher.finalize().into())
}

#[cfg(test)]
mod tests;
