//! What comes from the network and is run, what goes out to it, and shells that are handed to
//! somebody there.

use super::{
    constant,
    target::is_sensitive,
    unwrap::{Call, is_shell},
    word::{Command, Direction, Word},
};
use crate::guard::{
    desk::{Desk, Reader},
    text::base64_text,
};

const DOWNLOAD: &str = "this would run what a download gives, unread";
const HIDDEN: &str = "this would run what comes out of an encoding";

/// `… | sh`: what does the shell get to read?
pub(super) fn piped_into_shell(desk: &mut Desk<'_>, call: &Call<'_>) {
    let span = call.command.span();
    let first = call.before.first();
    let outer = first.map_or(span.start, |command| command.span().start);
    let span = outer..span.end;
    if let Some(script) = constant::pipeline(call.before) {
        let hidden = call.before.iter().any(is_decoder);
        if hidden {
            desk.fact("shell.obfuscated", span.clone(), HIDDEN);
        }
        return desk.later(Reader::Shell, script, span);
    }
    if call.before.iter().any(is_download) {
        return desk.fact("shell.download.execute", span, DOWNLOAD);
    }
    if call.before.iter().any(is_decoder) {
        return desk.fact("shell.obfuscated", span, HIDDEN);
    }
    let listener = call.before.iter().any(|command| {
        command.words.iter().any(|word| {
            matches!(super::base_name(&word.text), "nc" | "ncat" | "netcat" | "socat" | "telnet")
        })
    });
    if listener {
        return desk.fact(
            "shell.reverse",
            span,
            "this would run what somebody on the network sends",
        );
    }
    desk.fact("shell.obfuscated", span, "this would run a script that is not known before");
}

/// `sh <(curl …)`.
pub(super) fn process(desk: &mut Desk<'_>, word: &Word) {
    for text in &word.inner {
        let (label, note) = if hides(text) {
            ("shell.download.execute", DOWNLOAD)
        } else {
            ("shell.obfuscated", "this would run a script that is not known before")
        };
        desk.fact(label, word.span.clone(), note);
    }
}

/// `$(curl …)` as a command.
pub(super) fn unknown_source(desk: &mut Desk<'_>, inner: &str, span: &std::ops::Range<usize>) {
    if hides(inner) {
        desk.fact("shell.download.execute", span.clone(), DOWNLOAD);
    }
}

/// `source <(curl …)`, `. /dev/stdin`.
pub(super) fn sourced(desk: &mut Desk<'_>, call: &Call<'_>) {
    for word in call.args {
        process(desk, word);
        if word.text == "/dev/stdin" && call.command.piped {
            piped_into_shell(desk, call);
        }
    }
}

/// Whether a substitution gives what a download or an encoding gives.
pub(super) fn hides(text: &str) -> bool {
    text.split([' ', '|', '\t', '\n', '(', '`']).any(|word| {
        matches!(
            super::base_name(word),
            "curl"
                | "wget"
                | "fetch"
                | "base64"
                | "xxd"
                | "http"
                | "aria2c"
                | "lynx"
                | "nc"
                | "openssl"
                | "dig"
                | "nslookup"
        )
    })
}

fn is_download(command: &Command) -> bool {
    command.words.iter().take(4).any(|word| {
        matches!(
            super::base_name(&word.text),
            "curl"
                | "wget"
                | "fetch"
                | "http"
                | "https"
                | "aria2c"
                | "lynx"
                | "w3m"
                | "links"
                | "axel"
                | "iwr"
                | "gh"
                | "aws"
                | "gsutil"
                | "ftp"
                | "scp"
                | "dig"
        )
    })
}

fn is_decoder(command: &Command) -> bool {
    command.words.first().is_some_and(|word| match super::base_name(&word.text) {
        "base64" | "base32" | "uudecode" | "openssl" | "gunzip" | "zcat" | "gzip" | "bzip2"
        | "xz" | "xxd" | "rev" | "tr" | "tac" | "gpg" | "sed" | "awk" | "cut" | "perl"
        | "python" | "python3" => true,
        "echo" | "printf" => false,
        _ => false,
    })
}

