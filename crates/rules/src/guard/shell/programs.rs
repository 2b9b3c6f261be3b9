//! Programs that delete, overwrite or open files.

use super::{
    disks,
    target::{Area, area},
    unwrap::Call,
    word::{Direction, Word},
};
use crate::guard::{
    desk::{Desk, Reader},
    fact::shown,
};

/// Reads one program.
pub(super) fn read(desk: &mut Desk<'_>, call: &Call<'_>) {
    match call.name {
        "rm" | "unlink" | "srm" | "trash" | "del" => remove(desk, call),
        "rmdir" => desk.fact("shell.delete", call.command.span(), "an empty folder is removed"),
        "find" | "gfind" | "fd" | "fdfind" => find(desk, call),
        "chmod" | "chown" | "chgrp" | "setfacl" | "chattr" => permissions(desk, call),
        "mv" | "cp" | "install" | "ln" | "gcp" => moves(desk, call),
        "truncate" => truncates(desk, call),
        "tee" | "sponge" => tee(desk, call),
        "dd" | "shred" | "wipe" | "wipefs" | "blkdiscard" | "fdisk" | "sfdisk" | "cfdisk"
        | "gdisk" | "sgdisk" | "parted" | "hdparm" | "nvme" | "badblocks" | "cryptsetup"
        | "mdadm" | "lvremove" | "vgremove" | "pvremove" | "zpool" | "zfs" | "diskutil"
        | "swapoff" | "fsfreeze" | "mke2fs" | "tune2fs" | "debugfs" | "umount" | "mkswap"
        | "format" | "newfs" | "btrfs" | "lvreduce" | "dmsetup" | "mount" => {
            disks::read(desk, call);
        }
        name if name.starts_with("mkfs")
            && !call.args.iter().any(|word| matches!(word.text.as_str(), "-N" | "--help")) =>
        {
            desk.fact("shell.device.write", call.command.span(), "this would format a disk");
        }
        "rsync" | "rclone" | "tar" => copies(desk, call),
        "sed" | "perl" | "gsed" if flag(call, "i", &["--in-place"]) => edits(desk, call),
        _ => {}
    }
}

/// Options of rsync that delete.
const RSYNC_DELETES: [&str; 6] = [
    "--delete",
    "--delete-after",
    "--delete-before",
    "--delete-excluded",
    "--delete-during",
    "--remove-source-files",
];
/// Commands of rclone that delete.
const RCLONE_DELETES: [&str; 7] =
    ["purge", "delete", "sync", "deletefile", "cleanup", "move", "rmdirs"];

/// Copies and archives that delete or write over something.
fn copies(desk: &mut Desk<'_>, call: &Call<'_>) {
    let dry = flag(call, "n", &["--dry-run"]);
    let first = call.args.first().map(|word| word.text.as_str()).unwrap_or_default();
    let to_root = |pair: &[Word]| matches!(pair, [flag, to] if flag.text == "-C" && to.text == "/");
    let found = match call.name {
        "rsync" if flag(call, "", &RSYNC_DELETES) && !dry => {
            ("shell.delete.recursive", "this would delete what is not in the source of the copy")
        }
        "rclone" if RCLONE_DELETES.contains(&first) && !dry => {
            ("cloud.delete", "this would delete files in a remote store")
        }
        "tar" if flag(call, "x", &["--extract"]) && call.args.windows(2).any(to_root) => {
            ("shell.overwrite", "this would write over files of the system")
        }
        "tar" if flag(call, "", &["--remove-files"]) => {
            ("shell.delete.recursive", "this would delete what it has packed")
        }
        _ => return,
    };
    desk.fact(found.0, call.command.span(), found.1);
}

/// Whether a short flag of these letters, alone or in a cluster, or one of these long ones is given.
pub(super) fn flag(call: &Call<'_>, letters: &str, long: &[&str]) -> bool {
    call.args.iter().take_while(|word| word.text != "--").any(|word| {
        let text = word.text.as_str();
        if let Some(name) = text.strip_prefix("--") {
            let name = name.split('=').next().unwrap_or(name);
            // GNU takes any beginning that is long enough.
            return long.iter().any(|one| {
                let one = one.trim_start_matches('-');
                one == name || (name.len() >= 3 && one.starts_with(name))
            });
        }
        long.contains(&text)
            || text.strip_prefix('-').is_some_and(|cluster| {
                cluster.bytes().all(|byte| byte.is_ascii_alphanumeric())
                    && cluster.chars().any(|c| letters.contains(c))
            })
    })
}

