//! The signature algorithms there are, as JOSE names them. No `none`, nothing with a shared secret:
//! what is not listed can't be configured.

use aws_lc_rs::signature::{
    self as lc, EcdsaVerificationAlgorithm, EdDSAParameters, RsaParameters,
};
use serde::{Deserialize, Serialize};

/// A signature algorithm for tokens (RFC 7518 §3.1, RFC 8037 §3.1).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(feature = "schema", derive(schemars::JsonSchema))]
pub enum Algorithm {
    /// RSASSA-PKCS1-v1_5 with SHA-256.
    RS256,
    /// RSASSA-PKCS1-v1_5 with SHA-384.
    RS384,
    /// RSASSA-PKCS1-v1_5 with SHA-512.
    RS512,
    /// RSASSA-PSS with SHA-256.
    PS256,
    /// RSASSA-PSS with SHA-384.
    PS384,
    /// RSASSA-PSS with SHA-512.
    PS512,
    /// ECDSA on P-256 with SHA-256.
    ES256,
    /// ECDSA on P-384 with SHA-384.
    ES384,
    /// Ed25519; Ed448 is not supported.
    EdDSA,
}

/// The check behind an algorithm, by the kind of key that it takes.
#[derive(Clone, Copy)]
pub(crate) enum Check {
    Rsa(&'static RsaParameters),
    Ec(&'static EcdsaVerificationAlgorithm),
    Ed(&'static EdDSAParameters),
}

impl Algorithm {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::RS256,
        Self::RS384,
        Self::RS512,
        Self::PS256,
        Self::PS384,
        Self::PS512,
        Self::ES256,
        Self::ES384,
        Self::EdDSA,
    ];

    /// As written in a token's `alg`.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::RS256 => "RS256",
            Self::RS384 => "RS384",
            Self::RS512 => "RS512",
            Self::PS256 => "PS256",
            Self::PS384 => "PS384",
            Self::PS512 => "PS512",
            Self::ES256 => "ES256",
            Self::ES384 => "ES384",
            Self::EdDSA => "EdDSA",
        }
    }

    /// The algorithm with this exact name.
    pub fn parse(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|algorithm| algorithm.as_str() == name)
    }

    pub(crate) fn check(self) -> Check {
        match self {
            Self::RS256 => Check::Rsa(&lc::RSA_PKCS1_2048_8192_SHA256),
            Self::RS384 => Check::Rsa(&lc::RSA_PKCS1_2048_8192_SHA384),
            Self::RS512 => Check::Rsa(&lc::RSA_PKCS1_2048_8192_SHA512),
            Self::PS256 => Check::Rsa(&lc::RSA_PSS_2048_8192_SHA256),
            Self::PS384 => Check::Rsa(&lc::RSA_PSS_2048_8192_SHA384),
            Self::PS512 => Check::Rsa(&lc::RSA_PSS_2048_8192_SHA512),
            Self::ES256 => Check::Ec(&lc::ECDSA_P256_SHA256_FIXED),
            Self::ES384 => Check::Ec(&lc::ECDSA_P384_SHA384_FIXED),
            Self::EdDSA => Check::Ed(&lc::ED25519),
        }
    }
}
