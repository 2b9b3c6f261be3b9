//! `cmd` and PowerShell: commands that delete, stop or hide, by their names and switches. Quotes and
//! case are as Windows has them; it is a list of known harm, not a reading of the language.

use super::network;
use crate::guard::desk::{Desk, Reader};

/// Whether a text names a command of Windows.
pub(super) fn resembles(text: &str) -> bool {
    let lower = text.get(..text.floor_char_boundary(2048)).unwrap_or_default().to_ascii_lowercase();
    NAMES.iter().any(|name| lower.contains(name))
}

const NAMES: &[&str] = &[
    "powershell",
    "pwsh",
    "cmd /",
    "cmd.exe",
    "remove-item",
    "del /",
    "del *",
    "rd /",
    "rmdir /",
    "erase /",
    "format ",
    "vssadmin",
    "wmic",
    "bcdedit",
    "reg delete",
    "stop-computer",
    "restart-computer",
    "clear-",
    "invoke-",
    "iex",
    "diskpart",
    "cipher /w",
    "net user",
    "net localgroup",
    "net stop",
    "sc delete",
    "sc stop",
    "sc.exe",
    "stop-service",
    "stop-process",
    "set-mppreference",
    "remove-",
    "schtasks",
    "taskkill",
    "wbadmin",
    "fsutil",
    "takeown",
    "icacls",
    "set-executionpolicy",
    "disable-",
    "del ",
    "initialize-disk",
    "format-volume",
    "clear-disk",
    "certutil",
    "bitsadmin",
    "mshta",
    "regsvr32",
    "rundll32",
];

/// A harm: words that must all stand in a command, and what it is.
type Harm = (&'static [&'static str], &'static str, &'static str);

const HARMS: &[Harm] = &[
    (&["del ", "/s"], "shell.delete.recursive", "this would delete files in every folder below"),
    (&["del ", "*.*"], "shell.delete.wide", "this would delete every file here"),
    (&["del ", "\\*"], "shell.delete.wide", "this would delete every file in a folder"),
    (&["erase ", "/s"], "shell.delete.recursive", "this would delete files in every folder below"),
    (&["rd ", "/s"], "shell.delete.recursive", "this would delete a folder with all that it holds"),
    (
        &["rmdir ", "/s"],
        "shell.delete.recursive",
        "this would delete a folder with all that it holds",
    ),
    (
        &["remove-item", "-rec"],
        "shell.delete.recursive",
        "this would delete a folder with all that it holds",
    ),
    (
        &["remove-item", "-r "],
        "shell.delete.recursive",
        "this would delete a folder with all that it holds",
    ),
    (
        &["get-childitem", "remove-item"],
        "shell.delete.recursive",
        "this would delete everything that is found",
    ),
    (&["remove-item", "hklm"], "shell.security", "this would delete parts of the registry"),
    (&["format ", ":"], "shell.device.write", "this would format a disk"),
    (&["format-volume"], "shell.device.write", "this would format a disk"),
    (&["clear-disk"], "shell.device.write", "this would erase a disk"),
    (&["initialize-disk"], "shell.device.write", "this would erase a disk"),
    (&["remove-partition"], "shell.device.write", "this would remove a partition"),
    (&["diskpart"], "shell.device.write", "this would change partitions"),
    (&["cipher /w"], "shell.device.write", "this would make deleted files unrecoverable"),
    (&["vssadmin", "delete"], "shell.overwrite", "this would delete shadow copies"),
    (&["wmic", "shadowcopy", "delete"], "shell.overwrite", "this would delete shadow copies"),
    (&["wbadmin", "delete"], "shell.overwrite", "this would delete backups"),
    (&["bcdedit", "/set"], "shell.security", "this would change how the machine starts"),
    (&["reg delete"], "shell.security", "this would delete parts of the registry"),
    (&["reg.exe delete"], "shell.security", "this would delete parts of the registry"),
    (&["stop-computer"], "shell.shutdown", "this would stop the machine"),
    (&["restart-computer"], "shell.shutdown", "this would restart the machine"),
    (&["shutdown", "/s"], "shell.shutdown", "this would stop the machine"),
    (&["shutdown", "/r"], "shell.shutdown", "this would restart the machine"),
    (&["clear-eventlog"], "shell.history", "this would wipe the event log"),
    (&["wevtutil", "cl "], "shell.history", "this would wipe the event log"),
    (&["net user", "/delete"], "shell.privilege.account", "this would delete an account"),
    (&["net user", "/add"], "shell.privilege.account", "this would create an account"),
    (
        &["net localgroup", "/add"],
        "shell.privilege.account",
        "this would give rights to an account",
    ),
    (&["net stop"], "shell.service", "this would stop a service"),
    (&["sc delete"], "shell.service", "this would remove a service"),
    (&["sc stop"], "shell.service", "this would stop a service"),
    (&["stop-service"], "shell.service", "this would stop a service"),
    (&["set-mppreference", "disable"], "shell.security", "this would switch virus protection off"),
    (&["schtasks", "/delete"], "shell.schedule", "this would remove a scheduled job"),
    (&["schtasks", "/create"], "shell.persist", "this would leave a scheduled job behind"),
    (&["stop-process", "-force", "get-process"], "shell.kill", "this would end every process"),
    (&["get-process", "stop-process"], "shell.kill", "this would end every process"),
    (&["remove-aduser"], "shell.privilege.account", "this would delete accounts"),
    (&["remove-vm"], "cloud.delete", "this would delete a virtual machine"),
    (&["remove-az"], "cloud.delete", "this would delete a cloud resource"),
    (
        &["iex", "downloadstring"],
        "shell.download.execute",
        "this would run what a download gives, unread",
    ),
    (&["iex", "iwr"], "shell.download.execute", "this would run what a download gives, unread"),
    (
        &["iex", "invoke-webrequest"],
        "shell.download.execute",
        "this would run what a download gives, unread",
    ),
    (
        &["invoke-expression", "downloadstring"],
        "shell.download.execute",
        "this would run what a download gives, unread",
    ),
    (
        &["invoke-expression", "invoke-webrequest"],
        "shell.download.execute",
        "this would run what a download gives, unread",
    ),
    (
        &["invoke-expression", "iwr"],
        "shell.download.execute",
        "this would run what a download gives, unread",
    ),
    (&["irm ", "iex"], "shell.download.execute", "this would run what a download gives, unread"),
    (&["mshta", "http"], "shell.download.execute", "this would run what a download gives, unread"),
    (
        &["regsvr32", "http"],
        "shell.download.execute",
        "this would run what a download gives, unread",
    ),
    (
        &["certutil", "-urlcache"],
        "shell.download.execute",
        "this would fetch a file by a program that is not made for it",
    ),
    (
        &["bitsadmin", "/transfer"],
        "shell.download.execute",
        "this would fetch a file by a program that is not made for it",
    ),
    (&["takeown", "/r"], "shell.permission.wide", "this would take files over in a wide area"),
    (&["icacls", "everyone:f"], "shell.permission.wide", "this would open files to everybody"),
    (&["netsh", "state off"], "shell.firewall", "this would switch the firewall off"),
    (&["set-netfirewallprofile", "false"], "shell.firewall", "this would switch the firewall off"),
    (
        &["fsutil", "deletejournal"],
        "shell.history",
        "this would delete the journal of the file system",
    ),
    (
        &["net.sockets.tcpclient"],
        "shell.reverse",
        "this would connect a shell with a host on the network",
    ),
];