/// Reads one program.
pub(super) fn read(desk: &mut Desk<'_>, call: &Call<'_>) {
    match call.name {
        "curl" | "wget" | "http" | "https" | "xh" | "curlie" => requests(desk, call),
        "nc" | "ncat" | "netcat" | "socat" | "telnet" | "rlwrap" | "pwncat" | "cryptcat" => {
            connections(desk, call)
        }
        "ssh" if call.command.piped => carried(desk, call),
        "scp" | "sftp" | "ftp" | "rsync" | "croc" | "wormhole" | "mail" | "mailx" | "mutt"
        | "sendmail" | "dig" | "nslookup" | "host" | "ping" => sends(desk, call),
        "msfvenom" | "msfconsole" | "chisel" | "ngrok" | "frpc" | "gsocket" | "gs-netcat" => desk
            .fact(
                "shell.reverse",
                call.command.span(),
                "this would open a way in from the network",
            ),
        "pip" | "pip3" if call.args.iter().any(|word| word.text.starts_with("http:")) => {
            desk.fact("shell.download.execute", call.command.span(), DOWNLOAD)
        }
        name if is_shell(name)
            && call.command.redirects.iter().any(|one| {
                one.word.text.starts_with("/dev/tcp/") || one.word.text.starts_with("/dev/udp/")
            }) =>
        {
            desk.fact(
                "shell.reverse",
                call.command.span(),
                "this would hand a shell to a host on the network",
            );
        }
        _ => {}
    }
    let suspicious = |text: &str| {
        [".254", "metadata", "/dev/", "100.100"].iter().any(|part| text.contains(part))
    };
    for word in call.args.iter().filter(|word| word.text.len() > 8 && suspicious(&word.text)) {
        if word.text.contains("169.254.169.254")
            || word.text.contains("metadata.google.internal")
            || word.text.contains("100.100.100.200")
            || word.text.contains("fd00:ec2::254")
        {
            desk.fact(
                "net.metadata",
                word.span.clone(),
                "the cloud's metadata service is named, which gives credentials",
            );
        }
        if (word.text.contains("/dev/tcp/") || word.text.contains("/dev/udp/"))
            && word.text.starts_with("/dev/")
        {
            desk.fact(
                "shell.reverse",
                word.span.clone(),
                "this would connect a shell with a host on the network",
            );
        }
    }
}

/// The value of a flag, written apart or with it.
fn values<'a>(call: &Call<'a>, flags: &'a [&'a str]) -> impl Iterator<Item = &'a Word> {
    let args = call.args;
    args.iter().enumerate().filter_map(move |(at, word)| {
        let exact = flags.contains(&word.text.as_str());
        if exact {
            return args.get(at + 1);
        }
        let joined = flags.iter().any(|flag| {
            flag.starts_with("--")
                && word.text.strip_prefix(flag).is_some_and(|rest| rest.starts_with('='))
                || (flag.len() == 2
                    && word.text.starts_with(flag)
                    && word.text.len() > 2
                    && !word.text.starts_with("--"))
        });
        joined.then_some(word)
    })
}

/// Flags that give a body.
const BODIES: [&str; 5] = ["-d", "--data", "--data-raw", "--data-binary", "--json"];
/// Flags that send something, perhaps from a file.
const SENDS: [&str; 11] = [
    "-d",
    "--data",
    "--data-binary",
    "--data-raw",
    "--data-urlencode",
    "-F",
    "--form",
    "-T",
    "--upload-file",
    "--post-file",
    "--body-file",
];

fn requests(desk: &mut Desk<'_>, call: &Call<'_>) {
    if call.args.iter().any(|word| word.text == "--help") {
        return;
    }
    let urls: Vec<&Word> = call.args.iter().filter(|word| looks_like_url(&word.text)).collect();
    changes(desk, call, &urls);
    for word in values(call, &SENDS) {
        if sends_secret(call, word) {
            desk.fact(
                "shell.exfiltrate",
                word.span.clone(),
                "this would send a file, or what a command prints, to a host on the network",
            );
        }
    }
    for word in &urls {
        if word.inner.iter().any(|text| reveals(text)) {
            desk.fact(
                "shell.exfiltrate",
                word.span.clone(),
                "this would send what a command prints to a host on the network",
            );
        }
        internal(desk, word);
    }
    if call.args.iter().any(|word| matches!(word.text.as_str(), "-o" | "-O" | "--output" | "-qO")) {
        for word in values(call, &["-o", "--output", "-O"]) {
            super::system::written(desk, word, Direction::Write);
        }
    }
}

