//! What a path is about: the system, a home, everything here, or something that can be made again.

use std::sync::LazyLock;

use crate::guard::text::Parts;

/// An area of the file system, the more dangerous the earlier.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::guard) enum Area {
    /// The root, or a folder of the system and all in it.
    System,
    /// A home folder, or everything here: `~`, `*`, `.`, `..`.
    Wide,
    /// It is not known which.
    Unknown,
    /// A device.
    Device,
    /// A named file or folder.
    Named,
    /// Build output, caches, temporary files.
    Scratch,
}

/// The area of a path. `glob` tells that stars in it are patterns.
pub(in crate::guard) fn area(path: &str, glob: bool) -> Area {
    let bare = path.trim_start_matches("file://");
    let bare = strip_variables(bare);
    let path = bare.as_str();
    if path.starts_with("/dev/") {
        return if matches!(
            path,
            "/dev/null"
                | "/dev/stdout"
                | "/dev/stderr"
                | "/dev/stdin"
                | "/dev/tty"
                | "/dev/zero"
                | "/dev/full"
        ) || path.starts_with("/dev/fd/")
            || path.starts_with("/dev/shm/")
        {
            Area::Scratch
        } else {
            Area::Device
        };
    }
    let parts = parts(path);
    if let Some(rest) = path.strip_prefix('/') {
        return absolute(&parts, rest, glob);
    }
    if path.starts_with('~') || path.starts_with("$HOME") || path.starts_with("${HOME}") {
        return match parts.get(1..) {
            None | Some([] | ["*" | ".*" | "**"]) => Area::Wide,
            Some([first, ..])
                if matches!(*first, ".ssh" | ".aws" | ".gnupg" | ".kube" | ".config") =>
            {
                Area::Wide
            }
            Some(rest) => relative(rest),
        };
    }
    if path.starts_with('$') || path.starts_with('%') {
        return unknown(path, &parts);
    }
    if windows_root(path) {
        return Area::System;
    }
    relative(&parts)
}

/// `${VAR:?}` and `"$VAR"` as `$VAR`.
fn strip_variables(path: &str) -> String {
    path.replace(":?}", "}")
}

fn parts(path: &str) -> Vec<&str> {
    path.split('/').filter(|part| !part.is_empty() && *part != ".").collect()
}

/// `$VAR`, `$VAR/*`: known by name at best.
fn unknown(path: &str, parts: &[&str]) -> Area {
    let name = parts.first().unwrap_or(&"").trim_matches(['$', '{', '}', '%']).to_ascii_lowercase();
    if path.contains("/..") {
        return Area::System;
    }
    let temporary =
        ["tmp", "temp", "cache", "build", "scratch", "workdir", "out", "runner_temp", "dist"]
            .iter()
            .any(|word| name.contains(word));
    if temporary
        || parts.get(1..).is_some_and(|rest| !rest.is_empty() && relative(rest) == Area::Scratch)
    {
        return Area::Scratch;
    }
    Area::Unknown
}

fn absolute(parts: &[&str], rest: &str, glob: bool) -> Area {
    let climbs = rest.split('/').any(|part| part == "..");
    match parts {
        [] => Area::System,
        // `/*`, `/?tc`, `/[e]tc`.
        [only] if glob && only.contains(['*', '?', '[']) => Area::System,
        _ if climbs => absolute_climbing(rest),
        ["tmp" | "scratch", _, ..]
        | ["var", "tmp", _, ..]
        | ["private", "tmp", _, ..]
        | ["var", "folders", ..]
        | ["run", "user", ..] => match parts.last() {
            Some(_) if parts.len() == 2 && matches!(parts.get(1), Some(&"*")) => Area::Scratch,
            _ => Area::Scratch,
        },
        ["tmp" | "scratch"] | ["var", "tmp"] => Area::Scratch,
        ["home" | "Users" | "root"] | ["home" | "Users", "*"] => Area::System,
        ["home" | "Users", _] | ["home" | "Users", _, "*"] => Area::Wide,
        ["root", "*"] => Area::Wide,
        ["home" | "Users", _, rest @ ..] | ["root", rest @ ..] => match relative(rest) {
            Area::Scratch => Area::Scratch,
            _ if rest
                .first()
                .is_some_and(|first| matches!(*first, ".ssh" | ".aws" | ".gnupg" | ".kube")) =>
            {
                Area::Wide
            }
            _ => Area::Named,
        },
        ["var", "log", ..]
        | ["var", "lib", ..]
        | ["var", "spool", ..]
        | ["var", "backups", ..]
        | ["var", "www"]
        | ["var", "www", "*"] => Area::System,
        ["var", "cache", _, ..] => Area::Scratch,
        ["var"] | ["var", "*"] | ["var", _] => Area::System,
        ["usr", "local", "src", _, ..] | ["usr", "src", _, ..] => Area::Named,
        [first, ..] if is_system(first) => Area::System,
        [
            "opt" | "srv" | "data" | "mnt" | "media" | "backup" | "backups" | "Applications"
            | "Volumes" | "app",
        ] => Area::System,
        ["opt" | "srv" | "data" | "mnt" | "media" | "backup" | "backups" | "Volumes", "*"] => {
            Area::System
        }
        _ => relative(parts),
    }
}

