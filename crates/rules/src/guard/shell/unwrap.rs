//! Programs that only start another one: taken off, one after the other, until what really runs is
//! left.

use std::{collections::HashMap, sync::LazyLock};

use super::{
    code, network, programs, system,
    target::is_sensitive,
    word::{Command, Word},
};
use crate::guard::{
    cli,
    desk::{Desk, Reader},
};

/// What a command is read with.
pub(super) struct Call<'a> {
    /// The program's name, without its folder.
    pub(super) name: &'a str,
    /// Its arguments.
    pub(super) args: &'a [Word],
    /// The command as it stands, with its redirects.
    pub(super) command: &'a Command,
    /// The commands before it in its pipe.
    pub(super) before: &'a [Command],
    /// The command that reads what it writes.
    pub(super) after: Option<&'a Command>,
    /// It runs once for every line of its input, as under `xargs`.
    pub(super) each: bool,
}

/// How a program that starts another one is written.
struct Wrapper {
    names: &'static [&'static str],
    /// Flags that take a value.
    values: &'static str,
    /// Words before the command.
    skip: usize,
}

const fn wrapper(names: &'static [&'static str], values: &'static str, skip: usize) -> Wrapper {
    Wrapper { names, values, skip }
}

const WRAPPERS: &[Wrapper] = &[
    wrapper(
        &["sudo"],
        "-u -g -h -p -C -T -r -t -U -D -R --user --group --host --prompt --chdir",
        0,
    ),
    wrapper(&["doas"], "-u -C", 0),
    wrapper(&["pkexec"], "--user", 0),
    wrapper(&["gosu", "su-exec", "setpriv"], "--reuid --regid", 1),
    wrapper(
        &[
            "nohup",
            "setsid",
            "command",
            "builtin",
            "exec",
            "busybox",
            "toybox",
            "unbuffer",
            "caffeinate",
            "torsocks",
            "torify",
            "proxychains",
            "proxychains4",
            "rlwrap",
            "firejail",
            "winpty",
            "dotenv",
            "noglob",
            "then",
            "catchsegv",
        ],
        "-a -f",
        0,
    ),
    wrapper(&["env"], "-u -C --unset --chdir", 0),
    wrapper(&["time"], "-f -o", 0),
    wrapper(&["nice"], "-n --adjustment", 0),
    wrapper(&["ionice"], "-c -n -p", 0),
    wrapper(&["timeout", "gtimeout"], "-s -k --signal --kill-after", 1),
    wrapper(&["stdbuf"], "-i -o -e", 0),
    wrapper(&["chroot", "taskset", "chrt", "cgexec", "numactl", "flock"], "-g -w -E --userspec", 1),
    wrapper(&["strace", "ltrace"], "-o -e -p -s", 0),
    wrapper(&["watch"], "-n --interval", 0),
    wrapper(
        &["xargs"],
        "-I -n -P -L -d -s -E -a --max-args --max-procs --delimiter --arg-file --replace",
        0,
    ),
    wrapper(&["parallel"], "-j --jobs", 0),
    wrapper(&["systemd-run"], "-p --unit --property", 0),
    wrapper(&["nsenter", "unshare"], "-t --target", 0),
    wrapper(&["sshpass"], "-p -f -e", 0),
    wrapper(&["lxc", "incus"], "", 2),
    wrapper(&["npx", "pnpx", "bunx", "uvx"], "-p --package", 0),
];

static BY_NAME: LazyLock<HashMap<&str, &Wrapper>> = LazyLock::new(|| {
    let named = |wrapper: &'static Wrapper| wrapper.names.iter().map(move |name| (*name, wrapper));
    WRAPPERS.iter().flat_map(named).collect()
});

/// Programs that take the command after one of these words: `uv run rm`, `conda run -n x rm`.
const RUNNERS: &[&str] = &[
    "uv",
    "poetry",
    "pipenv",
    "conda",
    "bundle",
    "npm",
    "pnpm",
    "yarn",
    "rye",
    "pdm",
    "hatch",
    "direnv",
    "aws-vault",
    "op",
    "doppler",
    "chamber",
];

const SSH_VALUES: &str = "-i -p -l -o -F -J -L -R -D -b -c -E -e -I -m -O -Q -S -W -w -B";

