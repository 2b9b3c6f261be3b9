//! Shell: what a script or command line would do, read as bash does.
//!
//! [`lex`] gives simple commands with quotes and constant expansions done, [`unwrap`] takes off
//! what only starts another command (`sudo`, `xargs`, `ssh host`), and then [`programs`] and the
//! tables of [`super::cli`] say what the program does with these arguments.

mod code;
mod constant;
mod disks;
mod expand;
mod lex;
mod network;
mod programs;
mod system;
mod target;
mod unwrap;
mod windows;
mod word;

#[cfg(test)]
mod tests;

use self::{
    lex::{Variables, parse},
    word::{Command, Direction, Script, Word},
};
use super::desk::{Desk, Reader};

pub(super) use code::read as read_code;
pub(super) use target::is_sensitive;

/// Reads a script. Where `strict`, what can't be read is a fact.
pub(super) fn read(desk: &mut Desk<'_>, text: &str, strict: bool) {
    let script = parse(text, 0, &mut Variables::new());
    desk.fact("shell", 0..0, "shell is run");
    let windows = windows::resembles(text);
    if !script.complete && strict && !windows {
        desk.fact(
            "shell.unparsed",
            0..text.len(),
            "this can't be read as shell in full: a quote or substitution has no end",
        );
    }
    if script.commands.len() >= lex::COMMANDS_MAX {
        desk.fact("guard.limit", 0..text.len(), "the script has too many commands to be read");
    }
    if script.bomb || is_bomb(text) {
        desk.fact(
            "shell.exhaust",
            0..text.len(),
            "this would start copies of itself until the machine stops: a fork bomb",
        );
    }
    for (inner, span) in &script.inner {
        desk.later(Reader::Shell, inner.clone(), span.clone());
    }
    all(desk, &script);
    if windows {
        windows::read(desk, text);
    }
}

/// Reads one command that is split into its words already.
pub(super) fn read_argv(desk: &mut Desk<'_>, argv: &[String]) {
    desk.fact("shell", 0..0, "a program is run");
    let words = argv.iter().map(|text| Word::plain(text, 0..0)).collect();
    let command = Command { words, ..Command::default() };
    let script = Script { commands: vec![command], complete: true, ..Script::default() };
    all(desk, &script);
    // A program without a shell takes `;` and `$(` as they are; a shell behind it may not.
    if let [program, rest @ ..] = argv
        && windows::resembles(program)
    {
        windows::read(desk, &format!("{program} {}", rest.join(" ")));
    }
}

fn all(desk: &mut Desk<'_>, script: &Script) {
    for at in 0..script.commands.len() {
        let Some(command) = script.commands.get(at) else { break };
        system::redirects(desk, command);
        let first = pipe_start(script, at);
        let before = script.commands.get(first..at).unwrap_or_default();
        let after = script.commands.get(at + 1).filter(|next| next.piped);
        unwrap::read(desk, command, before, after);
    }
}

/// The first command of the pipe in which this one stands.
fn pipe_start(script: &Script, at: usize) -> usize {
    let mut first = at;
    while first > 0
        && at - first < 32
        && script.commands.get(first).is_some_and(|command| command.piped)
    {
        first -= 1;
    }
    first
}

/// `:(){ :|:& };:`, in which the name is no word.
fn is_bomb(text: &str) -> bool {
    let Some(found) = text
        .find("(){")
        .or_else(|| text.find("() {"))
        .or_else(|| text.find("( ) {"))
        .or_else(|| text.find("()\n{"))
    else {
        return false;
    };
    let head = text.get(..found).unwrap_or_default().trim_end();
    let name = head.rsplit([' ', ';', '\n', '\t', '|', '&']).next().unwrap_or_default();
    let body: String = text
        .get(found..)
        .unwrap_or_default()
        .chars()
        .filter(|c| !c.is_whitespace())
        .take(200)
        .collect();
    !name.is_empty()
        && name.len() < 64
        && (body.contains(&format!("{name}|{name}&"))
            || body.contains(&format!("{name}&{name}&"))
            || body.contains(&format!("{name}|{name}|")))
}

