//! What stands in place of a value. The same value gets the same, in every message under one key; as a
//! token ([`super::token`]) in those to one caller, where it is written in the same way.
//!
//! Whatever comes out is letters, digits and marks that need no escape in JSON, so that it can stand at
//! any depth of texts within texts.

use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

use super::{Class, settings::KEEP_FROM, settings::Operator, token};

/// Hexadecimal digits of a hash that are shown: 48 bits, enough to join on.
const HASH_DIGITS: usize = 12;
/// Longest name of a class in a label, in bytes.
const LABEL_MAX: usize = 64;

/// The key of hashes and tokens: 32 secret bytes, for one tenant.
pub struct MaskKey {
    tenant: [u8; 32],
    /// That of tokens, for one caller.
    scope: [u8; 32],
}

impl MaskKey {
    /// From bytes that nobody can guess.
    pub const fn new(bytes: [u8; 32]) -> Self {
        Self { tenant: bytes, scope: bytes }
    }

    /// The same for those who share `scope`, such as an identity and a connection: tokens are theirs, and
    /// hashes are everybody's as before.
    #[must_use]
    pub fn scoped(&self, scope: &[&str]) -> Self {
        let mut mac = self.of_tenant();
        mac.update(b"\0scope");
        for part in scope {
            mac.update(&(part.len() as u64).to_be_bytes());
            mac.update(part.as_bytes());
        }
        Self { tenant: self.tenant, scope: mac.finalize().into_bytes().into() }
    }

    pub(super) fn of_tenant(&self) -> Hmac<Sha256> {
        keyed(&self.tenant)
    }

    pub(super) fn of_scope(&self) -> Hmac<Sha256> {
        keyed(&self.scope)
    }

    /// Bytes that depend on the class and the value.
    fn hash(&self, class: &Class, value: &str) -> [u8; 32] {
        let mut mac = self.of_tenant();
        mac.update(class.name().as_bytes());
        mac.update(&[0, 0]);
        mac.update(value.as_bytes());
        mac.finalize().into_bytes().into()
    }
}

fn keyed(key: &[u8; 32]) -> Hmac<Sha256> {
    // To a whole block with zeros, as the standard has it (RFC 2104).
    let mut block = [0; 64];
    block.iter_mut().zip(key).for_each(|(to, from)| *to = *from);
    Hmac::<Sha256>::new(&block.into())
}

/// What stands in place of `value`.
pub(super) fn replacement(kind: Operator, key: &MaskKey, class: &Class, value: &str) -> String {
    match kind {
        Operator::Label => label(class, ""),
        Operator::Last(most) => last(value, usize::from(most)),
        Operator::Hash => {
            let bytes = key.hash(class, &canonical(class, value));
            let hex = bytes.iter().flat_map(|byte| [byte >> 4, byte & 15]).take(HASH_DIGITS);
            let hex: String = hex.filter_map(|digit| char::from_digit(digit.into(), 16)).collect();
            label(class, &format!(":{hex}"))
        }
        Operator::Token => token::issue(key, class, value, false),
        Operator::Drop => String::new(),
    }
}

/// `[class]`, with something more before the bracket closes.
pub(super) fn label(class: &Class, more: &str) -> String {
    let mut label = String::with_capacity(class.name().len() + more.len() + 2);
    put_label(class, more, &mut label);
    label
}

/// Puts [`label`] at the end of `label`.
pub(super) fn put_label(class: &Class, more: &str, label: &mut String) {
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '_' | '-');
    let name = class.name();
    label.push('[');
    if class.is_known() || name.len() <= LABEL_MAX && name.chars().all(plain) {
        label.push_str(name);
    } else {
        label.extend(name.chars().filter(|c| plain(*c)).take(LABEL_MAX));
    }
    label.push_str(more);
    label.push(']');
}

