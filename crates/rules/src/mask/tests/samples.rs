//! A value or more of every family of classes, with what stands around it.

/// A value and where it stands.
#[derive(Clone, Copy)]
pub(super) struct Sample {
    pub(super) class: &'static str,
    /// What names it; empty for a value that is known by itself.
    pub(super) key: &'static str,
    /// What stands around it in its text; `$` is its place.
    pub(super) around: &'static str,
    pub(super) value: &'static str,
}

const fn bare(class: &'static str, value: &'static str) -> Sample {
    Sample { class, key: "", around: "see $ there", value }
}

const fn keyed(class: &'static str, key: &'static str, value: &'static str) -> Sample {
    Sample { class, key, around: "$", value }
}

const fn within(class: &'static str, around: &'static str, value: &'static str) -> Sample {
    Sample { class, key: "", around, value }
}

pub(super) const SAMPLES: &[Sample] = &[
    bare("secret.aws", "AKIAQ3EGVPLM7XWK2SZT"),
    bare("secret.github", "ghp_x7Kq2Lm9Rt4Vb8Nc3Zd6Wf1Hy5Js0Pg2Qa4e"),
    bare("secret.slack", "xoxb-263594206564-2343594206574-FGqddMF8t08v8N7Oq4i57vs1"),
    bare(
        "secret.jwt",
        "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.dozjgNryP4J3jVmNHl0w5N_XgL0n3I9PlFUP0THsR8U",
    ),
    within("secret.authorization", "Authorization: Bearer $", "kT9vQ2xLr7Wm4Zp8Yb3Nc6"),
    within("secret.dsn", "at postgres://app:$@db.internal:5432/main", "Sw0rdf1shQz7"),
    keyed("secret.password", "password", "hunter22"),
    keyed("secret.password", "password", "tr0ub4dor & \"three\" \\ slash"),
    within("secret.password", "password=$", "Wint3rIsC0ming"),
    keyed("secret.token", "api_key", "q8Zr5Tn1Lw6Xc3Vb9Km2"),
    bare("pci.card", "4111 1111 1111 1111"),
    bare("pci.card", "5555555555554444"),
    bare("pci.card", "3782-822463-10005"),
    keyed("pci.cvv", "cvv", "737"),
    bare("pii.email", "jane.roe@globex.com"),
    bare("pii.phone", "+1 415 555 2671"),
    bare("pii.bank.iban", "GB82 WEST 1234 5698 7654 32"),
    bare("pii.national_id.br", "529.982.247-25"),
    keyed("pii.national_id", "ssn", "536-22-8716"),
    keyed("pii.name", "first_name", "Jürgen"),
    keyed("pii.address", "address", "12 Harbour Street"),
    keyed("pii.birth_date", "date_of_birth", "1979-05-23"),
    keyed("pii.passport", "passport_number", "C01X00T47"),
    bare("pii.crypto_address", "1A1zP1eP5QGefi2DMPTfTL5SLmv7DivfNa"),
    keyed("pii.ip", "ip_address", "203.0.113.77"),
    keyed("phi.condition", "diagnosis", "asthma bronchiale"),
];

impl Sample {
    /// Its text with `value` in its place.
    pub(super) fn text(&self, value: &str) -> String {
        self.around.replace('$', value)
    }

    /// A message whose text is `text`, which is what stands between the quotes.
    pub(super) fn message(&self, text: &str) -> String {
        let key = if self.key.is_empty() { "note" } else { self.key };
        format!(r#"{{"id":7,"row":{{"{key}":"{text}"}}}}"#)
    }
}
