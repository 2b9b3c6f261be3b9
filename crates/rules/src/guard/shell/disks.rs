//! Programs that write to disks, file systems and partitions.

use super::{
    programs::operands,
    target::{Area, area},
    unwrap::Call,
};
use crate::guard::{desk::Desk, fact::shown};

/// What a program would do: a label, and words for it.
type Finding = Option<(&'static str, String)>;

/// Options with which partition editors only look.
const LOOKS: [&str; 8] = ["-l", "--list", "print", "-p", "--print", "-d", "--dump", "-s"];
/// Options with which they change what is there.
const PARTITIONS: [&str; 9] =
    ["mklabel", "rm", "mkpart", "-Z", "--zap-all", "-z", "-o", "--delete", "--wipe"];
/// Commands of cryptsetup after which nothing can be read.
const CRYPTSETUP: [&str; 6] =
    ["luksFormat", "erase", "luksErase", "luksKillSlot", "luksRemoveKey", "reencrypt"];

/// Reads one program.
pub(super) fn read(desk: &mut Desk<'_>, call: &Call<'_>) {
    let tries = has(call, &["--help", "--version", "-n", "--no-act", "--dry-run"]);
    let found = match call.name {
        "dd" => dd(call),
        // It has no way to only try.
        "shred" => shred(call),
        _ if tries => None,
        "wipe" => shred(call),
        "swapoff" => {
            Some(("shell.exhaust", "this would take memory away from the machine".to_owned()))
        }
        "umount" | "mount" => mounts(call),
        _ => erases(call).then(|| erased(call)),
    };
    if let Some((label, note)) = found {
        desk.fact(label, call.command.span(), note);
    }
}

fn has(call: &Call<'_>, names: &[&str]) -> bool {
    call.args.iter().any(|word| names.contains(&word.text.as_str()))
}

fn erased(call: &Call<'_>) -> (&'static str, String) {
    ("shell.device.write", format!("this would erase, format or partition a disk: {}", call.name))
}

/// Whether a device is named as what is written.
fn names_device(call: &Call<'_>) -> bool {
    call.args.iter().any(|word| {
        area(word.text.strip_prefix("of=").unwrap_or(&word.text), false) == Area::Device
            && !word.text.starts_with("if=")
    })
}

fn dd(call: &Call<'_>) -> Finding {
    let target = call.args.iter().find_map(|word| word.text.strip_prefix("of="))?;
    match area(target, false) {
        Area::System if !target.starts_with("/tmp") => {
            Some(("shell.overwrite", format!("this would overwrite {}", shown(target))))
        }
        area if area == Area::Unknown || target.starts_with('$') => {
            Some(("shell.device.write", "this would overwrite what is not known before".to_owned()))
        }
        Area::Device => Some(erased(call)),
        _ => None,
    }
}

fn shred(call: &Call<'_>) -> Finding {
    let for_good = "this would make files unreadable for good".to_owned();
    let mut files =
        operands(call).filter(|word| !word.text.bytes().all(|byte| byte.is_ascii_digit()));
    let scratch = files.all(|word| area(&word.text, word.glob) == Area::Scratch);
    let device = names_device(call);
    if call.each || !scratch && !device {
        Some(("shell.overwrite", for_good))
    } else {
        device.then(|| erased(call))
    }
}

fn mounts(call: &Call<'_>) -> Finding {
    let roots = ["/", "/home", "/var", "/boot"];
    let note = match call.name {
        "umount"
            if has(call, &["-a", "-l", "-f", "-lf"])
                || operands(call).any(|word| roots.contains(&word.text.as_str())) =>
        {
            "this would take file systems away by force"
        }
        "mount" if call.args.iter().any(|word| word.text.contains("remount,ro")) => {
            "this would make a file system read-only"
        }
        _ => return None,
    };
    Some(("shell.service", note.to_owned()))
}

fn erases(call: &Call<'_>) -> bool {
    let has = |names: &[&str]| has(call, names);
    match call.name {
        "fdisk" | "sfdisk" | "gdisk" | "sgdisk" | "parted" | "cfdisk" => {
            !has(&LOOKS) && names_device(call) || has(&PARTITIONS)
        }
        "wipefs" => has(&["-a", "--all", "-af", "-fa", "-o", "--force"]),
        "blkdiscard" | "pvremove" | "vgremove" | "lvremove" | "lvreduce" | "mke2fs" | "newfs"
        | "mkswap" => true,
        "hdparm" => call.args.iter().any(|word| {
            word.text.starts_with("--security-erase") || word.text.starts_with("--trim")
        }),
        "nvme" => has(&["format", "sanitize"]),
        "badblocks" => has(&["-w", "-wsv", "-wvs"]),
        "cryptsetup" => has(&CRYPTSETUP),
        "mdadm" => has(&["--zero-superblock", "--stop", "--fail", "--remove", "-S"]),
        "zpool" | "zfs" => has(&["destroy", "labelclear", "rollback"]),
        "btrfs" => has(&["delete"]),
        "diskutil" => call.args.iter().any(|word| {
            let verb = word.text.to_ascii_lowercase();
            verb.contains("erase")
                || matches!(verb.as_str(), "partitiondisk" | "zerodisk" | "deletevolume")
        }),
        "debugfs" => has(&["-w"]),
        "dmsetup" => has(&["remove", "remove_all", "wipe_table"]),
        "format" => call.args.iter().any(|word| word.text.ends_with(':')),
        _ => false,
    }
}
