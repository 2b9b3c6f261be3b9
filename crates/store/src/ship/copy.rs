//! One file to the store and back, in pieces, hashed on the way. A copy counts once it was read back
//! and found equal.

use std::path::Path;

use lockgate_model::Digest;
use object_store::{
    ObjectStore, ObjectStoreExt as _, PutPayload, WriteMultipart, path::Path as ObjectPath,
};
use sha2::{Digest as _, Sha256};
use tokio::{
    fs::File,
    io::{AsyncReadExt as _, AsyncWriteExt as _},
};

use super::{ManifestFile, ShipFault};

/// Files are moved in pieces of this size; a smaller one in one request. In bytes.
const PIECE_BYTES: usize = 8 * 1024 * 1024;

/// Pieces that are under way at once.
const PIECES_MAX: usize = 2;

/// Copies the file to `object` and reads it back.
pub(super) async fn upload(
    store: &dyn ObjectStore,
    file: &Path,
    object: &ObjectPath,
) -> Result<ManifestFile, ShipFault> {
    let name = file.file_name().unwrap_or_default().to_string_lossy().into_owned();
    let (bytes, sha256) = send(store, file, object).await?;
    let sent = ManifestFile { name, bytes, sha256 };
    check(store, object, &sent, None).await?;
    Ok(sent)
}

async fn send(
    store: &dyn ObjectStore,
    path: &Path,
    object: &ObjectPath,
) -> Result<(u64, Digest), ShipFault> {
    let mut file = File::open(path).await.map_err(ShipFault::io("open", path))?;
    let mut hasher = Sha256::new();
    let mut piece = read_piece(&mut file, path).await?;
    hasher.update(&piece);
    if piece.len() < PIECE_BYTES {
        let bytes = piece.len() as u64;
        let put = store.put(object, PutPayload::from(piece)).await;
        put.map_err(ShipFault::store("write", object))?;
        return Ok((bytes, digest(hasher)));
    }
    let upload = store.put_multipart(object).await.map_err(ShipFault::store("write", object))?;
    let mut upload = WriteMultipart::new_with_chunk_size(upload, PIECE_BYTES);
    let mut bytes = 0;
    let sent = loop {
        if piece.is_empty() {
            break Ok(());
        }
        bytes += piece.len() as u64;
        if let Err(fault) = upload.wait_for_capacity(PIECES_MAX).await {
            break Err(ShipFault::store("write", object)(fault));
        }
        upload.put(piece.into());
        match read_piece(&mut file, path).await {
            Ok(next) => piece = next,
            Err(fault) => break Err(fault),
        }
        hasher.update(&piece);
    };
    if let Err(fault) = sent {
        // The pieces are of no use; where this fails too, the bucket's rule removes them.
        let _ = upload.abort().await;
        return Err(fault);
    }
    upload.finish().await.map_err(ShipFault::store("write", object))?;
    Ok((bytes, digest(hasher)))
}

/// A whole piece, or what is left of the file.
async fn read_piece(file: &mut File, path: &Path) -> Result<Vec<u8>, ShipFault> {
    let mut piece = Vec::new();
    let mut part = file.take(PIECE_BYTES as u64);
    part.read_to_end(&mut piece).await.map_err(ShipFault::io("read", path))?;
    Ok(piece)
}

/// Reads `object`, and compares it with what it must be; also writes it to `copy`, where there is
/// one.
pub(super) async fn check(
    store: &dyn ObjectStore,
    object: &ObjectPath,
    expected: &ManifestFile,
    copy: Option<&Path>,
) -> Result<(), ShipFault> {
    let differs = |why| ShipFault::Differs { object: object.to_string(), why };
    let head = store.head(object).await.map_err(ShipFault::store("read", object))?;
    if head.size != expected.bytes {
        return Err(differs("its size is another"));
    }
    let mut file = match copy {
        Some(path) => {
            Some((File::create(path).await.map_err(ShipFault::io("create", path))?, path))
        }
        None => None,
    };
    let mut hasher = Sha256::new();
    let mut at = 0;
    while at < expected.bytes {
        let end = expected.bytes.min(at + PIECE_BYTES as u64);
        let piece = store.get_range(object, at..end).await;
        let piece = piece.map_err(ShipFault::store("read", object))?;
        if piece.len() as u64 != end - at {
            return Err(differs("it is shorter"));
        }
        hasher.update(&piece);
        if let Some((file, path)) = &mut file {
            file.write_all(&piece).await.map_err(ShipFault::io("write", *path))?;
        }
        at = end;
    }
    if let Some((file, path)) = &mut file {
        file.flush().await.map_err(ShipFault::io("write", *path))?;
    }
    if digest(hasher) == expected.sha256 { Ok(()) } else { Err(differs("its content is another")) }
}

fn digest(hasher: Sha256) -> Digest {
    Digest::from_bytes(hasher.finalize().into())
}
