//! SHA-256, in the one form in which this crate names things by it. Knows nothing of what it digests.

use aws_lc_rs::digest::{SHA256, digest};
use lockgate_model::Digest;

/// SHA-256 of `bytes` (FIPS 180-4).
pub(crate) fn sha256(bytes: &[u8]) -> Digest {
    let mut out = [0; 32];
    out.copy_from_slice(digest(&SHA256, bytes).as_ref());
    Digest::from_bytes(out)
}
