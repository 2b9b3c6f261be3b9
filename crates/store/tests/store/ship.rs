//! Shipping to a folder, and back: what was copied is what was written, or it is refused.

use std::{
    fs,
    path::{Path, PathBuf},
};

use lockgate_model::Timestamp;
use lockgate_store::{
    journal::{JournalFault, Keys, Record, read},
    retain::RetentionRule,
    ship::{Manifest, ShipFault, ShipSettings, ShipTarget, Shipper, local_segments},
};
use sha2::{Digest as _, Sha256};
use tempfile::TempDir;

use crate::support::{append, keys, open_small, segments, wait_packed};

struct Bed {
    folder: TempDir,
    settings: ShipSettings,
}

impl Bed {
    /// A journal of several closed segments.
    async fn new() -> Self {
        let folder = TempDir::new().unwrap();
        let journal = open_small(&folder.path().join("journal"));
        for number in 0..60 {
            let position = append(&journal, &format!("text {number}")).unwrap();
            // Segments change with a sync.
            journal.synced(position).await.unwrap();
        }
        wait_packed(&folder.path().join("journal"));
        let copies = folder.path().join("copies");
        fs::create_dir(&copies).unwrap();
        let settings = ShipSettings {
            to: ShipTarget::Folder(copies),
            prefix: "node-1".into(),
            keep_local: RetentionRule::default(),
            cache_max_bytes: 1 << 20,
        };
        Self { folder, settings }
    }

    fn journal(&self) -> PathBuf {
        self.folder.path().join("journal")
    }

    async fn open(&self) -> Result<Shipper, ShipFault> {
        let shipping = self.folder.path().join("shipping");
        Shipper::open(&self.settings, None, &self.journal(), &shipping).await
    }

    fn forget_note(&self) {
        fs::remove_file(self.folder.path().join("shipping/shipped.jsonl")).unwrap();
    }

    /// The one object file of a segment.
    fn object(&self, first_seq: u64) -> PathBuf {
        self.folder.path().join(format!("copies/node-1/{first_seq:020}/{first_seq:020}.segment"))
    }

    fn manifest(&self, first_seq: u64) -> PathBuf {
        self.object(first_seq).with_file_name("manifest.json")
    }

    fn cached(&self) -> usize {
        fs::read_dir(self.folder.path().join("shipping/cache")).unwrap().count()
    }
}

/// How the binary finds a record.
fn records(journal: &Path) -> impl FnMut(u64) -> Result<Option<Record>, JournalFault> {
    let journal = journal.to_owned();
    move |seq| {
        read(&journal, &keys(&journal))?
            .find(|r| r.as_ref().map_or(true, |r| r.seq == seq))
            .transpose()
    }
}

fn lines(folder: &Path, keys: &Keys) -> Vec<String> {
    read(folder, keys).unwrap().map(|record| record.unwrap().line()).collect()
}

async fn shipped(bed: &Bed) -> (Shipper, Vec<Manifest>) {
    let shipper = bed.open().await.unwrap();
    shipper.ship(&mut records(&bed.journal())).await.unwrap();
    let manifests = shipper.shipped();
    (shipper, manifests)
}

#[tokio::test]
async fn every_closed_segment_is_copied_once_with_its_manifest() {
    let bed = Bed::new().await;
    let (shipper, manifests) = shipped(&bed).await;
    let closed = local_segments(&bed.journal()).unwrap();
    assert!(closed.len() > 3, "{closed:?}");
    assert_eq!(manifests.len(), closed.len());
    let all: Vec<_> =
        read(&bed.journal(), &keys(&bed.journal())).unwrap().map(Result::unwrap).collect();
    for (manifest, segment) in manifests.iter().zip(&closed) {
        assert_eq!((manifest.first_seq, manifest.last_seq), (segment.first_seq, segment.last_seq));
        let last = all.iter().find(|record| record.seq == manifest.last_seq).unwrap();
        assert_eq!((manifest.last_hash, manifest.last_time), (last.hash, last.time));
        let content = fs::read(bed.object(manifest.first_seq)).unwrap();
        assert_eq!(content, fs::read(&segment.files[0]).unwrap());
        assert_eq!(manifest.files[0].sha256.as_bytes()[..], Sha256::digest(&content)[..]);
        assert_eq!(manifest.bytes(), content.len() as u64);
        let written: Manifest =
            serde_json::from_slice(&fs::read(bed.manifest(manifest.first_seq)).unwrap()).unwrap();
        assert_eq!(written, *manifest);
    }
    assert_eq!(shipper.state().borrow().shipped_seq, closed.last().unwrap().last_seq);
    assert_eq!(shipper.ship(&mut records(&bed.journal())).await.unwrap(), 0);
    drop(shipper);
    let again = bed.open().await.unwrap();
    assert_eq!(again.ship(&mut records(&bed.journal())).await.unwrap(), 0, "it is noted durably");
    bed.forget_note();
    let again = bed.open().await.unwrap();
    assert_eq!(again.shipped(), manifests, "the store knows it too");
}