/// Words that are no flags.
pub(super) fn operands<'a>(call: &Call<'a>) -> impl Iterator<Item = &'a Word> {
    let end = call.args.iter().position(|word| word.text == "--").unwrap_or(usize::MAX);
    call.args
        .iter()
        .enumerate()
        .filter(move |(at, word)| *at > end || (!word.text.starts_with('-') && *at != end))
        .map(|(_, word)| word)
}

fn remove(desk: &mut Desk<'_>, call: &Call<'_>) {
    let recursive = flag(call, "rR", &["--recursive"]);
    let rooted = flag(call, "", &["--no-preserve-root"]);
    let mut found = false;
    for word in operands(call) {
        found = true;
        removal(desk, word, recursive || rooted);
    }
    if !found && call.each {
        each(desk, call, recursive);
    }
}

/// One path that is deleted.
pub(super) fn removal(desk: &mut Desk<'_>, word: &Word, recursive: bool) {
    let span = word.span.clone();
    let what = shown(&word.text);
    let fresh = word.inner.iter().any(|text| text.trim_start().starts_with("mktemp"));
    let area = if fresh { Area::Scratch } else { area(&word.text, word.glob) };
    let outcome = match (area, recursive) {
        (Area::Scratch, _) => {
            ("shell.delete.scratch", format!("{what} is deleted, which can be made again"))
        }
        (_, true) => {
            ("shell.delete.recursive", format!("this would delete {what} and everything in it"))
        }
        (Area::System, _) => {
            ("shell.delete.wide", format!("this would delete {what}, which belongs to the system"))
        }
        (Area::Wide, _) if word.glob || area == Area::Wide => {
            ("shell.delete.wide", format!("this would delete everything that {what} stands for"))
        }
        (Area::Device, _) => ("shell.device.write", format!("this would remove the device {what}")),
        _ => ("shell.delete", format!("{what} is deleted")),
    };
    desk.fact(outcome.0, span, outcome.1);
}

/// `… | xargs rm`: what is deleted comes from the command before.
fn each(desk: &mut Desk<'_>, call: &Call<'_>, recursive: bool) {
    let source = call.before.first().map(|command| command.words.as_slice()).unwrap_or_default();
    let named = source.iter().skip(1).filter(|word| !word.text.starts_with('-'));
    let narrow = source.iter().any(|word| {
        matches!(
            word.text.as_str(),
            "-name"
                | "-iname"
                | "-mtime"
                | "-mmin"
                | "-newer"
                | "-size"
                | "-empty"
                | "-regex"
                | "-path"
        )
    }) || source
        .first()
        .is_some_and(|word| matches!(word.text.as_str(), "grep" | "git" | "rg" | "ag"));
    let worst = named
        .map(|word| area(&word.text, word.glob))
        .filter(|area| *area != Area::Named && *area != Area::Wide)
        .min();
    match worst {
        Some(Area::Scratch) => {
            desk.fact("shell.delete.scratch", call.command.span(), "temporary files are deleted")
        }
        Some(Area::System) if narrow && !recursive => desk.fact(
            "shell.delete.wide",
            call.command.span(),
            "this would delete files of the system",
        ),
        _ if narrow && !recursive => {
            desk.fact("shell.delete", call.command.span(), "the files that were found are deleted")
        }
        _ => desk.fact(
            "shell.delete.recursive",
            call.command.span(),
            "this would delete whatever the command before it prints",
        ),
    }
}

fn find(desk: &mut Desk<'_>, call: &Call<'_>) {
    let args = call.args;
    let has = |names: &[&str]| args.iter().any(|word| names.contains(&word.text.as_str()));
    let starts = args.iter().take_while(|word| !word.text.starts_with(['-', '(', '!']));
    let worst = starts.map(|word| area(&word.text, word.glob)).min().unwrap_or(Area::Wide);
    let narrow = has(&["-name", "-iname", "-mtime", "-mmin", "-atime", "-ctime", "-newer", "-size", "-empty", "-regex", "-path", "-user", "-inum", "-e", "--extension", "--changed-before"])
        && !args.windows(2).any(|pair| matches!(pair, [flag, value] if matches!(flag.text.as_str(), "-name" | "-iname") && matches!(value.text.as_str(), "*" | "**" | "*.*" | "?*")));
    // Everything but what is named.
    let narrow = narrow && !has(&["!", "-not"]);
    if has(&["-delete"]) {
        found(desk, call, worst, narrow);
    }
    let runs = args.iter().position(|word| {
        matches!(
            word.text.as_str(),
            "-exec" | "-execdir" | "-ok" | "-okdir" | "-x" | "-X" | "--exec" | "--exec-batch"
        )
    });
    let Some(runs) = runs else { return };
    let rest = args.get(runs + 1..).unwrap_or_default();
    let end =
        rest.iter().position(|word| matches!(word.text.as_str(), ";" | "+")).unwrap_or(rest.len());
    let inner = rest.get(..end).unwrap_or_default();
    match inner
        .iter()
        .map(|word| super::base_name(&word.text))
        .find(|name| !matches!(*name, "sudo" | "env" | "nice"))
    {
        Some("rm" | "unlink" | "shred" | "rmdir") => {
            let recursive = inner
                .iter()
                .any(|word| word.text.starts_with('-') && word.text.contains(['r', 'R']));
            let folders = recursive && !narrow;
            found(
                desk,
                call,
                if folders && worst == Area::Named { Area::Wide } else { worst },
                narrow,
            );
        }
        Some(_) => {
            // Where the command is run, `{}` is a path below the start.
            let start = args
                .first()
                .filter(|word| !word.text.starts_with('-'))
                .map_or(".", |word| &word.text);
            let whole = if narrow { format!("{start}/found") } else { start.to_owned() };
            let argv: Vec<String> =
                inner.iter().map(|word| word.text.replace("{}", &whole)).collect();
            let span = inner.first().map_or(0..0, |first| {
                first.span.start..inner.last().map_or(0, |last| last.span.end)
            });
            desk.later(Reader::Argv(argv), "", span);
        }
        None => {}
    }
}

