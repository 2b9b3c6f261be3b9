//! Program texts that a command line carries (`python -c`, `node -e`, `awk`), or that a tool is
//! given: looked through for calls that delete, start programs or connect. No language is parsed;
//! literals and the names before them are enough to know what is called with what.

use super::{
    target::{Area, area},
    unwrap::Call,
    word::Word,
};
use crate::guard::desk::{Desk, Reader};

/// A call with a literal: its name and the literal's text, and where it stands.
struct Literal {
    /// What stands before the literal, back to the begin of the statement, without spaces.
    before: String,
    text: String,
    span: std::ops::Range<usize>,
    /// A pipe stands behind it, as in awk's `"command" | getline`.
    piped: bool,
}

/// More literals than this are not looked at.
const LITERALS_MAX: usize = 4096;

/// Reads a program that is given on a command line.
pub(super) fn interpreter(desk: &mut Desk<'_>, call: &Call<'_>) {
    let flags: &[&str] = match call.name {
        name if name.starts_with("python") || name == "pypy" || name == "pypy3" => &["-c"],
        "perl" | "ruby" | "lua" | "jruby" | "rscript" | "julia" | "osascript" | "groovy"
        | "elixir" | "runghc" | "ghc" | "scala" => {
            &["-e", "-E", "-ne", "-pe", "-ple", "-nle", "-le", "-lne", "-i", "-Mre", "-MSocket"]
        }
        "node" | "nodejs" | "bun" | "deno" | "ts-node" | "tsx" => {
            &["-e", "--eval", "-p", "-pe", "--print", "eval"]
        }
        "php" => &["-r", "-R"],
        "awk" | "gawk" | "mawk" | "nawk" => &[],
        "vim" | "vi" | "ex" | "nvim" | "emacs" | "ed" | "less" | "man" | "gdb" => {
            return editor(desk, call);
        }
        _ => return,
    };
    for word in call.args.iter().filter(|word| word.text == "/dev/fd/63") {
        super::network::process(desk, word);
    }
    let awk = call.name.ends_with("awk");
    let mut given = false;
    for (at, word) in call.args.iter().enumerate() {
        let after = at.checked_sub(1).and_then(|before| call.args.get(before));
        let cluster = |flag: &Word| {
            flags.contains(&flag.text.as_str())
                || (flag.text.starts_with('-')
                    && !flag.text.starts_with("--")
                    && flag.text.ends_with(['e', 'c', 'r'])
                    && flag.text.len() <= 5
                    && !flags.is_empty())
        };
        if awk && !word.text.starts_with('-') || after.is_some_and(cluster) {
            given = true;
            if word.inner.iter().any(|text| super::network::hides(text)) {
                desk.fact(
                    "shell.download.execute",
                    word.span.clone(),
                    "this would run a program that a download or an encoding gives",
                );
            }
            desk.later(Reader::Code, word.text.clone(), word.span.clone());
        }
    }
    if given || awk {
        return;
    }
    if let Some(text) = super::given(call.command) {
        return desk.later(Reader::Code, text.text.clone(), text.span.clone());
    }
    let file = call.args.iter().any(|word| !word.text.starts_with('-'));
    if call.command.piped && !file {
        match super::constant::pipeline(call.before) {
            Some(text) => desk.later(Reader::Code, text, call.command.span()),
            None => desk.fact(
                "shell.download.execute",
                call.command.span(),
                "this would run a program that another command gives, unread",
            ),
        }
    }
}

/// `vim -c ':!rm -rf /'`.
fn editor(desk: &mut Desk<'_>, call: &Call<'_>) {
    for word in call.args {
        let text = word.text.trim_start_matches(['+', ':']).trim_start_matches("silent ");
        if let Some(script) = text
            .strip_prefix('!')
            .or_else(|| text.strip_prefix("shell "))
            .or_else(|| text.strip_prefix("!"))
            && !script.is_empty()
        {
            desk.later(Reader::Shell, script.to_owned(), word.span.clone());
        }
    }
}

