//! Every class that the built-in detectors give, with its meaning: the reference, and the source of
//! `docs/classes.md`.
//!
//! Classes are stable: they stand in records and in people's policies. A new one may be added below an
//! old one; none is ever renamed.

/// A class of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Known {
    /// Its name. A class below another one is a special case of it. One that ends with `.*` stands for
    /// those of every issuer or country.
    pub name: &'static str,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

const fn known(name: &'static str, meaning: &'static str) -> Known {
    Known { name, meaning }
}

/// All classes, sorted by family.
pub const CLASSES: &[Known] = &[
    known("secret", "Whoever has it may do something."),
    known("secret.password", "A password, passphrase or recovery code, or the hash of one."),
    known("secret.token", "A token or key whose issuer is not known."),
    known("secret.authorization", "What an Authorization header holds: Basic or Bearer."),
    known("secret.dsn", "The password in a URL or connection string; the rest of it stays."),
    known("secret.jwt", "A JSON Web Token."),
    known("secret.private_key", "A private key: PEM, also cut short, or of a crypto-currency."),
    known("secret.*", "A credential of one issuer: `secret.aws`, `secret.github`, `secret.slack`."),
    known("pci", "What is on a payment card."),
    known("pci.card", "The number of a payment card."),
    known("pci.cvv", "The security code of a payment card."),
    known("pci.pin", "A PIN."),
    known("pci.expiry", "The month until which a card is valid."),
    known("pii", "Who somebody is."),
    known("pii.name", "A person's name."),
    known("pii.email", "A mail address."),
    known("pii.phone", "A telephone number."),
    known("pii.address", "A street, with or without a town."),
    known("pii.postal_code", "A postal code."),
    known("pii.location", "Degrees of latitude and longitude."),
    known("pii.birth_date", "The day on which somebody was born."),
    known("pii.username", "The name under which somebody logs in."),
    known("pii.national_id", "An identity number of a country that is not known."),
    known("pii.national_id.*", "The identity number of one country: `pii.national_id.br`."),
    known("pii.tax", "A tax number of a country that is not known."),
    known("pii.tax.*", "The tax number of one country: `pii.tax.de`."),
    known("pii.passport", "The number of a passport."),
    known("pii.driver_license", "The number of a driving licence."),
    known("pii.vehicle", "A number plate, or the number of a vehicle."),
    known("pii.bank.account", "The number of a bank account, or of a bank with it."),
    known("pii.bank.iban", "An international bank account number."),
    known("pii.bank.routing", "The number of a bank."),
    known("pii.crypto_address", "An address of a crypto-currency."),
    known("pii.device", "The number of a telephone or of its card."),
    known("pii.ip", "An IP address."),
    known("pii.mac", "The hardware address of a network card."),
    known("pii.attribute", "Religion, origin and what else the law protects, under such a name."),
    known("pii.salary", "What somebody earns."),
    known("phi", "Somebody's health."),
    known("phi.health_id", "A number of a health service or insurance that is not known."),
    known("phi.health_id.*", "The same of one country: `phi.health_id.uk`."),
    known("phi.record", "The number of a patient's record."),
    known("phi.condition", "A diagnosis, medication or result, under such a name."),
];

/// Whether a built-in detector may give this class, or one below it.
pub fn is_known(class: &str) -> bool {
    CLASSES.iter().any(|known| match known.name.strip_suffix(".*") {
        Some(above) => {
            class.strip_prefix(above).is_some_and(|rest| rest.starts_with('.') && rest.len() > 1)
        }
        None => known.name == class,
    })
}

/// The reference as a page.
pub fn page() -> String {
    let mut page = String::from(
        "# Data classes\n\nWhat masking finds. A class stands for all below it: `pii` for every `pii.…`. \
         Made from `crates/rules/src/mask/detect/classes.rs`.\n\n| class | meaning |\n|---|---|\n",
    );
    for known in CLASSES {
        page += &format!("| `{}` | {} |\n", known.name, known.meaning);
    }
    page
}

#[cfg(test)]
mod tests {
    use super::{is_known, page};

    #[test]
    fn the_page_is_made_from_the_reference() {
        let page = page();
        let kept = include_str!("../../../../../docs/classes.md");
        assert_eq!(kept, page, "docs/classes.md is to be:\n{page}");
    }

    #[test]
    fn issuers_and_countries_are_known_by_what_stands_above() {
        for (class, known) in [
            ("secret.github", true),
            ("pii.tax.de", true),
            ("pii.email", true),
            ("pii.shoe_size", false),
            ("other", false),
        ] {
            assert_eq!(is_known(class), known, "{class}");
        }
    }
}