/// With `..` worked out.
fn absolute_climbing(rest: &str) -> Area {
    let mut stack: Vec<&str> = Vec::new();
    for part in rest.split('/') {
        match part {
            "" | "." => {}
            ".." => {
                stack.pop();
            }
            part => stack.push(part),
        }
    }
    let glob = stack.iter().any(|part| part.contains('*'));
    absolute(&stack, "", glob)
}

fn is_system(first: &str) -> bool {
    matches!(
        first,
        "bin"
            | "sbin"
            | "boot"
            | "dev"
            | "etc"
            | "lib"
            | "lib32"
            | "lib64"
            | "proc"
            | "sys"
            | "usr"
            | "run"
            | "System"
            | "Library"
            | "private"
            | "snap"
            | "efi"
            | "lost+found"
            | "nix"
    ) || first.contains(['?', '['])
}

fn relative(parts: &[&str]) -> Area {
    match parts {
        [] | [".."] => Area::Wide,
        [only]
            if matches!(*only, "*" | "**" | ".*" | "*.*" | "?*" | ".git" | ".[!.]*" | ".??*") =>
        {
            Area::Wide
        }
        [head @ .., "*" | "**"] if head.iter().all(|part| *part == "..") => Area::Wide,
        parts if parts.iter().all(|part| *part == "..") => Area::Wide,
        parts if parts.iter().any(|part| is_scratch(part)) => Area::Scratch,
        _ => Area::Named,
    }
}

/// Names of folders and files that can be made again.
const SCRATCH: [&str; 54] = [
    "node_modules",
    "build",
    "dist",
    "target",
    "out",
    "tmp",
    "temp",
    ".tmp",
    "cache",
    ".cache",
    "caches",
    "__pycache__",
    ".pytest_cache",
    ".mypy_cache",
    ".ruff_cache",
    ".tox",
    ".nox",
    "venv",
    ".venv",
    "coverage",
    "htmlcov",
    ".nyc_output",
    ".next",
    ".nuxt",
    ".svelte-kit",
    ".turbo",
    ".parcel-cache",
    ".gradle",
    ".terraform",
    ".eggs",
    "_build",
    "bin",
    "obj",
    ".sass-cache",
    "bower_components",
    "cmake-build-debug",
    ".idea",
    "cmake-build-release",
    "test-results",
    "playwright-report",
    "storybook-static",
    "public/build",
    ".angular",
    ".serverless",
    ".aws-sam",
    "cdk.out",
    "deriveddata",
    "pods",
    ".dart_tool",
    "_site",
    ".jekyll-cache",
    "logs",
    "generated",
    "gen",
];
/// Ends of such names.
const SCRATCH_ENDS: [&str; 12] = [
    ".tmp",
    ".temp",
    ".log",
    ".bak",
    ".pyc",
    ".o",
    ".swp",
    ".cache",
    ".egg-info",
    ".orig",
    "~",
    ".old",
];

fn is_scratch(part: &str) -> bool {
    let lower = part.to_ascii_lowercase();
    SCRATCH.contains(&lower.as_str())
        || SCRATCH_ENDS.iter().any(|end| lower.ends_with(end))
        || ["tmp", "temp", "test-", "test_", "scratch"].iter().any(|start| lower.starts_with(start))
        || ["cache", "-tmp", "_tmp"].iter().any(|within| lower.contains(within))
}

