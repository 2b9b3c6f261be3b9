//! The vault as its users see it: what opens, and what is refused under which name.
#![cfg(test)]

use std::{fs, os::unix::fs::PermissionsExt as _, path::PathBuf};

use base64::{Engine as _, prelude::BASE64_STANDARD_NO_PAD};
use lockgate_vault::{
    About, KeyFault, KeySource, Keyring, Purpose, Sealed, Secret, SecretFault, VaultFault,
};
use proptest::prelude::*;
use tempfile::TempDir;

fn about(name: &str, version: u64) -> About<'_> {
    About { purpose: Purpose::Credential, connection: None, name, version }
}

fn secret(text: &str) -> Secret {
    Secret::of_text(text.to_owned()).unwrap()
}

/// A key file in a folder of its own.
fn file() -> (TempDir, PathBuf, KeySource) {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("keys/vault.key");
    let source = KeySource::File(path.clone());
    (folder, path, source)
}

fn keys() -> Keyring {
    file().2.read_or_create().unwrap()
}

/// The fault of opening `text`.
fn refused(keys: &Keyring, about: &About<'_>, text: &str) -> VaultFault {
    let opened = Sealed::parse(text).and_then(|sealed| keys.open(about, &sealed));
    opened.err().expect("it opened")
}

fn bytes(sealed: &Sealed) -> Vec<u8> {
    BASE64_STANDARD_NO_PAD.decode(sealed.to_text()).unwrap()
}

fn text(bytes: &[u8]) -> String {
    BASE64_STANDARD_NO_PAD.encode(bytes)
}

#[test]
fn what_does_not_belong_is_refused_by_name() {
    let keys = keys();
    let one = keys.seal(keys.newest(), &about("one", 2), &secret("hunter2")).unwrap();
    assert_eq!(keys.open(&about("one", 2), &one).unwrap().expose(), "hunter2");
    let stored = one.to_text();

    // Swapped: for another name, another connection, or any connection.
    let swapped = |about: &About<'_>| matches!(refused(&keys, about, &stored), VaultFault::Swapped);
    assert!(swapped(&about("two", 2)));
    assert!(swapped(&About { connection: Some("staff"), ..about("one", 2) }));
    // Old version, put back in the place of a newer one.
    let fault = refused(&keys, &about("one", 3), &stored);
    assert!(matches!(fault, VaultFault::Version { sealed: 2, expected: 3 }), "{fault}");
    // Wrong key.
    let other = self::keys();
    let fault = refused(&other, &about("one", 2), &stored);
    let VaultFault::UnknownKey { key, has } = fault else { panic!("{fault}") };
    assert_eq!((key, has), (keys.newest(), other.ids()));
    // Unknown key id, unknown format.
    let mut changed = bytes(&one);
    changed[1] ^= 1;
    let fault = refused(&keys, &about("one", 2), &text(&changed));
    assert!(matches!(fault, VaultFault::UnknownKey { .. }), "{fault}");
    let mut changed = bytes(&one);
    changed[0] = 2;
    let fault = refused(&keys, &about("one", 2), &text(&changed));
    assert!(matches!(fault, VaultFault::Format(2)), "{fault}");
    // No sealed text at all.
    for none in ["not base64!", &"A".repeat(1 << 20)] {
        assert!(matches!(refused(&keys, &about("one", 2), none), VaultFault::NotSealed));
    }
}

#[test]
fn the_parts_of_two_sealed_texts_do_not_mix() {
    let keys = keys();
    let seal = |value| bytes(&keys.seal(keys.newest(), &about("one", 1), &secret(value)).unwrap());
    let (one, two) = (seal("aaaa"), seal("bbbb"));
    // The other's wrapped key, with everything else alike.
    let mixed = [&one[..53], &two[53..113], &one[113..]].concat();
    assert!(matches!(refused(&keys, &about("one", 1), &text(&mixed)), VaultFault::Damaged));
}

#[test]
fn a_sealed_text_that_was_cut_anywhere_is_refused() {
    let keys = keys();
    let sealed = bytes(&keys.seal(keys.newest(), &about("one", 1), &secret("hunter2")).unwrap());
    for end in 0..sealed.len() {
        let fault = refused(&keys, &about("one", 1), &text(&sealed[..end]));
        assert!(matches!(fault, VaultFault::Truncated { .. }), "{end}: {fault}");
    }
    let longer = [&sealed[..], &[0]].concat();
    assert!(matches!(
        refused(&keys, &about("one", 1), &text(&longer)),
        VaultFault::Trailing { .. }
    ));
}

#[test]
fn old_keys_open_and_rewrapping_moves_on() {
    let (_folder, _, source) = file();
    let first = source.read_or_create().unwrap();
    let old = first.newest();
    let sealed = first.seal(old, &about("one", 1), &secret("hunter2")).unwrap();
    let both = source.add().unwrap();
    assert_eq!(both.ids(), [old, both.newest()]);
    assert_eq!(both.open(&about("one", 1), &sealed).unwrap().expose(), "hunter2");
    let fresh = both.rewrap(&sealed, both.newest()).unwrap();
    assert_eq!(fresh.key(), both.newest());
    let again = both.rewrap(&fresh, both.newest()).unwrap();
    assert!(again != fresh, "a nonce was used twice");

    let left = source.forget(old).unwrap();
    assert_eq!(left.ids(), [both.newest()]);
    assert_eq!(left.open(&about("one", 1), &fresh).unwrap().expose(), "hunter2");
    let fault = left.open(&about("one", 1), &sealed).err().unwrap();
    assert!(matches!(fault, VaultFault::UnknownKey { key, .. } if key == old), "{fault}");
    // Without its text having been opened, what it is about still counts.
    let fault = left.open(&about("two", 1), &fresh).err().unwrap();
    assert!(matches!(fault, VaultFault::Swapped), "{fault}");
}