/// Takes wrappers off and reads what is left.
pub(super) fn read(
    desk: &mut Desk<'_>,
    command: &Command,
    before: &[Command],
    after: Option<&Command>,
) {
    let mut words = command.words.as_slice();
    let mut each = false;
    for _ in 0..24 {
        let Some((program, rest)) = words.split_first() else {
            return;
        };
        let name = name_of(desk, program);
        if let Some(subst) = program.inner.first().filter(|_| name.is_empty() || program.opaque) {
            network::unknown_source(desk, subst, &program.span);
        }
        if program.text.starts_with("/etc/init.d/") && rest.iter().any(|word| word.text == "stop") {
            desk.fact("shell.service", program.span.clone(), "this would stop a service");
        }
        each |= matches!(name.as_str(), "xargs" | "parallel");
        if matches!(name.as_str(), "sudo" | "doas" | "pkexec" | "su" | "runuser") {
            desk.fact("shell.privilege", program.span.clone(), "another user's rights are taken");
        }
        let call = Call { name: &name, args: rest, command, before, after, each };
        match inner(desk, &name, rest) {
            Some(next) => words = next,
            None => {
                return if name.is_empty() {
                    opaque(desk, program, command)
                } else {
                    one(desk, &call)
                };
            }
        }
    }
    desk.fact(
        "shell.obfuscated",
        command.span(),
        "programs start one another too often to be followed",
    );
}

/// The program's name; empty where it is not known.
fn name_of(desk: &mut Desk<'_>, program: &Word) -> String {
    let plain = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit();
    if !program.opaque && !program.glob && program.text.bytes().all(plain) {
        return program.text.clone();
    }
    let mut text = program.text.clone();
    if matches!(text.as_str(), "$SHELL" | "$BASH" | "${SHELL}") {
        return "sh".to_owned();
    }
    if program.opaque {
        let bare = without_variables(&text);
        if !bare.is_empty()
            && bare != text
            && !bare.starts_with('/')
            && bare.bytes().all(|byte| byte.is_ascii_alphanumeric())
            && program.inner.is_empty()
        {
            // `r${x}m`: an unset variable is nothing.
            desk.fact(
                "shell.obfuscated",
                program.span.clone(),
                "the program's name is put together at run time",
            );
            text = bare;
        } else if text.contains('/') && !text.ends_with('/') {
            // `$HOME/bin/tool`.
        } else {
            return String::new();
        }
    }
    let name = super::base_name(&text);
    if name.contains(['*', '?', '['])
        && program.glob
        && !program.quoted
        && name != "["
        && name != "[["
    {
        // `/bin/r?`: a pattern for a program.
        desk.fact("shell.obfuscated", program.span.clone(), "the program is named by a pattern");
        let known = [
            "rm", "cat", "dd", "sh", "bash", "nc", "curl", "wget", "chmod", "shutdown", "reboot",
            "mkfs",
        ];
        return known.into_iter().find(|known| fits(name, known)).unwrap_or(name).to_owned();
    }
    name.to_ascii_lowercase().trim_start_matches('-').to_owned()
}

/// Whether a pattern of `?` and `*` fits.
fn fits(pattern: &str, text: &str) -> bool {
    let mut pieces = pattern.split('*');
    let first = pieces.next().unwrap_or_default();
    let same = |pattern: &str, text: &str| {
        pattern.len() == text.len()
            && pattern.bytes().zip(text.bytes()).all(|(p, t)| p == b'?' || p == t)
    };
    if !pattern.contains('*') {
        return same(pattern, text);
    }
    let last = pieces.next_back().unwrap_or_default();
    text.len() >= first.len() + last.len()
        && text.get(..first.len()).is_some_and(|head| same(first, head))
        && text.get(text.len() - last.len()..).is_some_and(|tail| same(last, tail))
}

fn without_variables(text: &str) -> String {
    let mut out = String::new();
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        if character != '$' {
            out.push(character);
        } else if characters.next_if_eq(&'{').is_some() {
            for inner in characters.by_ref() {
                if inner == '}' {
                    break;
                }
            }
        } else {
            while characters.next_if(|c| c.is_ascii_alphanumeric() || *c == '_').is_some() {}
        }
    }
    out
}

/// A program that is not known before it runs.
fn opaque(desk: &mut Desk<'_>, program: &Word, command: &Command) {
    // `exec "$@"` at the end of a start script runs what its caller says.
    if program.text == "$@" && command.words.first().is_some_and(|first| first.text == "exec") {
        return;
    }
    let name = program.text.trim_start_matches('$').trim_matches(['{', '}']);
    let usual = [
        "EDITOR",
        "PAGER",
        "VISUAL",
        "BROWSER",
        "CC",
        "CXX",
        "LD",
        "AR",
        "PYTHON",
        "NODE",
        "JAVA",
        "GO",
        "MAKE",
        "PIP",
        "SUDO",
        "CARGO",
        "RUSTC",
        "DOCKER",
        "KUBECTL",
        "GIT",
        "TERRAFORM",
        "COMPOSE",
        "BIN",
        "SHELL",
    ];
    if program.inner.is_empty() && usual.contains(&name) {
        return;
    }
    desk.fact(
        "shell.obfuscated",
        program.span.clone(),
        "which program is run is not known before it runs",
    );
}