#[tokio::test]
async fn a_segment_that_is_gone_from_here_comes_back_as_it_was() {
    let mut bed = Bed::new().await;
    let before = lines(&bed.journal(), &keys(&bed.journal()));
    bed.settings.keep_local.max_bytes = Some(0);
    let shipper = bed.open().await.unwrap();
    let now = Timestamp::from_millis(0);
    assert_eq!(shipper.remove_local(now).unwrap(), 0, "nothing goes that was not shipped");
    assert_eq!(lines(&bed.journal(), &keys(&bed.journal())), before);
    shipper.ship(&mut records(&bed.journal())).await.unwrap();
    let manifests = shipper.shipped();
    assert_eq!(shipper.remove_local(now).unwrap(), manifests.len());
    assert_eq!(local_segments(&bed.journal()).unwrap(), []);
    assert_eq!(segments(&bed.journal()).len(), 1, "the open segment stays");
    // It holds nothing where the last record filled the one before it.
    let left = lines(&bed.journal(), &keys(&bed.journal()));
    let mut came = Vec::new();
    for manifest in &manifests {
        let (first, last) = (manifest.first_seq, manifest.last_seq);
        let folder = shipper.fetch(last).await.unwrap();
        assert_eq!(shipper.fetch(first).await.unwrap(), folder);
        came.extend(lines(&folder, &keys(&bed.journal())));
    }
    came.extend(left);
    assert_eq!(came, before);
    let end = manifests.last().unwrap().last_seq;
    assert!(matches!(shipper.fetch(end + 1).await, Err(ShipFault::Unknown(_))));
    assert!(matches!(shipper.fetch(0).await, Err(ShipFault::Unknown(0))));
}

#[tokio::test]
async fn only_what_is_old_enough_goes_from_here() {
    let mut bed = Bed::new().await;
    let written = 1_700_000_000_000;
    bed.settings.keep_local.max_age_ms = Some(1_000);
    let (shipper, manifests) = shipped(&bed).await;
    assert_eq!(shipper.remove_local(Timestamp::from_millis(written + 1_000)).unwrap(), 0);
    let later = Timestamp::from_millis(written + 1_001);
    assert_eq!(shipper.remove_local(later).unwrap(), manifests.len());
}

#[tokio::test]
async fn l7_l8_a_copy_that_is_not_what_was_shipped_is_refused() {
    for (how, why) in [
        ("flipped", "its content is another"),
        ("cut", "its size is another"),
        ("longer", "its size is another"),
        ("empty", "its size is another"),
    ] {
        let bed = Bed::new().await;
        let (shipper, manifests) = shipped(&bed).await;
        let (seq, object) = (manifests[1].first_seq, bed.object(manifests[1].first_seq));
        let good = fs::read(&object).unwrap();
        let mut bytes = good.clone();
        match how {
            "flipped" => bytes[40] ^= 1,
            "cut" => bytes.truncate(bytes.len() - 1),
            "longer" => bytes.push(b'\n'),
            _ => bytes.clear(),
        }
        fs::write(&object, bytes).unwrap();
        let fault = shipper.fetch(seq).await.unwrap_err();
        assert!(fault.to_string().ends_with(why), "{fault}");
        assert!(fault.to_string().contains(&format!("{seq:020}.segment")), "{fault}");
        // What came so far is not taken for the segment later.
        assert!(shipper.fetch(seq).await.is_err());
        fs::write(&object, good).unwrap();
        let folder = shipper.fetch(seq).await.unwrap();
        assert_eq!(fs::read_dir(folder).unwrap().count(), 1);
    }
}

