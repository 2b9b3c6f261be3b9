//! The tree against published vectors, and against another implementation.

use ct_merkle::mem_backed_tree::MemoryBackedTree;
use proptest::prelude::*;

use super::*;

fn record(number: u64) -> Digest {
    hash(&[&number.to_be_bytes()])
}

fn frontier(size: u64) -> Frontier {
    let mut frontier = Frontier::default();
    (0..size).for_each(|number| frontier.push(&record(number)));
    frontier
}

/// The test vectors that RFC 6962's own implementations share: the roots of the first n of eight
/// well-known leaves.
#[test]
fn i11_the_public_vectors_of_rfc_6962() {
    let leaves: [&[u8]; 8] = [
        b"",
        b"\x00",
        b"\x10",
        b"\x20\x21",
        b"\x30\x31",
        b"\x40\x41\x42\x43",
        b"\x50\x51\x52\x53\x54\x55\x56\x57",
        b"\x60\x61\x62\x63\x64\x65\x66\x67\x68\x69\x6a\x6b\x6c\x6d\x6e\x6f",
    ];
    let roots = [
        "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
        "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
        "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
        "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
        "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
        "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
        "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
        "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
        "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
    ];
    for (count, root) in roots.iter().enumerate() {
        // The vectors hash leaves of their own lengths, so the peaks are built by hand.
        let hashes = leaves.iter().take(count).map(|leaf| hash(&[&[0], leaf]));
        let mut frontier = Frontier::default();
        for mut node in hashes {
            let mut size = frontier.size;
            while size & 1 == 1 {
                node = join(&frontier.peaks.pop().unwrap(), &node);
                size >>= 1;
            }
            frontier.peaks.push(node);
            frontier.size += 1;
        }
        assert_eq!(frontier.root().to_string(), *root, "{count} leaves");
    }
}

#[test]
fn roots_and_proofs_are_those_of_ct_merkle() {
    let mut oracle = MemoryBackedTree::<Sha256, [u8; 32]>::new();
    let mut tree = Tree::new(Frontier::default());
    for size in 1..=130_u64 {
        oracle.push(*record(size - 1).as_bytes());
        tree.push(&record(size - 1));
        let root = frontier(size).root();
        assert_eq!(root.as_bytes().as_slice(), oracle.root().as_bytes().as_slice(), "{size}");
        for index in 0..size {
            let path: Vec<u8> =
                tree.proof(index, size).unwrap().iter().flat_map(|node| *node.as_bytes()).collect();
            assert_eq!(path, oracle.prove_inclusion(index as usize).as_bytes(), "{index}/{size}");
        }
    }
}

proptest! {
    #[test]
    fn proofs_hold_behind_a_frontier_and_for_nothing_else(
        before in 0..200_u64, more in 1..200_u64, at in any::<prop::sample::Index>(), cut in 0..50_u64,
    ) {
        let mut tree = Tree::new(frontier(before));
        (before..before + more).for_each(|number| tree.push(&record(number)));
        let size = before + more - cut.min(more - 1);
        let index = before + at.index((size - before) as usize) as u64;
        let proof = tree.proof(index, size).unwrap();
        let root = frontier(size).root();
        prop_assert!(proves(&record(index), index, size, &root, &proof));
        prop_assert!(!proves(&record(index + 1), index, size, &root, &proof));
        prop_assert!(!proves(&record(index), index, size, &frontier(size + 1).root(), &proof));
        for longer in [&proof[..proof.len().saturating_sub(1)], &[&proof[..], &[root]].concat()] {
            prop_assert!(longer == proof.as_slice() || !proves(&record(index), index, size, &root, longer));
        }
        prop_assert_eq!(tree.proof(before.wrapping_sub(1), size), None);
        prop_assert_eq!(tree.proof(size, size), None);
    }
}

#[test]
fn sizes_without_an_end_are_no_proof() {
    let digest = record(0);
    for (index, size) in [(0, 0), (1, 1), (0, u64::MAX), (u64::MAX - 1, u64::MAX)] {
        assert!(!proves(&digest, index, size, &digest, &[]), "{index}/{size}");
    }
}