fn found(desk: &mut Desk<'_>, call: &Call<'_>, worst: Area, narrow: bool) {
    let span = call.command.span();
    match worst {
        Area::Scratch => desk.fact("shell.delete.scratch", span, "temporary files are deleted"),
        _ if narrow && worst != Area::System => {
            desk.fact("shell.delete", span, "the files that are found are deleted")
        }
        Area::System
            if narrow
                && call.args.first().is_some_and(|word| word.text.starts_with("/var/log")) =>
        {
            // Old logs are cleaned like this everywhere.
            let aged =
                call.args.iter().any(|word| matches!(word.text.as_str(), "-mtime" | "-mmin"));
            let label = if aged { "shell.delete" } else { "shell.history" };
            desk.fact(label, span, "logs are deleted");
        }
        _ => {
            desk.fact("shell.delete.recursive", span, "this would delete everything that is found")
        }
    }
}

fn permissions(desk: &mut Desk<'_>, call: &Call<'_>) {
    let recursive = flag(call, "R", &["--recursive"]);
    let mut words = operands(call);
    if call.name == "chattr" {
        if call.args.iter().any(|word| {
            word.text.starts_with("-i") || word.text.contains("-ia") || word.text == "-a"
        }) {
            desk.fact(
                "shell.security",
                call.command.span(),
                "this would take the protection against changes off a file",
            );
        }
        return;
    }
    let minus = call.args.iter().find(|word| {
        word.text.starts_with('-')
            && word.text.len() > 1
            && word.text.get(1..).is_some_and(|mode| {
                mode.chars().all(|c| "rwxXst,-+=ugoa".contains(c))
                    && call.name == "chmod"
                    && !matches!(word.text.as_str(), "-R" | "-f" | "-v" | "-c")
            })
    });
    let mode = if minus.is_some() { minus } else { words.next() };
    let Some(mode) = mode else { return };
    let open = is_open_mode(&mode.text);
    let special = call.name == "chmod"
        && ((mode.text.contains("+s") && !mode.text.starts_with('g'))
            || (mode.text.len() == 4
                && matches!(mode.text.as_bytes().first(), Some(b'4' | b'6' | b'7'))));
    let closed = call.name == "chmod"
        && (mode.text.starts_with('-')
            || matches!(mode.text.as_str(), "000" | "0" | "0000" | "a-rwx" | "a=" | "ugo-rwx"));
    for word in words {
        let (span, what) = (word.span.clone(), shown(&word.text));
        let area = area(&word.text, word.glob);
        let wide = area == Area::Wide || area == Area::System && is_base(&word.text);
        if special {
            desk.fact(
                "shell.privilege.account",
                span.clone(),
                format!("this would let everybody run {what} with its owner's rights"),
            );
        }
        if open && (recursive && area != Area::Scratch || area == Area::System) {
            desk.fact(
                "shell.permission.wide",
                span.clone(),
                format!("this would let everybody write to {what}"),
            );
        } else if wide && (recursive || closed) || (area == Area::System && closed) {
            desk.fact(
                "shell.permission.wide",
                span.clone(),
                format!("this would change who may use {what} and all in it"),
            );
        } else if area == Area::System
            && matches!(call.name, "chown" | "chgrp")
            && is_account_file(&word.text)
        {
            desk.fact(
                "shell.permission.wide",
                span,
                format!("this would give {what} to somebody else"),
            );
        }
    }
}

