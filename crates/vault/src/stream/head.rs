//! The head of a stream: read strictly, and the key that it and a passphrase lead to.

use aws_lc_rs::{constant_time::verify_slices_are_equal, rand::fill};
use scrypt::{Params, scrypt};
use zeroize::Zeroizing;

use super::StreamFault;
use crate::{
    Secret,
    cipher::{Cipher, KEY_BYTES},
};

/// Bytes of a head.
pub(super) const HEAD_BYTES: usize = CHECK_AT + CHECK_BYTES;
/// What is written: 2^17 steps, which take 128 MiB.
pub(super) const COST: u8 = 17;
/// What is read.
pub(super) const COST_MIN: u8 = 10;
pub(super) const COST_MAX: u8 = 20;

const MAGIC: &[u8; 16] = b"lockgate backup\n";
const FORMAT: u8 = 1;
const SALT_BYTES: usize = 16;
const CHECK_BYTES: usize = 32;
const FORMAT_AT: usize = MAGIC.len();
const COST_AT: usize = FORMAT_AT + 1;
const SALT_AT: usize = COST_AT + 1;
const CHECK_AT: usize = SALT_AT + SALT_BYTES;
/// Block size and parallelism of scrypt.
const R: u32 = 8;
const P: u32 = 1;

/// A head with the key of its stream.
pub(super) struct Keyed {
    pub(super) head: [u8; HEAD_BYTES],
    pub(super) cipher: Cipher,
}

/// Makes the head of a new stream.
pub(super) fn make(passphrase: &Secret, cost: u8) -> Result<Keyed, StreamFault> {
    let mut salt = [0; SALT_BYTES];
    fill(&mut salt).map_err(|_| StreamFault::Randomness)?;
    let (cipher, check) = derive(passphrase, &salt, cost)?;
    let says = [FORMAT, cost];
    let parts = MAGIC.iter().chain(&says).chain(&salt).chain(check.iter());
    let mut head = [0; HEAD_BYTES];
    head.iter_mut().zip(parts).for_each(|(to, from)| *to = *from);
    Ok(Keyed { head, cipher })
}

/// Reads the bytes at the beginning of a stream, which are fewer than a head where it ends there.
pub(super) fn read(bytes: &[u8], passphrase: &Secret) -> Result<Keyed, StreamFault> {
    let magic = bytes.get(..MAGIC.len()).unwrap_or(bytes);
    if magic.is_empty() || !MAGIC.starts_with(magic) {
        return Err(StreamFault::Foreign);
    }
    let head: [u8; HEAD_BYTES] =
        bytes.try_into().map_err(|_| StreamFault::Truncated { chunk: 0 })?;
    let [format, cost] = [FORMAT_AT, COST_AT].map(|at| head.get(at).copied().unwrap_or_default());
    if format != FORMAT {
        return Err(StreamFault::Format(format));
    }
    if !(COST_MIN..=COST_MAX).contains(&cost) {
        return Err(StreamFault::Cost(cost));
    }
    let (cipher, check) =
        derive(passphrase, head.get(SALT_AT..CHECK_AT).unwrap_or_default(), cost)?;
    let same = verify_slices_are_equal(head.get(CHECK_AT..).unwrap_or_default(), check.as_ref());
    same.map_err(|_| StreamFault::Passphrase)?;
    Ok(Keyed { head, cipher })
}

fn derive(
    passphrase: &Secret,
    salt: &[u8],
    cost: u8,
) -> Result<(Cipher, Zeroizing<[u8; CHECK_BYTES]>), StreamFault> {
    let params = Params::new(cost, R, P).map_err(|_| StreamFault::Cost(cost))?;
    let mut made = Zeroizing::new([0; KEY_BYTES + CHECK_BYTES]);
    let derived = scrypt(passphrase.expose().as_bytes(), salt, &params, made.as_mut());
    derived.map_err(|_| StreamFault::Cost(cost))?;
    let (mut key, mut check) = (Zeroizing::new([0; KEY_BYTES]), Zeroizing::new([0; CHECK_BYTES]));
    key.iter_mut().chain(check.iter_mut()).zip(made.iter()).for_each(|(to, from)| *to = *from);
    let cipher = Cipher::new(&key).map_err(|_| StreamFault::Randomness)?;
    Ok((cipher, check))
}