#[test]
fn the_key_file_is_its_owners_alone() {
    let (_folder, path, source) = file();
    assert!(matches!(source.read(), Err(KeyFault::Missing(_))));
    assert!(matches!(source.add(), Err(KeyFault::Missing(_))));
    let made = source.read_or_create().unwrap();
    let mode = |path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!((mode(path.as_path()), mode(path.parent().unwrap())), (0o600, 0o700));
    assert_eq!(source.read_or_create().unwrap().ids(), made.ids(), "made once");
    for exposed in [0o640, 0o604, 0o622] {
        fs::set_permissions(&path, fs::Permissions::from_mode(exposed)).unwrap();
        assert!(matches!(source.read(), Err(KeyFault::Exposed(_))), "{exposed:o}");
        assert!(matches!(source.add(), Err(KeyFault::Exposed(_))), "{exposed:o}");
    }
    fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
    let text = fs::read_to_string(&path).unwrap();
    fs::write(&path, &text[..text.len() - 3]).unwrap();
    for fault in [source.read().err(), source.read_or_create().err(), source.add().err()] {
        assert!(matches!(fault, Some(KeyFault::Truncated)), "{fault:?}");
    }
    // A draft that a crash left behind is in nobody's way.
    fs::write(&path, &text).unwrap();
    fs::write(path.with_extension("key.new"), "half a k").unwrap();
    assert_eq!(source.add().unwrap().ids().len(), 2);
}

#[test]
fn many_who_add_a_key_at_once_add_one_each() {
    let (_folder, _, source) = file();
    std::thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                source.read_or_create().unwrap();
                source.add().unwrap();
            });
        }
    });
    assert_eq!(source.read().unwrap().ids().len(), 9);
}

#[test]
fn faults_quote_neither_keys_nor_secrets() {
    let (_folder, path, source) = file();
    source.read_or_create().unwrap();
    let key = fs::read_to_string(&path).unwrap();
    let mut lines = key.lines().filter(|line| !line.starts_with('#'));
    let key = lines.next().unwrap().split_once(':').unwrap().1.to_owned();
    let said = format!("{:?} {source}", source.read().unwrap());
    fs::write(&path, format!("0000000000000000:{key}\nend 1\n")).unwrap();
    let fault = source.read().err().unwrap();
    assert!(matches!(fault, KeyFault::WrongKey { .. }), "{fault:?}");
    fs::write(&path, format!("{key}{key}\nend 1\n")).unwrap();
    let malformed = source.read().err().unwrap();
    assert!(matches!(malformed, KeyFault::Malformed(1)), "{malformed:?}");
    for said in [said, format!("{fault} {fault:?}"), format!("{malformed} {malformed:?}")] {
        assert!(!said.contains(&key[..16]), "{said}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn what_is_sealed_opens_as_it_was(
        value in "[^\0]{1,300}",
        name in "[a-z]{1,20}",
        connection in proptest::option::of("[a-z]{1,20}"),
        version in 1_u64..,
    ) {
        let keys = keys();
        let about = About {
            purpose: Purpose::Credential,
            connection: connection.as_deref(),
            name: &name,
            version,
        };
        let value = match Secret::of_text(value) {
            Ok(value) => value,
            Err(fault) => {
                prop_assert!(matches!(fault, SecretFault::Empty));
                return Ok(());
            }
        };
        let sealed = keys.seal(keys.newest(), &about, &value).unwrap();
        let stored = sealed.to_text();
        prop_assert_eq!(&Sealed::parse(&stored).unwrap(), &sealed);
        prop_assert!(keys.open(&about, &sealed).unwrap().expose() == value.expose());
    }

    /// One flipped bit anywhere, and it does not open.
    #[test]
    fn no_flipped_bit_goes_unseen(at in 0_usize..148, bit in 0_u8..8) {
        let keys = keys();
        let sealed = keys.seal(keys.newest(), &about("one", 1), &secret("hunter2")).unwrap();
        let mut changed = bytes(&sealed);
        prop_assert_eq!(changed.len(), 148);
        changed[at] ^= 1 << bit;
        let fault = refused(&keys, &about("one", 1), &text(&changed));
        let named = match at {
            0 => matches!(fault, VaultFault::Format(_)),
            1..9 => matches!(fault, VaultFault::UnknownKey { .. }),
            9..17 => matches!(fault, VaultFault::Version { .. }),
            17..49 => matches!(fault, VaultFault::Swapped),
            49..53 => matches!(fault, VaultFault::Truncated { .. } | VaultFault::Trailing { .. }),
            _ => matches!(fault, VaultFault::Damaged),
        };
        prop_assert!(named, "byte {}: {}", at, fault);
    }
}