/// What the method and the body would change.
fn changes(desk: &mut Desk<'_>, call: &Call<'_>, urls: &[&Word]) {
    let span = call.command.span();
    let method = method(call);
    let body = values(call, &BODIES).next().map(|word| word.text.as_str());
    let (method, body) = match (method.as_deref(), body) {
        (Some("DELETE"), _) => {
            let elastic = urls.iter().any(|word| crate::guard::nosql::elastic_delete(&word.text));
            let label = if elastic { "db.drop" } else { "http.delete" };
            return desk.fact(label, span, "this would make an HTTP request with DELETE");
        }
        (Some(method @ ("POST" | "PUT" | "PATCH")), body) => {
            desk.fact("http.write", span.clone(), "an HTTP request sends something");
            (method, body.unwrap_or_default())
        }
        (_, Some(body)) => ("POST", body),
        (_, None) => return,
    };
    if let Some(url) = urls.first() {
        desk.later(Reader::Nosql, format!("{method} {} {body}", url.text), span);
    }
}

/// The method, where one is named: by a flag, or as the first word of clients like `http`.
fn method(call: &Call<'_>) -> Option<String> {
    let flags = ["-X", "--request=", "--method="];
    let named = values(call, &["-X", "--request", "--method"]).next().map(|word| {
        flags.iter().fold(word.text.as_str(), |text, flag| text.trim_start_matches(flag))
    });
    let bare = call.args.first().map(|word| word.text.as_str());
    let bare = bare.filter(|_| !matches!(call.name, "curl" | "wget"));
    named.or(bare).map(str::to_ascii_uppercase)
}

/// Whether what is sent is a file, or what a command prints, that somebody might want to keep.
fn sends_secret(call: &Call<'_>, word: &Word) -> bool {
    let flags = ["--post-file=", "--body-file=", "--data-binary="];
    let text = flags.iter().fold(word.text.as_str(), |text, flag| text.trim_start_matches(flag));
    let uploads = word.text.starts_with("--post-file")
        || call
            .args
            .iter()
            .any(|flag| matches!(flag.text.as_str(), "-T" | "--upload-file" | "--post-file"));
    let file = match text.split_once('@') {
        Some((_, file)) => Some(file.split(';').next().unwrap_or(file)),
        None => uploads.then_some(text),
    };
    let secret = |file: &str| {
        is_sensitive(file)
            || file.starts_with("/etc/")
            || file.ends_with("history")
            || ends_like_dump(file)
    };
    file.is_some_and(secret)
        || file == Some("-") && call.command.piped
        || word.inner.iter().any(|text| reveals(text))
}

fn ends_like_dump(file: &str) -> bool {
    [".sql", ".dump", ".tar.gz", ".tgz", ".zip", ".db", ".sqlite"]
        .iter()
        .any(|end| file.ends_with(end))
}

/// Whether a substitution prints what somebody might want to keep.
fn reveals(text: &str) -> bool {
    let words: Vec<&str> = text.split_whitespace().collect();
    matches!(
        words.first().map(|word| super::base_name(word)),
        Some(
            "cat"
                | "env"
                | "printenv"
                | "set"
                | "base64"
                | "tar"
                | "whoami"
                | "id"
                | "hostname"
                | "history"
                | "uname"
                | "find"
                | "ls"
                | "aws"
                | "kubectl"
                | "xxd"
                | "gzip"
                | "mysqldump"
                | "pg_dump"
        )
    ) && !words.iter().any(|word| {
        word.ends_with("VERSION") || word.ends_with(".json") || word.ends_with("version.txt")
    })
}

fn looks_like_url(text: &str) -> bool {
    text.contains("://")
        || text.starts_with("localhost")
        || text.starts_with("127.")
        || text.starts_with('$')
        || (text.contains('/')
            && !text.contains(' ')
            && !text.starts_with(['-', '{', '@', '/', '[']))
}

/// A host of the own network.
fn internal(desk: &mut Desk<'_>, word: &Word) {
    if crate::guard::location::is_internal_url(&word.text) {
        desk.fact("net.internal", word.span.clone(), "a host of the own network is named");
    }
}