/// A folder of the system itself, not of what was put there.
fn is_base(path: &str) -> bool {
    let first = path.trim_start_matches('/').split('/').next().unwrap_or_default();
    !matches!(
        first,
        "app" | "data" | "srv" | "mnt" | "media" | "opt" | "backup" | "backups" | "Volumes"
    )
}

fn is_account_file(path: &str) -> bool {
    ["/etc/passwd", "/etc/shadow", "/etc/sudoers"].iter().any(|file| path.starts_with(file))
}

/// Whether a mode lets everybody write.
fn is_open_mode(mode: &str) -> bool {
    let digits = mode.bytes().all(|byte| byte.is_ascii_digit());
    if digits && (3..=4).contains(&mode.len()) {
        return mode.bytes().last().is_some_and(|last| matches!(last, b'2' | b'3' | b'6' | b'7'));
    }
    mode.split(',').any(|part| {
        let who = part.split(['+', '=']).next().unwrap_or_default();
        part.contains(['+', '=']) && part.contains('w') && (who.contains('o') || who.contains('a'))
    })
}

/// `mv`, `cp` and their like: what is written over, and what disappears.
fn moves(desk: &mut Desk<'_>, call: &Call<'_>) {
    let words: Vec<&Word> = operands(call).collect();
    let Some((target, sources)) = words.split_last() else { return };
    let into = call
        .args
        .windows(2)
        .find_map(|pair| {
            matches!(pair, [flag, _] if flag.text == "-t").then(|| pair.last()).flatten()
        })
        .unwrap_or(target);
    let area_of = |word: &Word| area(&word.text, word.glob);
    let nothing = |word: &Word| word.text == "/dev/null";
    let span = call.command.span();
    if call.name == "mv" && nothing(into) && !sources.is_empty() {
        return desk.fact("shell.overwrite", span, "this would throw what it moves away");
    }
    if call.name == "mv" && sources.iter().any(|word| is_whole(word)) {
        desk.fact(
            "shell.overwrite",
            span.clone(),
            "this would move a folder of the system, or everything here, away",
        );
    }
    if sources.iter().any(|word| {
        matches!(word.text.as_str(), "/dev/null" | "/dev/zero" | "/dev/urandom" | "/dev/random")
    }) && area_of(into) != Area::Scratch
    {
        desk.fact(
            "shell.overwrite",
            span.clone(),
            format!("this would empty or overwrite {}", shown(&into.text)),
        );
    }
    match area_of(into) {
        Area::Device => desk.fact("shell.device.write", span, "this would write to a disk"),
        Area::System if super::system::is_critical(&into.text) && call.name != "ln" => {
            desk.fact("shell.overwrite", span, format!("this would replace {}", shown(&into.text)));
        }
        _ if super::system::is_login(&into.text) && !sources.is_empty() => desk.fact(
            "shell.persist",
            span,
            "this would replace what lets people log in, or runs by itself",
        ),
        _ => {}
    }
}

/// A folder as a whole that nobody moves for good.
fn is_whole(word: &Word) -> bool {
    let trimmed = word.text.trim_end_matches('/');
    matches!(area(&word.text, word.glob), Area::Wide)
        || (area(&word.text, word.glob) == Area::System
            && (trimmed.matches('/').count() <= 1 || super::system::is_critical(&word.text)))
}

fn truncates(desk: &mut Desk<'_>, call: &Call<'_>) {
    let zero = call.args.windows(2).any(|pair| matches!(pair, [flag, value] if matches!(flag.text.as_str(), "-s" | "--size") && value.text.starts_with('0'))) || call.args.iter().any(|word| matches!(word.text.as_str(), "-s0" | "--size=0"));
    for word in operands(call).filter(|word| word.text != "0") {
        let area = area(&word.text, word.glob);
        if zero && area != Area::Scratch {
            let label = if word.text.starts_with("/var/log") || word.text.ends_with("history") {
                "shell.history"
            } else {
                "shell.overwrite"
            };
            desk.fact(label, word.span.clone(), format!("this would empty {}", shown(&word.text)));
        }
    }
}

fn tee(desk: &mut Desk<'_>, call: &Call<'_>) {
    let append = flag(call, "a", &["--append"]);
    for word in operands(call) {
        super::system::written(
            desk,
            word,
            if append { Direction::Append } else { Direction::Write },
        );
    }
}

/// Editing in place: of system files only what decides who may log in.
fn edits(desk: &mut Desk<'_>, call: &Call<'_>) {
    for word in operands(call)
        .filter(|word| super::system::is_login(&word.text) || is_account_file(&word.text))
    {
        desk.fact(
            "shell.privilege.account",
            word.span.clone(),
            format!("this would change {}", shown(&word.text)),
        );
    }
}