/// The command within, where this program only starts it.
fn inner<'a>(desk: &mut Desk<'_>, name: &str, args: &'a [Word]) -> Option<&'a [Word]> {
    match name {
        "env"
            if args
                .iter()
                .any(|word| word.text == "-S" || word.text.starts_with("--split-string")) =>
        {
            let text = args.iter().skip_while(|word| !word.text.starts_with("-S")).nth(1)?;
            desk.later(Reader::Shell, text.text.clone(), text.span.clone());
            None
        }
        "command" if args.first().is_some_and(|word| matches!(word.text.as_str(), "-v" | "-V")) => {
            None
        }
        "flock" | "su" | "runuser" | "script"
            if args.iter().any(|word| matches!(word.text.as_str(), "-c" | "--command" | "-lc")) =>
        {
            let text = args
                .iter()
                .skip_while(|word| !matches!(word.text.as_str(), "-c" | "--command" | "-lc"))
                .nth(1)?;
            desk.later(Reader::Shell, text.text.clone(), text.span.clone());
            None
        }
        "runuser" | "su" => {
            let rest = args.iter().position(|word| word.text == "--")?;
            args.get(rest + 1..)
        }
        "ssh" | "mosh" | "autossh" => {
            // Host, then words that its shell joins.
            let rest = after_flags(args, SSH_VALUES).get(1..)?;
            let (first, last) = (rest.first()?, rest.last()?);
            let text: Vec<&str> = rest.iter().map(|word| word.text.as_str()).collect();
            desk.later(Reader::Shell, text.join(" "), first.span.start..last.span.end);
            None
        }
        name if RUNNERS.contains(&name) => {
            let run = args.iter().position(|word| {
                matches!(word.text.as_str(), "exec" | "--" | "dlx")
                    || (word.text == "run" && !matches!(name, "npm" | "pnpm" | "yarn"))
            })?;
            let rest = after_flags(args.get(run + 1..)?, "-n -p -e --name --python --with");
            (!rest.is_empty()).then_some(rest)
        }
        "minikube" if args.first().is_some_and(|word| word.text == "kubectl") => Some(args),
        "npx" | "pnpx" if args.is_empty() => None,
        "xargs" | "parallel" if args.iter().all(|word| word.text.starts_with('-')) => None,
        name => {
            let wrapper = BY_NAME.get(name)?;
            let rest = after_flags(args, wrapper.values);
            let rest = rest.get(wrapper.skip..)?;
            let rest = if name == "env" || name == "sudo" || name == "doas" {
                skip_assigns(rest)
            } else {
                rest
            };
            (!rest.is_empty()).then_some(rest)
        }
    }
}

fn skip_assigns(words: &[Word]) -> &[Word] {
    let skip = words
        .iter()
        .take_while(|word| word.text.contains('=') && !word.text.starts_with('='))
        .count();
    words.get(skip..).unwrap_or_default()
}

/// What stands behind the flags.
fn after_flags<'a>(words: &'a [Word], values: &str) -> &'a [Word] {
    let mut at = 0;
    while let Some(word) = words.get(at) {
        if word.text == "--" {
            return words.get(at + 1..).unwrap_or_default();
        }
        if !word.text.starts_with('-') || word.text.len() < 2 {
            break;
        }
        at += if values.split(' ').any(|flag| flag == word.text) { 2 } else { 1 };
    }
    words.get(at..).unwrap_or_default()
}

/// One program that does something itself.
fn one(desk: &mut Desk<'_>, call: &Call<'_>) {
    if call.args.iter().any(|word| word.inner.iter().any(|text| network::hides(text)))
        && is_shell(call.name)
    {
        desk.fact(
            "shell.download.execute",
            call.command.span(),
            "this would run what comes out of a download or an encoding",
        );
    }
    let asks =
        call.args.first().is_some_and(|word| matches!(word.text.as_str(), "--help" | "--version"))
            && call.args.len() == 1;
    if asks {
        return;
    }
    match call.name {
        name if is_shell(name) => shell(desk, call),
        "eval" => eval(desk, call),
        "source" | "." => network::sourced(desk, call),
        "trap" | "alias" => {
            if let Some(word) = call.args.first() {
                let text = if call.name == "alias" {
                    word.text.split_once('=').map_or("", |(_, value)| value)
                } else {
                    &word.text
                };
                desk.later(Reader::Shell, text, word.span.clone());
            }
        }
        _ => {}
    }
    programs::read(desk, call);
    system::read(desk, call);
    network::read(desk, call);
    code::interpreter(desk, call);
    tables(desk, call);
    secrets(desk, call);
}