/// Whether a text that nobody calls shell reads like a command line that somebody would type.
pub(super) fn resembles(text: &str) -> bool {
    let head = text.get(..text.floor_char_boundary(4096)).unwrap_or_default();
    let script = parse(head, 4, &mut Variables::new());
    let known = |command: &Command| {
        let words: Vec<&Word> = command
            .words
            .iter()
            .skip_while(|word| {
                matches!(
                    word.text.as_str(),
                    "sudo" | "doas" | "nohup" | "exec" | "command" | "time"
                )
            })
            .collect();
        let Some((program, rest)) = words.split_first() else { return false };
        let name = base_name(&program.text);
        // A sentence may begin with `find` or `kill`; commands have flags, paths or pipes.
        let shaped = rest.iter().any(|word| {
            word.text.starts_with(['-', '/', '~', '.', '$'])
                || word.glob
                || word.quoted
                || word.text.contains(['=', '/'])
        }) || command.piped
            || !command.redirects.is_empty();
        (is_program(name) && shaped)
            || super::cli::knows(name)
                && rest.len() < 16
                && super::cli::matches(name, rest.iter().map(|word| word.text.as_str()))
    };
    script.bomb || is_bomb(head) || script.commands.iter().take(64).any(known)
}

/// Programs that do harm with the right arguments.
fn is_program(name: &str) -> bool {
    name.starts_with("mkfs")
        || matches!(
            name,
            "rm" | "dd"
                | "shred"
                | "wipefs"
                | "chmod"
                | "chown"
                | "find"
                | "xargs"
                | "curl"
                | "wget"
                | "bash"
                | "sh"
                | "zsh"
                | "python"
                | "python3"
                | "perl"
                | "ruby"
                | "node"
                | "php"
                | "eval"
                | "kill"
                | "pkill"
                | "killall"
                | "shutdown"
                | "reboot"
                | "halt"
                | "poweroff"
                | "init"
                | "systemctl"
                | "iptables"
                | "crontab"
                | "mv"
                | "truncate"
                | "fdisk"
                | "parted"
                | "nc"
                | "ncat"
                | "socat"
                | "userdel"
                | "useradd"
                | "usermod"
                | "ssh"
                | "scp"
                | "rsync"
                | "history"
                | "unlink"
                | "rmdir"
                | "base64"
                | "busybox"
                | "env"
                | "psql"
                | "mysql"
                | "redis-cli"
                | "mongosh"
                | "mongo"
                | "sqlite3"
                | "sqlcmd"
                | "tee"
                | "sudo"
                | "su"
        )
}

/// A program's name without its folder and ending.
fn base_name(text: &str) -> &str {
    let name = text.rsplit(['/', '\\']).next().unwrap_or(text);
    name.strip_suffix(".exe").unwrap_or(name)
}

/// The text that a command gets from a here-document or here-string.
fn given(command: &Command) -> Option<&Word> {
    command.redirects.iter().find(|one| one.to == Direction::Text).map(|one| &one.word)
}

/// Programs that carry commands to a database.
pub(super) fn is_client(name: &str) -> bool {
    matches!(
        name,
        "curl"
            | "wget"
            | "redis-cli"
            | "valkey-cli"
            | "mongosh"
            | "mongo"
            | "cqlsh"
            | "etcdctl"
            | "influx"
            | "nodetool"
            | "cypher-shell"
            | "docker"
            | "kubectl"
            | "sudo"
            | "bash"
            | "sh"
    )
}

/// A file that a tool writes to.
pub(super) fn written_to(desk: &mut Desk<'_>, path: &str) {
    system::written(desk, &Word::plain(path, 0..path.len()), Direction::Write);
}