/// Reads a program text.
pub(in crate::guard) fn read(desk: &mut Desk<'_>, text: &str) {
    desk.fact("code", 0..0, "a program text is looked through");
    let (literals, bare) = scan(text);
    for literal in &literals {
        one(desk, literal);
    }
    lists(desk, &literals);
    sockets(desk, &bare, text);
    let calls = [
        "shutil.rmtree(",
        "fs.rmSync(",
        "fs.rm(",
        ").rm(",
        "rimraf(",
        "FileUtils.rm_rf",
        "fs.rmdirSync(",
        "rmtree(",
    ];
    for call in calls {
        if let Some(at) = bare.find(call)
            && !literals.iter().any(|literal| literal.before.ends_with(call))
        {
            desk.fact(
                "shell.delete.recursive",
                at..at + call.len(),
                "this would delete a folder that is not known before",
            );
        }
    }
    if let Some(at) = ["os.fork()", "forkwhile", "while(1){fork", "fork();"]
        .iter()
        .find_map(|call| bare.find(call).filter(|_| bare.contains("while")))
    {
        desk.fact("shell.exhaust", at..at + 4, "this would start copies of itself without end");
    }
    let each = ["listdir(", "glob(", "walk(", "iterdir(", "rglob(", "scandir(", "readdir", "Dir["];
    let unlinks = ["os.remove(", "os.unlink(", "unlink", "File.delete("];
    if each.iter().any(|call| bare.contains(call))
        && unlinks.iter().any(|call| bare.contains(call) || text.contains(call))
    {
        desk.fact("shell.delete.wide", 0..text.len(), "this would delete whatever files it finds");
    }
    if bare.contains("kill(-1") {
        desk.fact("shell.kill", 0..text.len(), "this would kill every process");
    }
    for call in ["exec(", "eval(", "Function("] {
        let hidden = bare.match_indices(call).any(|(at, _)| {
            let inner = bare.get(at..(at + 120).min(bare.len())).unwrap_or_default();
            inner.contains("b64decode")
                || inner.contains("atob(")
                || inner.contains("base64")
                || inner.contains("urlopen")
                || inner.contains("requests.get")
                || inner.contains("fromhex")
                || inner.contains("decompress")
                || inner.contains("marshal")
        });
        if hidden {
            desk.fact(
                "shell.obfuscated",
                0..text.len(),
                "this would run code that comes out of an encoding or the network",
            );
        }
    }
}

/// The literals of a text with what stands before each, and the text without them.
fn scan(text: &str) -> (Vec<Literal>, String) {
    let bytes = text.as_bytes();
    let mut literals = Vec::new();
    let mut bare = String::with_capacity(text.len());
    let mut at = 0;
    while at < bytes.len() {
        let Some(found) = bytes
            .get(at..)
            .and_then(|rest| rest.iter().position(|byte| matches!(byte, b'\'' | b'"' | b'`')))
        else {
            break;
        };
        bare.extend(
            text.get(at..at + found).unwrap_or_default().chars().filter(|c| !c.is_whitespace()),
        );
        let open = at + found;
        let quote = bytes.get(open).copied().unwrap_or(b'"');
        let triple = bytes.get(open + 1) == Some(&quote) && bytes.get(open + 2) == Some(&quote);
        let width = if triple { 3 } else { 1 };
        let mut end = open + width;
        while let Some(byte) = bytes.get(end) {
            match byte {
                b'\\' => end += 1,
                byte if *byte == quote
                    && (!triple
                        || (bytes.get(end + 1) == Some(&quote)
                            && bytes.get(end + 2) == Some(&quote))) =>
                {
                    break;
                }
                _ => {}
            }
            end += 1;
        }
        let end = end.min(bytes.len());
        let inner = text.get(open + width..end).unwrap_or_default();
        if literals.len() < LITERALS_MAX {
            let tail = bare.floor_char_boundary(bare.len().saturating_sub(160));
            let before = bare.get(tail..).unwrap_or_default().to_owned();
            let before = if quote == b'`' { format!("{before}`") } else { before };
            literals.push(Literal {
                before,
                text: super::constant::unescape(inner),
                span: open..end,
                piped: text.get(end + width..).is_some_and(|rest| {
                    rest.trim_start().starts_with('|') && !rest.trim_start().starts_with("||")
                }),
            });
        }
        bare.push('"');
        at = end + width;
    }
    bare.extend(
        text.get(at.min(text.len())..).unwrap_or_default().chars().filter(|c| !c.is_whitespace()),
    );
    (literals, bare)
}

/// Names of calls whose first text is run by a shell.
const RUNS: &[&str] = &[
    "os.system(",
    "system(",
    "popen(",
    "popen2(",
    "exec(",
    "execSync(",
    "execFileSync(",
    "shell_exec(",
    "passthru(",
    "proc_open(",
    "getoutput(",
    "getstatusoutput(",
    "check_output(",
    "check_call(",
    "subprocess.run(",
    "subprocess.call(",
    "Popen(",
    "spawn(",
    "spawnSync(",
    "sh(",
    "shell(",
    "os.execute(",
    "os.popen(",
    "Deno.run(",
    "Deno.Command(",
    "run(",
    "call(",
    "%x(",
    "system",
    "exec",
    "doshellscript",
    "sh.exec(",
    "$`",
    "Process.spawn(",
    "IO.popen(",
    "Runtime.getRuntime().exec(",
    "pty.spawn(",
    "execvp(",
    "execl(",
    "execv(",
    "execlp(",
    "`",
];