#[tokio::test]
async fn l8_hostile_manifests_are_refused() {
    let digest = "0".repeat(64);
    let manifest = |name: &str, last: u64| {
        format!(
            r#"{{"first_seq":1,"last_seq":{last},"first_time":0,"last_time":0,"last_hash":"{digest}","files":[{{"name":"{name}","bytes":18446744073709551615,"sha256":"{digest}"}}]}}"#
        )
    };
    let good = "00000000000000000001.jsonl";
    for (text, expected) in [
        (manifest("../../escaped", 5), "does not belong"),
        (manifest("00000000000000000001./x", 5), "does not belong"),
        (manifest("00000000000000000002.jsonl", 5), "does not belong"),
        (manifest(good, 0), "ends before"),
        (
            manifest(good, 5).replace("\"last_seq\":5", "\"last_seq\":18446744073709551616"),
            "expected u64",
        ),
        (manifest(good, 5).replace("}]}", "}],\"more\":1}"), "unknown field"),
        ("[".repeat(500), "sequence"),
        (" ".repeat(2 << 20), "size is not"),
        (String::new(), "size is not"),
    ] {
        let bed = Bed::new().await;
        shipped(&bed).await;
        bed.forget_note();
        fs::write(bed.manifest(1), &text).unwrap();
        let fault = bed.open().await.err().unwrap().to_string();
        assert!(fault.contains(expected), "{fault}");
    }
    // A sound manifest of an absurd size fills no disk.
    let bed = Bed::new().await;
    shipped(&bed).await;
    bed.forget_note();
    fs::write(bed.manifest(1), manifest(good, 5)).unwrap();
    let fault = bed.open().await.unwrap().fetch(1).await.unwrap_err();
    assert!(matches!(fault, ShipFault::TooLarge { .. }), "{fault}");
}

#[tokio::test]
async fn copies_without_a_manifest_are_no_segment_and_are_shipped_again() {
    let bed = Bed::new().await;
    let (_, manifests) = shipped(&bed).await;
    let seq = manifests[2].first_seq;
    // As a process leaves it that dies before its last step.
    fs::remove_file(bed.manifest(seq)).unwrap();
    fs::write(bed.object(seq), b"half").unwrap();
    bed.forget_note();
    let shipper = bed.open().await.unwrap();
    assert!(matches!(shipper.fetch(seq).await, Err(ShipFault::Unknown(_))));
    assert_eq!(shipper.ship(&mut records(&bed.journal())).await.unwrap(), 1);
    assert_eq!(shipper.shipped(), manifests);
    assert!(shipper.fetch(seq).await.is_ok());
}

#[tokio::test]
async fn the_cache_keeps_to_its_bound_and_drops_what_was_unused_longest() {
    let mut bed = Bed::new().await;
    let (_, manifests) = shipped(&bed).await;
    let most = manifests.iter().map(Manifest::bytes).max().unwrap();
    bed.settings.cache_max_bytes = 2 * most;
    let shipper = bed.open().await.unwrap();
    let [a, b, c] = [0, 1, 2].map(|n| manifests[n].first_seq);
    let folder = shipper.fetch(a).await.unwrap();
    let other = shipper.fetch(b).await.unwrap();
    std::thread::sleep(std::time::Duration::from_millis(20));
    assert_eq!(shipper.fetch(a).await.unwrap(), folder);
    shipper.fetch(c).await.unwrap();
    assert_eq!(bed.cached(), 2);
    assert!(folder.exists() && !other.exists());
    // What a killed process was bringing is removed.
    fs::create_dir(folder.with_extension("part")).unwrap();
    drop(shipper);
    bed.open().await.unwrap();
    assert_eq!(bed.cached(), 2);
}

#[tokio::test]
async fn retention_removes_copies_whole_and_for_good() {
    let bed = Bed::new().await;
    let (shipper, manifests) = shipped(&bed).await;
    let through = manifests[1].last_seq;
    assert_eq!(shipper.forget(through).await.unwrap(), 2);
    assert_eq!(shipper.forget(through).await.unwrap(), 0);
    assert_eq!(shipper.shipped(), &manifests[2..]);
    assert!(!bed.object(manifests[0].first_seq).exists());
    assert!(!bed.manifest(manifests[1].first_seq).exists());
    bed.forget_note();
    assert_eq!(bed.open().await.unwrap().shipped(), &manifests[2..]);
}
