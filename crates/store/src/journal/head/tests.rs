//! Signed heads against another implementation, and against every changed byte.

use signed_note::{Note, StandardVerifier, VerifierList};
use tempfile::TempDir;

use super::*;

fn keys() -> (TempDir, Keys) {
    let folder = TempDir::new().unwrap();
    let keys =
        Keys::open_or_create(&folder.path().join("keys"), &folder.path().join("none")).unwrap();
    (folder, keys)
}

fn signed(keys: &Keys) -> SignedHead {
    let mut tree = Frontier::default();
    (0..7).for_each(|n| tree.push(&Digest::from_bytes([n; 32])));
    SignedHead::sign("node-1", &tree, keys)
}

#[test]
fn another_implementation_of_signed_notes_accepts_a_head() {
    let (_folder, keys) = keys();
    let head = signed(&keys);
    let verifier = StandardVerifier::new(&VerifierKey::of("node-1", &keys).to_string()).unwrap();
    let note = Note::from_bytes(head.note.as_bytes()).unwrap();
    let (good, unknown) = note.verify(&VerifierList::new(vec![Box::new(verifier)])).unwrap();
    assert_eq!((good.len(), unknown.len()), (1, 0));
}

#[test]
fn a_head_comes_back_and_every_changed_byte_is_noticed() {
    let (_folder, keys) = keys();
    let head = signed(&keys);
    let key = VerifierKey::of("node-1", &keys);
    assert_eq!(SignedHead::verify(&head.note, &key), Ok(head.clone()));
    for at in 0..head.note.len() {
        let mut bytes = head.note.clone().into_bytes();
        bytes[at] ^= 1;
        if let Ok(note) = String::from_utf8(bytes) {
            assert!(SignedHead::verify(&note, &key).is_err(), "{note}");
        }
    }
    let (_other_folder, other) = self::keys();
    let other = VerifierKey::of("node-1", &other);
    assert_eq!(SignedHead::verify(&head.note, &other), Err(HeadFault::Unsigned));
}

#[test]
fn keys_have_one_text() {
    let (_folder, keys) = keys();
    let key = VerifierKey::of("node-1", &keys);
    assert_eq!(VerifierKey::parse(&key.to_string()), Ok(key.clone()));
    for bad in ["", "a+b", "a+00000000+AQ==", &key.to_string().replace("node-1", "node-2")] {
        assert_eq!(VerifierKey::parse(bad), Err(HeadFault::Key), "{bad}");
    }
}

#[test]
fn a_file_of_heads_falls_into_its_notes() {
    let (_folder, keys) = keys();
    let note = signed(&keys).note;
    let torn = &note[..note.len() - 10];
    for file in [format!("{note}{note}{torn}"), format!("\n{note}\n\n{note}\n{torn}")] {
        let mut notes = notes(&file);
        assert_eq!(notes.by_ref().collect::<Vec<_>>(), [note.as_str(), note.as_str()]);
        assert_eq!(notes.rest, torn);
    }
}