/// Names of calls whose first text is a path that is deleted, with all that it holds.
const DELETES: &[&str] = &[
    "rmtree(",
    "rmSync(",
    "fs.rm(",
    ").rm(",
    "rimraf(",
    "rimraf.sync(",
    "rm_rf(",
    "rm_r(",
    "remove_dir_all(",
    "removeSync(",
    "fse.remove(",
    "rmdirSync(",
    "rmdir(",
    "remove_tree(",
    "rm_rf",
    "rm_r",
    "deleteDirectory(",
    "deltree(",
    "emptyDirSync(",
    "Deno.remove(",
    "Deno.removeSync(",
    "removedirs(",
    "Remove-Item",
];

/// Names of calls that delete one file.
const UNLINKS: &[&str] = &[
    "os.remove(",
    "os.unlink(",
    "unlink(",
    "unlinkSync(",
    "File.delete(",
    "Path(",
    "os.rmdir(",
    "File.unlink(",
    "unlinkglob(",
    "unlinkglob",
    "unlink",
];

fn one(desk: &mut Desk<'_>, literal: &Literal) {
    let before = literal.before.trim_end_matches(['[', '(', 'f', 'r', 'b', 'u']);
    let opened = literal
        .before
        .trim_end_matches(['f', 'r', 'b', 'u'])
        .trim_end_matches('[')
        .trim_end_matches(['f', 'r', 'b', 'u']);
    let ends = |names: &[&str]| {
        names.iter().any(|name| opened.ends_with(name) || literal.before.ends_with(name))
            && !before.ends_with("re.")
    };
    if ends(DELETES) {
        let word = Word::plain(&literal.text, literal.span.clone());
        return super::programs::removal(desk, &word, true);
    }
    if ends(UNLINKS) && !literal.text.is_empty() {
        let word = Word::plain(&literal.text, literal.span.clone());
        return super::programs::removal(desk, &word, false);
    }
    if (ends(RUNS) || literal.before.ends_with('|') || literal.piped) && !literal.text.is_empty() {
        if literal.before.ends_with('`') && !super::resembles(&literal.text) {
            return;
        }
        desk.fact("code.execute", literal.span.clone(), "a program text starts another program");
        desk.later(Reader::Shell, literal.text.clone(), literal.span.clone());
        return;
    }
    if opened.ends_with(".execute(")
        || opened.ends_with(".query(")
        || opened.ends_with(".raw(")
        || opened.ends_with("execute_sql(")
        || opened.ends_with("executescript(")
        || opened.ends_with("executemany(")
        || opened.ends_with("mysqli_query(")
        || opened.ends_with(".exec(")
    {
        desk.later(Reader::Sql, literal.text.clone(), literal.span.clone());
    }
    let opens = opened.ends_with("open(")
        || opened.ends_with("writeFileSync(")
        || opened.ends_with("readFileSync(")
        || opened.ends_with("file_get_contents(");
    if opens {
        if area(&literal.text, false) == Area::Device {
            desk.fact("shell.device.write", literal.span.clone(), "this would open a disk");
        } else if super::target::is_sensitive(&literal.text) {
            desk.fact(
                "path.sensitive",
                literal.span.clone(),
                "a file is named that holds keys or passwords",
            );
        }
    }
}

/// `run(['rm', '-rf', '/'])`: literals in a row that begin in a call.
fn lists(desk: &mut Desk<'_>, literals: &[Literal]) {
    for (at, first) in literals.iter().enumerate() {
        let opened = first.before.trim_end_matches(['(', '[']);
        let call = RUNS
            .iter()
            .map(|name| name.trim_end_matches('('))
            .any(|name| name.len() > 1 && opened.ends_with(name));
        if !call {
            continue;
        }
        let rest = literals
            .get(at + 1..)
            .unwrap_or_default()
            .iter()
            .take(32)
            .take_while(|next| next.before.ends_with(",") || next.before.ends_with(",["));
        let argv: Vec<String> =
            std::iter::once(first).chain(rest).map(|literal| literal.text.clone()).collect();
        if argv.len() > 1 {
            desk.later(Reader::Argv(argv), "", first.span.clone());
        }
    }
}

/// A socket whose ends become a shell's.
fn sockets(desk: &mut Desk<'_>, bare: &str, text: &str) {
    let socket = [
        "socket.socket",
        "TCPSocket",
        "fsockopen",
        "net.connect",
        "net.Socket",
        "newSocket(",
        "IO::Socket",
        "useSocket",
        "Socket;",
        "socket(",
    ]
    .iter()
    .any(|name| bare.contains(name));
    let shell =
        ["dup2", "/bin/sh", "/bin/bash", "pty.spawn", "exec(", "cmd.exe", "spawn(", "subprocess"]
            .iter()
            .any(|name| bare.contains(name) || text.contains(name));
    if socket && shell {
        desk.fact(
            "shell.reverse",
            0..text.len(),
            "this would hand a shell to a host on the network",
        );
    }
}