/// `C:`, `C:\`, `C:\Windows`.
fn windows_root(path: &str) -> bool {
    let mut characters = path.chars();
    let drive = characters.next().is_some_and(|c| c.is_ascii_alphabetic())
        && characters.next() == Some(':');
    let rest = characters.as_str().trim_start_matches(['\\', '/']).to_ascii_lowercase();
    drive
        && (rest.is_empty()
            || rest.starts_with('*')
            || ["windows", "users", "program"].iter().any(|start| rest.starts_with(start)))
}

/// Parts of paths to keys, passwords or the like.
static SENSITIVE: LazyLock<Parts> = LazyLock::new(|| {
    Parts::of(&[
        "/etc/shadow",
        "/etc/gshadow",
        "/etc/sudoers",
        "/etc/master.passwd",
        ".ssh/id_",
        ".ssh/authorized_keys",
        ".aws/credentials",
        ".kube/config",
        ".docker/config.json",
        ".gnupg/",
        "/etc/kubernetes/admin.conf",
        "/etc/kubernetes/pki",
        "/proc/self/environ",
        "/proc/1/environ",
        "/var/run/secrets",
        "/run/secrets/",
        ".config/gcloud",
        "/etc/ssl/private",
        "/config/sam",
        ".azure/",
        "system32/config",
        "ntds.dit",
        "/proc/kcore",
        "/dev/mem",
        ".terraform.d/credentials",
        "/var/run/docker.sock",
        "/run/docker.sock",
    ])
});
/// Names of such files.
const SENSITIVE_NAMES: [&str; 23] = [
    ".netrc",
    ".pgpass",
    ".npmrc",
    ".pypirc",
    ".git-credentials",
    ".vault-token",
    ".htpasswd",
    ".my.cnf",
    "id_rsa",
    "id_ed25519",
    "id_ecdsa",
    "id_dsa",
    ".bash_history",
    ".zsh_history",
    "shadow",
    "wp-config.php",
    "terraform.tfstate",
    ".env",
    "credentials.json",
    "secrets.yml",
    "secrets.yaml",
    "master.key",
    "keystore.jks",
];

/// Files that hold keys, passwords or the like.
pub(in crate::guard) fn is_sensitive(path: &str) -> bool {
    // Cheap, for the many words that are no paths.
    if !path.bytes().any(|byte| matches!(byte, b'.' | b'/' | b'\\' | b'_')) && path != "shadow" {
        return false;
    }
    let name = path.rsplit(['/', '\\']).next().unwrap_or(path);
    let ends = |end: &&str| {
        let from = name.len().checked_sub(end.len());
        from.and_then(|from| name.get(from..)).is_some_and(|tail| tail.eq_ignore_ascii_case(end))
    };
    let named = SENSITIVE.is_match(path)
        || SENSITIVE_NAMES.iter().any(|one| one.eq_ignore_ascii_case(name))
        || name.get(..5).is_some_and(|start| start.eq_ignore_ascii_case(".env."))
        || [".pem", ".kdbx", ".pfx", ".p12", ".keytab"].iter().any(ends);
    if !named {
        return false;
    }
    let lower = name.to_ascii_lowercase();
    let public = [".pub", ".md"].iter().any(ends)
        || ["example", "sample", "template"].iter().any(|within| lower.contains(within));
    let key = !lower.ends_with(".pem") || lower.contains("key") || SENSITIVE.is_match(path);
    !public && key
}

#[cfg(test)]
mod tests {
    use super::{Area, area};

    #[test]
    fn paths_are_told_apart() {
        for (path, expected) in [
            ("/", Area::System),
            ("//", Area::System),
            ("/*", Area::System),
            ("/etc", Area::System),
            ("/tmp/../etc", Area::System),
            ("/tmp/x", Area::Scratch),
            ("~", Area::Wide),
            ("$HOME", Area::Wide),
            ("~/", Area::Wide),
            ("~/projects/app/node_modules", Area::Scratch),
            ("*", Area::Wide),
            ("./*", Area::Wide),
            (".", Area::Wide),
            ("..", Area::Wide),
            ("../..", Area::Wide),
            ("node_modules", Area::Scratch),
            ("./dist", Area::Scratch),
            ("$DIR", Area::Unknown),
            ("$TMPDIR/x", Area::Scratch),
            ("src/old.rs", Area::Named),
            ("/dev/sda", Area::Device),
            ("/dev/null", Area::Scratch),
            ("/home/ann", Area::Wide),
            ("/home/ann/notes.txt", Area::Named),
            ("C:\\Windows", Area::System),
        ] {
            assert_eq!(area(path, path.contains('*')), expected, "{path}");
        }
    }
}