/// How long the label at the start of `text` is: `[pii.email]`, `[pii.email:0123456789ab]`,
/// `[pii.email#2]`.
pub(super) fn label_length(text: &str, is_class: impl Fn(&str) -> bool) -> Option<usize> {
    let inside = text.strip_prefix('[')?;
    let end = inside.bytes().take(LABEL_MAX + 24).position(|byte| byte == b']')?;
    let inside = inside.get(..end)?;
    let (name, more) = inside.split_at(inside.find([':', '#']).unwrap_or(inside.len()));
    let lower_hex = |byte: u8| matches!(byte, b'0'..=b'9' | b'a'..=b'f');
    let known = match more.split_at_checked(1) {
        None => true,
        Some((":", hash)) => hash.len() == HASH_DIGITS && hash.bytes().all(lower_hex),
        Some((_, number)) => number.len() <= 7 && number.bytes().all(|byte| byte.is_ascii_digit()),
    };
    (known && is_class(name)).then_some(end + 2)
}

fn last(value: &str, most: usize) -> String {
    let letters: Vec<char> = value.chars().filter(char::is_ascii_alphanumeric).collect();
    let most = if letters.len() < KEEP_FROM { 0 } else { most.min(letters.len() / 4) };
    let kept = letters.get(letters.len() - most..).unwrap_or_default();
    format!("****{}", kept.iter().collect::<String>())
}

/// `value` in one way of writing: numbers without separators, addresses in small letters.
fn canonical(class: &Class, value: &str) -> String {
    let separator = |c: char| matches!(c, ' ' | '-' | '.' | '/' | '(' | ')');
    if value.chars().all(|c| c.is_ascii_digit() || separator(c)) {
        value.chars().filter(|c| !separator(*c)).collect()
    } else if class.is_in("pii.email") {
        value.to_lowercase()
    } else {
        value.to_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::{Class, MaskKey, Operator, label_length, replacement};

    fn masked(kind: Operator, class: &str, value: &str) -> String {
        replacement(kind, &MaskKey::new([7; 32]), &Class::new(class), value)
    }

    #[test]
    fn operators_keep_what_they_say() {
        let card = "4111 1111 1111 1111";
        assert_eq!(masked(Operator::Label, "pci.card", card), "[pci.card]");
        assert_eq!(masked(Operator::Last(4), "pci.card", card), "****1111");
        assert_eq!(masked(Operator::Last(200), "pci.card", card), "****1111");
        assert_eq!(masked(Operator::Last(4), "secret.password", "hunter2"), "****");
        assert_eq!(masked(Operator::Drop, "pci.card", card), "");
        let token = masked(Operator::Token, "pci.card", card);
        assert_eq!(token.len(), card.len());
        assert!(
            token.bytes().zip(card.bytes()).all(|(a, b)| a.is_ascii_digit() == b.is_ascii_digit())
        );
        assert_ne!(token, card);
        let address = masked(Operator::Token, "pii.email", "Joe.Doe@Example.com");
        assert!(address.ends_with("@masked.invalid"), "{address}");
    }

    #[test]
    fn one_value_written_twice_is_one_value() {
        for (class, one, other) in [
            ("pci.card", "4111 1111 1111 1111", "4111-1111-1111-1111"),
            ("pii.email", "Joe@example.com", "joe@Example.com"),
        ] {
            let hash = masked(Operator::Hash, class, one);
            assert_eq!(hash, masked(Operator::Hash, class, other));
            assert_eq!(label_length(&hash, |name| name == class), Some(hash.len()), "{hash}");
        }
        let [a, b] = ["a@b.co", "a@c.co"].map(|value| masked(Operator::Hash, "pii.email", value));
        assert_ne!(a, b);
    }

    #[test]
    fn labels_are_known_and_nothing_else_is() {
        let length = |text| label_length(text, |name| name == "pii.email");
        for text in ["[pii.email]", "[pii.email#12]", "[pii.email:0123456789ab]"] {
            assert_eq!(length(text), Some(text.len()));
        }
        for text in
            ["[pii.email", "[pii.emai]", "[pii.email:hunter2]", "[pii.email#x]", "[hunter2]", ""]
        {
            assert_eq!(length(text), None, "{text}");
        }
    }
}