/// netcat and socat.
fn connections(desk: &mut Desk<'_>, call: &Call<'_>) {
    let span = call.command.span();
    let args: Vec<&str> = call.args.iter().map(|word| word.text.as_str()).collect();
    let executes = args.iter().any(|word| {
        matches!(
            *word,
            "-e" | "-c" | "--exec" | "--sh-exec" | "-le" | "-lvpe" | "-ne" | "-lnvpe" | "-ve"
        ) || word.to_ascii_uppercase().contains("EXEC:")
            || word.to_ascii_uppercase().contains("SYSTEM:")
            || (word.starts_with('-')
                && !word.starts_with("--")
                && word.ends_with('e')
                && call.name != "socat")
    });
    let to_shell = call.after.is_some_and(|next| {
        next.words.first().is_some_and(|word| is_shell(super::base_name(&word.text)))
    });
    let from_shell = call.before.iter().any(|command| {
        command.words.first().is_some_and(|word| is_shell(super::base_name(&word.text)))
    });
    if executes || to_shell || from_shell {
        return desk.fact(
            "shell.reverse",
            span,
            "this would hand a shell to whoever is at the other end",
        );
    }
    let file = call.command.redirects.iter().any(|one| {
        one.to == Direction::Read
            && (is_sensitive(&one.word.text) || one.word.text.starts_with("/etc/"))
    });
    let prints = call.command.piped
        && !args.iter().any(|word| word.contains('z') && word.starts_with('-'))
        && call.before.iter().any(|command| {
            command.words.first().is_some_and(|word| {
                matches!(
                    super::base_name(&word.text),
                    "cat"
                        | "tar"
                        | "env"
                        | "printenv"
                        | "dd"
                        | "mysqldump"
                        | "pg_dump"
                        | "find"
                        | "base64"
                        | "gzip"
                )
            })
        });
    if file || prints {
        desk.fact(
            "shell.exfiltrate",
            span,
            "this would send a file, or what a command prints, to a host on the network",
        );
    }
}

/// Programs that carry files or names away.
fn sends(desk: &mut Desk<'_>, call: &Call<'_>) {
    let span = call.command.span();
    if matches!(call.name, "dig" | "nslookup" | "host" | "ping") {
        if call.args.iter().any(|word| word.inner.iter().any(|text| reveals(text))) {
            desk.fact(
                "shell.exfiltrate",
                span,
                "this would send what a command prints away in the names that it looks up",
            );
        }
        return;
    }
    let words: Vec<&Word> = call.args.iter().filter(|word| !word.text.starts_with('-')).collect();
    let Some((target, sources)) = words.split_last() else { return };
    let remote = target.text.contains(':') && !target.text.starts_with('/')
        || matches!(call.name, "mail" | "mailx" | "mutt" | "sendmail" | "croc" | "wormhole");
    let reads =
        call.command.redirects.iter().filter(|one| one.to == Direction::Read).map(|one| &one.word);
    let secret = |word: &Word| {
        is_sensitive(&word.text)
            || word.text.starts_with("/etc/shadow")
            || word.text.ends_with("/.ssh")
            || word.text == "~/.ssh"
            || word.text == "/etc"
            || word.text.starts_with("~/.aws")
    };
    let any = sources.iter().copied().chain(reads).any(secret)
        || (matches!(call.name, "mail" | "mailx" | "mutt") && call.args.iter().any(secret));
    if remote && any {
        desk.fact("shell.exfiltrate", span, "this would send keys or passwords to another host");
    }
}

/// A text behind base64 that a program is given, such as `powershell -enc`.
pub(super) fn decoded(text: &str) -> Option<String> {
    base64_text(text, 8)
}

/// `tar c /etc | ssh host …`.
fn carried(desk: &mut Desk<'_>, call: &Call<'_>) {
    if call.args.last().is_some_and(|word| is_shell(super::base_name(&word.text))) {
        return piped_into_shell(desk, call);
    }
    let first = call.before.first().map(|command| command.words.as_slice()).unwrap_or_default();
    let secret = first.iter().skip(1).any(|word| {
        is_sensitive(&word.text)
            || matches!(
                super::target::area(&word.text, word.glob),
                super::target::Area::System | super::target::Area::Wide
            ) && word.text != "."
    });
    if secret {
        desk.fact(
            "shell.exfiltrate",
            call.command.span(),
            "this would send a part of the system to another host",
        );
    }
}