/// What the tables say of it.
fn tables(desk: &mut Desk<'_>, call: &Call<'_>) {
    if !cli::knows(call.name) {
        return;
    }
    let substituted = |word: &Word| {
        if word.inner.is_empty() { word.text.clone() } else { format!("$({}", word.text) }
    };
    let texts: Vec<String> = call.args.iter().map(substituted).collect();
    let mut words: Vec<&str> = texts.iter().map(String::as_str).collect();
    if call.each {
        words.push("{}");
    }
    let piped = call.command.piped.then(|| super::constant::pipeline(call.before)).flatten();
    let stdin = super::given(call.command).map(|word| word.text.clone()).or(piped);
    cli::read(desk, call.name, &words, stdin.as_deref(), call.command.span());
}

/// Whether a program is a shell.
pub(super) fn is_shell(name: &str) -> bool {
    matches!(
        name,
        "sh" | "bash" | "zsh" | "dash" | "ksh" | "ash" | "fish" | "rbash" | "mksh" | "csh" | "tcsh"
    )
}

/// `sh -c TEXT`, `sh < file`, `… | sh`, `sh <<EOF`.
fn shell(desk: &mut Desk<'_>, call: &Call<'_>) {
    let cluster = |word: &Word| {
        word.text.starts_with('-') && !word.text.starts_with("--") && word.text.contains('c')
    };
    if let Some(at) = call.args.iter().position(cluster) {
        if let Some(script) = call.args.get(at + 1) {
            if script.opaque && script.inner.is_empty() && script.text.starts_with('$') {
                desk.fact(
                    "shell.obfuscated",
                    script.span.clone(),
                    "a script is run that is not known before",
                );
            }
            desk.later(Reader::Shell, script.text.clone(), script.span.clone());
        }
        return;
    }
    if let Some(script) = super::given(call.command) {
        desk.later(Reader::Shell, script.text.clone(), script.span.clone());
        return;
    }
    if let Some(process) = call.args.iter().find(|word| word.text == "/dev/fd/63") {
        return network::process(desk, process);
    }
    if call.args.iter().any(|word| !word.text.starts_with('-')) {
        if call.command.piped && !call.args.iter().any(|word| word.text == "-s") {
            return;
        }
        if !call.args.iter().any(|word| word.text == "-s") {
            return;
        }
    }
    if call.command.piped {
        network::piped_into_shell(desk, call);
    }
}

fn eval(desk: &mut Desk<'_>, call: &Call<'_>) {
    let text: Vec<&str> = call.args.iter().map(|word| word.text.as_str()).collect();
    if call.args.iter().any(|word| word.opaque) {
        let harmless = |text: &String| {
            let first = text.split_whitespace().next().unwrap_or_default();
            let name = super::base_name(first);
            matches!(
                name,
                "ssh-agent"
                    | "direnv"
                    | "brew"
                    | "pyenv"
                    | "rbenv"
                    | "nodenv"
                    | "dircolors"
                    | "starship"
                    | "zoxide"
                    | "fnm"
                    | "minikube"
                    | "conda"
                    | "docker-machine"
                    | "luarocks"
                    | "opam"
                    | "mise"
                    | "thefuck"
                    | "register-python-argcomplete"
            )
        };
        let known = call
            .args
            .iter()
            .filter(|word| word.opaque)
            .all(|word| !word.inner.is_empty() && word.inner.iter().all(harmless));
        if !known {
            desk.fact(
                "shell.obfuscated",
                call.command.span(),
                "a script is run that is put together at run time",
            );
        }
    }
    desk.later(Reader::Shell, text.join(" "), call.command.span());
}

/// Files with secrets among the arguments.
fn secrets(desk: &mut Desk<'_>, call: &Call<'_>) {
    let harmless = matches!(
        call.name,
        "echo"
            | "printf"
            | "ls"
            | "stat"
            | "test"
            | "["
            | "grep"
            | "rg"
            | "man"
            | "touch"
            | "git"
            | "ssh"
            | "scp"
            | "ssh-keygen"
            | "ssh-add"
            | "chmod"
            | "chown"
            | "kubectl"
            | "docker"
            | "gpg"
            | "export"
            | "code"
            | "vim"
            | "vi"
            | "nano"
            | "file"
            | "wc"
            | "cd"
    );
    if harmless {
        return;
    }
    let reads = call.command.redirects.iter().map(|one| &one.word);
    for word in call.args.iter().chain(reads).filter(|word| is_sensitive(&word.text)) {
        desk.fact(
            "path.sensitive",
            word.span.clone(),
            "a file is named that holds keys or passwords",
        );
    }
}