/// Reads a text as commands of Windows.
pub(super) fn read(desk: &mut Desk<'_>, text: &str) {
    let lower = text.to_ascii_lowercase();
    if lower.contains("-whatif") {
        return;
    }
    let mut at = 0;
    for line in lower.split(['\n', ';', '&']) {
        let span = at..at + line.len();
        at += line.len() + 1;
        // A command stands first; in the middle of a sentence or a literal it is not run.
        let bare = command(line);
        for (words, label, note) in HARMS {
            let begins = words.first().is_some_and(|first| {
                bare.starts_with(first)
                    || (matches!(
                        *first,
                        "iex"
                            | "get-childitem"
                            | "get-process"
                            | "net.sockets.tcpclient"
                            | "irm "
                            | "invoke-expression"
                    ) && line.contains(first)
                        && !bare.starts_with("echo")
                        && !bare.starts_with("write-"))
            });
            if begins && words.iter().all(|word| line.contains(word)) {
                desk.fact(label, span.clone(), *note);
            }
        }
        encoded(desk, text, &bare, span);
    }
}

/// A line without what only starts a command.
fn command(line: &str) -> String {
    let mut bare = line.trim().trim_matches(['"', '\'', '(']);
    for _ in 0..6 {
        let before = bare;
        for prefix in [
            "powershell.exe",
            "powershell",
            "pwsh",
            "cmd.exe",
            "cmd",
            "/c ",
            "/k ",
            "-command ",
            "-c ",
            "-noprofile ",
            "-nop ",
            "-executionpolicy bypass ",
            "-ep bypass ",
            "-w hidden ",
            "-windowstyle hidden ",
            "-noninteractive ",
            "-noni ",
            "start ",
            "@",
            "& ",
        ] {
            bare = bare
                .strip_prefix(prefix)
                .unwrap_or(bare)
                .trim_start()
                .trim_start_matches(['"', '\'', '{', '(']);
        }
        if bare == before {
            break;
        }
    }
    let aliases = [("ri ", "remove-item "), ("rm ", "remove-item "), ("gci ", "get-childitem ")];
    for (alias, name) in aliases {
        if let Some(rest) = bare.strip_prefix(alias) {
            return format!("{name}{rest}");
        }
    }
    bare.to_owned()
}

/// `powershell -EncodedCommand …`: read behind its encoding.
fn encoded(desk: &mut Desk<'_>, text: &str, bare: &str, span: std::ops::Range<usize>) {
    let flags = ["-encodedcommand ", "-enc ", "-e ", "-ec ", "-en "];
    let started = text.get(span.clone()).unwrap_or_default();
    let lower = started.to_ascii_lowercase();
    if !lower.contains("powershell")
        && !lower.contains("pwsh")
        && !flags.iter().any(|flag| bare.starts_with(flag))
    {
        return;
    }
    let found = flags
        .iter()
        .find_map(|flag| lower.find(&format!(" {flag}")).map(|at| at + flag.len() + 1))
        .or_else(|| {
            flags.iter().find_map(|flag| {
                bare.starts_with(flag).then(|| lower.find(flag).map(|at| at + flag.len()))?
            })
        });
    let Some(at) = found else { return };
    let value = started
        .get(at..)
        .unwrap_or_default()
        .split_whitespace()
        .next()
        .unwrap_or_default()
        .trim_matches('"');
    desk.fact(
        "shell.obfuscated",
        span.clone(),
        "this would run a command that stands in an encoding",
    );
    if let Some(script) = network::decoded(value) {
        desk.later(Reader::Shell, script, span);
    }
}
