//! Programs and files that keep a machine running: processes, services, accounts, schedules, logs,
//! firewalls, packages.

use std::sync::LazyLock;

use super::{
    programs::{flag, operands},
    target::{Area, area},
    unwrap::Call,
    word::{Command, Direction, Word},
};
use crate::guard::{
    desk::{Desk, Reader},
    fact::shown,
    text::Parts,
};

/// Redirects of a command: what is written over.
pub(super) fn redirects(desk: &mut Desk<'_>, command: &Command) {
    for redirect in &command.redirects {
        if matches!(redirect.to, Direction::Write | Direction::Append) {
            written(desk, &redirect.word, redirect.to);
            let bare = command.words.is_empty()
                || command.words.iter().map(|word| word.text.as_str()).eq([":"])
                || command.words.iter().map(|word| word.text.as_str()).eq(["true"]);
            let nothing = bare
                || command.words.iter().map(|word| word.text.as_str()).eq(["cat", "/dev/null"])
                || command.words.iter().map(|word| word.text.as_str()).eq(["echo", "-n"])
                || command.words.iter().map(|word| word.text.as_str()).eq(["echo"]);
            if nothing
                && redirect.to == Direction::Write
                && (redirect.word.text.starts_with("/var/")
                    || redirect.word.text.starts_with("/srv/"))
                && !matches!(area(&redirect.word.text, false), Area::Scratch)
            {
                desk.fact(
                    "shell.history",
                    redirect.word.span.clone(),
                    format!("this would empty {}", shown(&redirect.word.text)),
                );
            }
        }
        if redirect.word.text.starts_with("/dev/tcp/")
            || redirect.word.text.starts_with("/dev/udp/")
        {
            desk.fact(
                "shell.reverse",
                redirect.word.span.clone(),
                "this would connect a shell with a host on the network",
            );
        }
    }
}

/// A file that is written to.
pub(super) fn written(desk: &mut Desk<'_>, word: &Word, how: Direction) {
    let (span, path) = (word.span.clone(), word.text.as_str());
    let what = shown(path);
    if area(path, false) == Area::Device {
        return desk.fact(
            "shell.device.write",
            span,
            format!("this would write to the device {what}"),
        );
    }
    if path == "/proc/sysrq-trigger" || path.starts_with("/proc/sys/") || path.starts_with("/sys/")
    {
        return desk.fact("shell.kernel", span, "this would change the running kernel");
    }
    if is_login(path) {
        let label = if path.contains("sudoers")
            || path.contains("/etc/passwd")
            || path.contains("/etc/shadow")
        {
            "shell.privilege.account"
        } else {
            "shell.persist"
        };
        return desk.fact(
            label,
            span,
            format!("this would change {what}, which lets people log in or runs by itself"),
        );
    }
    if path.ends_with("_history")
        || path.starts_with("/var/log/")
            && how == Direction::Write
            && !path.contains("/app")
            && is_system_log(path)
    {
        return desk.fact("shell.history", span, format!("this would empty {what}"));
    }
    let names =
        ["/etc/hosts", "/etc/resolv.conf", "/etc/nsswitch.conf", "/etc/fstab", "/etc/environment"];
    if (how == Direction::Write && is_critical(path)) || names.contains(&path) {
        desk.fact("shell.overwrite", span, format!("this would overwrite {what}"));
    }
}

fn is_system_log(path: &str) -> bool {
    [
        "auth", "syslog", "secure", "messages", "wtmp", "btmp", "lastlog", "audit", "kern",
        "faillog", "cron", "utmp",
    ]
    .iter()
    .any(|log| path.contains(log))
}

/// Files without which a machine does not run, or anybody logs in.
pub(super) fn is_critical(path: &str) -> bool {
    let parts: Vec<&str> = path.split('/').filter(|part| !part.is_empty()).collect();
    path.starts_with('/')
        && match parts.as_slice() {
            [] => true,
            ["boot" | "bin" | "sbin" | "lib" | "lib64" | "proc" | "sys", ..] => true,
            ["usr", "bin" | "sbin" | "lib" | "lib64", ..] => true,
            [
                "etc",
                "nginx" | "apache2" | "httpd" | "motd" | "issue" | "profile.d" | "default" | "apt"
                | "yum.repos.d" | "sysctl.d" | "modprobe.d" | "logrotate.d" | "docker"
                | "prometheus" | "grafana" | "haproxy",
                _,
                ..,
            ] => false,
            ["etc", "motd" | "issue" | "timezone" | "localtime" | "environment"] => false,
            ["etc", ..] => true,
            [
                "var",
                "lib",
                "mysql" | "postgresql" | "mongodb" | "docker" | "dpkg" | "rpm" | "redis" | "etcd",
                ..,
            ] => true,
            [only] => matches!(*only, "usr" | "var" | "home" | "root" | "opt" | "etc"),
            ["var", "lib" | "log"] => true,
            _ => false,
        }
}

/// Parts of such paths.
static LOGIN: LazyLock<Parts> = LazyLock::new(|| {
    Parts::of(&[
        "/etc/cron",
        "/var/spool/cron",
        "/etc/sudoers",
        "/etc/passwd",
        "/etc/shadow",
        "/etc/group",
        "/etc/ssh/",
        "/etc/pam.d",
        "authorized_keys",
        "/etc/systemd/system",
        "/etc/init.d",
        "/etc/rc.local",
        "/etc/ld.so.preload",
        "/etc/profile",
        ".ssh/config",
        "/etc/hosts.allow",
        "LaunchAgents",
        "LaunchDaemons",
        "/.config/autostart",
    ])
});

/// Files that let people log in, or that run by themselves.
pub(super) fn is_login(path: &str) -> bool {
    LOGIN.is_match(path)
        || [".bashrc", ".zshrc", ".profile", ".bash_profile", ".zprofile"]
            .iter()
            .any(|end| path.ends_with(end))
            && (path.starts_with("/root") || path.starts_with("/etc"))
}

/// What a program would do: a label, and words for it.
type Finding = Option<(&'static str, &'static str)>;

/// Reads one program.
pub(super) fn read(desk: &mut Desk<'_>, call: &Call<'_>) {
    let args: Vec<&str> = call.args.iter().map(|word| word.text.as_str()).collect();
    let found = match call.name {
        "at" | "batch" => at(desk, call),
        "screen" | "tmux" => multiplexer(desk, call),
        _ => [power, services, firewall, security, history, accounts, kernel, machine]
            .into_iter()
            .find_map(|room| room(call, &args)),
    };
    if let Some((label, note)) = found {
        desk.fact(label, call.command.span(), note);
    }
}

fn has(args: &[&str], names: &[&str]) -> bool {
    args.iter().any(|word| names.contains(word))
}

fn power(call: &Call<'_>, args: &[&str]) -> Finding {
    let stops = match call.name {
        "shutdown" => !has(args, &["-c", "--help", "--show"]),
        "reboot" | "halt" | "poweroff" => true,
        "init" | "telinit" => has(args, &["0", "1", "6", "s", "S"]),
        _ => false,
    };
    stops.then_some(("shell.shutdown", "this would stop or restart the machine"))
}

fn services(call: &Call<'_>, args: &[&str]) -> Finding {
    let (stops, note) = match call.name {
        "systemctl" => return systemctl(args),
        "kill" | "pkill" | "killall" | "skill" | "killall5" | "taskkill" => {
            return kill(call, args);
        }
        "service" | "rc-service" => {
            (has(args, &["stop", "--full-restart"]), "this would stop a service")
        }
        "stop" => (args.len() == 1 || has(args, &["stop"]), "this would stop a service"),
        "initctl" => (has(args, &["stop"]), "this would stop a service"),
        "launchctl" => (
            has(args, &["unload", "bootout", "remove", "disable", "stop", "kill"]),
            "this would stop or remove a service",
        ),
        "supervisorctl" | "pm2" => {
            (has(args, &["stop", "delete", "shutdown", "kill"]), "this would stop a service")
        }
        "update-rc.d" | "chkconfig" => (
            has(args, &["remove", "disable", "off", "--del"]),
            "this would remove a service from those that start by themselves",
        ),
        _ => return None,
    };
    stops.then_some(("shell.service", note))
}

fn firewall(call: &Call<'_>, args: &[&str]) -> Finding {
    let (opens, note) = match call.name {
        "ip" => return ip(args),
        "iptables" | "ip6tables" | "ebtables" => (
            flag(call, "FXZD", &["--flush", "--delete-chain"]) || policy(args),
            "this would empty the firewall, or close or open it for everything",
        ),
        "nft" => (has(args, &["flush", "delete", "destroy"]), "this would empty the firewall"),
        "iptables-restore" => (true, "this would replace or switch off the firewall"),
        "pfctl" => (has(args, &["-d", "-F"]), "this would replace or switch off the firewall"),
        "ufw" => (has(args, &["disable", "reset", "delete"]), "this would switch the firewall off"),
        "netsh" => (has(args, &["off", "reset", "disable"]), "this would switch the firewall off"),
        "firewall-cmd" => (
            args.iter().any(|word| word.starts_with("--remove"))
                || has(args, &["--panic-on", "--complete-reload"]),
            "this would take rules of the firewall away",
        ),
        "ifdown" => (true, "this would take the network away"),
        "ifconfig" | "nmcli" => {
            (has(args, &["down", "delete"]), "this would take the network away")
        }
        "route" => (has(args, &["del", "delete", "flush"]), "this would remove routes"),
        _ => return None,
    };
    opens.then_some(("shell.firewall", note))
}

fn security(call: &Call<'_>, args: &[&str]) -> Finding {
    let off = "this would switch a protection of the system off";
    let (weakens, label, note) = match call.name {
        "setenforce" => (has(args, &["0", "permissive", "Permissive"]), "shell.security", off),
        "csrutil" | "spctl" => (has(args, &["disable", "--master-disable"]), "shell.security", off),
        "aa-teardown" | "aa-disable" => (true, "shell.security", off),
        "apparmor_parser" => (has(args, &["-R"]), "shell.security", off),
        "auditctl" => (has(args, &["-D", "-e"]), "shell.security", "this would stop auditing"),
        "gpg" => (has(args, &GPG_DELETES), "shell.overwrite", "this would delete a secret key"),
        "security" => (
            has(args, &["delete-keychain", "dump-keychain", "find-generic-password"]),
            "path.sensitive",
            "this would read or delete a key chain",
        ),
        _ => return None,
    };
    weakens.then_some((label, note))
}

/// Options of gpg that delete a secret key.
const GPG_DELETES: [&str; 3] =
    ["--delete-secret-keys", "--delete-secret-and-public-key", "--delete-secret-key"];

fn history(call: &Call<'_>, args: &[&str]) -> Finding {
    let stop = "this would stop the shell's history";
    let (wipes, note) = match call.name {
        "history" => {
            (flag(call, "cdw", &[]) && !has(args, &["-w"]), "this would wipe the shell's history")
        }
        "unset" => (has(args, &["HISTFILE", "HISTSIZE"]), stop),
        "export" | "set" | "declare" => {
            let off = ["HISTFILE=/dev/null", "HISTSIZE=0", "HISTFILESIZE=0", "HISTFILE="];
            (has(args, &off), stop)
        }
        "journalctl" => {
            let starts = ["--vacuum", "--flush"];
            let touched = has(args, &["--rotate"])
                || args.iter().any(|word| starts.iter().any(|start| word.starts_with(start)));
            return if touched { vacuum(args) } else { None };
        }
        "wevtutil" => (has(args, &["cl", "clear-log"]), "this would wipe the event log"),
        "clear-eventlog" => (true, "this would wipe the event log"),
        "dmesg" => (flag(call, "cC", &["--clear"]), "this would wipe the kernel's log"),
        _ => return None,
    };
    wipes.then_some(("shell.history", note))
}

fn accounts(call: &Call<'_>, args: &[&str]) -> Finding {
    let looks = has(args, &["-S", "--status", "-l", "--list", "--help"]);
    let (changes, note) = match call.name {
        "userdel" | "groupdel" | "deluser" | "delgroup" => {
            (true, "this would delete an account or group")
        }
        "dscl" => (has(args, &["-delete", "delete"]), "this would delete an account or group"),
        // With -l, passwd locks the account.
        "passwd" => (!looks || has(args, &["-l"]), CHANGES_ACCOUNTS),
        "visudo" => (!looks && !has(args, &["-c", "--check"]), CHANGES_ACCOUNTS),
        "useradd" | "adduser" | "usermod" | "groupmod" | "groupadd" | "chpasswd" | "vipw"
        | "gpasswd" | "chage" | "newusers" | "addgroup" => (!looks, CHANGES_ACCOUNTS),
        "setcap" => (true, "this would give a program rights of the system"),
        _ => return None,
    };
    changes.then_some(("shell.privilege.account", note))
}

const CHANGES_ACCOUNTS: &str = "this would change accounts, passwords or who may use sudo";

fn kernel(call: &Call<'_>, args: &[&str]) -> Finding {
    let (changes, label, note) = match call.name {
        "insmod" | "rmmod" => (true, "shell.kernel", "this would change the running kernel"),
        "modprobe" => {
            (has(args, &["-r", "--remove"]), "shell.kernel", "this would change the running kernel")
        }
        "kexec" => (true, "shell.kernel", "this would start another kernel"),
        "sysctl" => {
            let writes = flag(call, "wp", &["--write", "--load"])
                || args.iter().any(|word| word.contains('='));
            return if writes { sysctl(args) } else { None };
        }
        "grub-install" | "efibootmgr" | "bcdedit" | "dracut" | "bless" => {
            (true, "shell.device.write", "this would change how the machine starts")
        }
        _ => return None,
    };
    changes.then_some((label, note))
}

/// Scheduled jobs, packages, and what uses the machine up.
fn machine(call: &Call<'_>, args: &[&str]) -> Finding {
    let (uses_up, note) = match call.name {
        "crontab" => return crontab(call, args),
        "atrm" => return Some(("shell.schedule", "this would remove a scheduled job")),
        "apt" | "apt-get" | "aptitude" | "yum" | "dnf" | "zypper" | "apk" | "pacman" | "brew"
        | "snap" | "dpkg" | "rpm" | "pkg" | "choco" | "winget" | "emerge" | "flatpak" => {
            return packages(call, args);
        }
        "stress" | "stress-ng" => (true, "this would use the machine up"),
        "yes" => (
            call.after.is_none() && (call.command.background || !call.command.redirects.is_empty()),
            "this would use the machine up",
        ),
        "fallocate" => (
            args.iter().any(|word| word.ends_with('T') || word.ends_with("TB")),
            "this would fill the disk",
        ),
        _ => return None,
    };
    uses_up.then_some(("shell.exhaust", note))
}

fn systemctl(args: &[&str]) -> Finding {
    let verb = args.iter().find(|word| !word.starts_with('-') && !word.contains('.'))?;
    match *verb {
        "stop" | "disable" | "mask" | "kill" | "isolate" | "revert" => {
            Some(("shell.service", "this would stop or disable a service"))
        }
        "poweroff" | "reboot" | "halt" | "kexec" | "rescue" | "emergency" | "suspend"
        | "hibernate" | "exit" | "default" => {
            Some(("shell.shutdown", "this would stop or restart the machine"))
        }
        _ => None,
    }
}

/// Processes that everything on a machine depends on, and ways to mean all of them.
const VITAL: [&str; 14] = [
    "systemd",
    "init",
    "sshd",
    "dockerd",
    "containerd",
    "kubelet",
    "postgres",
    "mysqld",
    "root",
    "-u",
    "-U",
    "--user",
    ".",
    ".*",
];
/// The same for `killall`, which takes whole names.
const VITAL_NAMES: [&str; 10] =
    ["systemd", "init", "sshd", "dockerd", "containerd", "kubelet", "-u", "--user", ".*", "-r"];
/// Programs whose output names chosen processes.
const CHOOSERS: [&str; 6] = ["grep", "pgrep", "lsof", "pidof", "fuser", "awk"];

fn kill(call: &Call<'_>, args: &[&str]) -> Finding {
    let hard = has(args, &["-9", "-KILL", "-SIGKILL", "-s9", "KILL", "SIGKILL"]);
    let many = match call.name {
        "kill" => kills_all(call, args),
        "killall5" => true,
        "killall" => has(args, &VITAL_NAMES),
        "taskkill" => args.iter().any(|word| {
            ["*", "lsass.exe", "csrss.exe", "winlogon.exe"]
                .contains(&word.to_ascii_lowercase().as_str())
        }),
        _ => (has(args, &VITAL) || args.contains(&"")) && (hard || !args.contains(&"-f")),
    };
    many.then_some((
        "shell.kill",
        "this would kill many processes, or one that everything depends on",
    ))
}

/// Whether `kill` is given everybody, init, or whatever a list of processes holds.
fn kills_all(call: &Call<'_>, args: &[&str]) -> bool {
    let signal =
        args.first().is_some_and(|word| word.starts_with('-') && *word != "--" && word.len() > 1);
    let named = matches!(args.first(), Some(&"-s" | &"-n"));
    let from = (usize::from(signal) + usize::from(named)).min(args.len());
    let listed = |text: &String| {
        text.contains("ps ") && !text.contains("grep")
            || text.starts_with("pgrep .")
            || text.starts_with("pgrep -u")
            || text.contains("pidof systemd")
    };
    let chosen = || {
        let mut before = call.before.iter().flat_map(|command| &command.words);
        before.any(|word| CHOOSERS.contains(&word.text.as_str()))
    };
    has(args.get(from..).unwrap_or_default(), &["-1", "1", "0"])
        || args == ["-1"]
        || call.args.iter().any(|word| word.inner.iter().any(listed))
        || call.each && !chosen()
}

/// `-P INPUT DROP`, `-P INPUT ACCEPT`: the rule for everything.
fn policy(args: &[&str]) -> bool {
    args.iter().any(|word| matches!(*word, "-P" | "--policy"))
        || args
            .windows(2)
            .any(|pair| matches!(pair, ["-A" | "-I", "INPUT" | "OUTPUT"]) && args.len() <= 4)
}

fn ip(args: &[&str]) -> Finding {
    let has = |word: &str| args.contains(&word);
    let gone = has("flush") || has("del") || has("delete") || (has("link") && has("down"));
    gone.then_some(("shell.firewall", "this would take routes, addresses or links away"))
}

fn crontab(call: &Call<'_>, args: &[&str]) -> Finding {
    if args
        .iter()
        .any(|word| word.starts_with("-r") || word.starts_with("-ir") || word.starts_with("-ri"))
    {
        return Some(("shell.schedule", "this would remove every scheduled job of a user"));
    }
    let replaced = args.contains(&"-")
        || (args.is_empty() && call.command.piped)
        || args.contains(&"/dev/null");
    replaced.then_some(("shell.persist", "this would replace the schedule of a user's jobs"))
}

/// `echo … | at now`.
fn at(desk: &mut Desk<'_>, call: &Call<'_>) -> Finding {
    if let Some(text) = super::constant::pipeline(call.before).filter(|_| call.command.piped) {
        desk.later(Reader::Shell, text, call.command.span());
    }
    if let Some(text) = super::given(call.command) {
        desk.later(Reader::Shell, text.text.clone(), text.span.clone());
    }
    None
}

fn vacuum(args: &[&str]) -> Finding {
    let all = args.iter().any(|word| {
        matches!(
            *word,
            "--vacuum-time=1s"
                | "--vacuum-size=0"
                | "--vacuum-size=1"
                | "--vacuum-time=0"
                | "--vacuum-size=1K"
                | "--vacuum-files=1"
        ) || word.ends_with("=1s")
    });
    all.then_some(("shell.history", "this would wipe the journal"))
}

fn sysctl(args: &[&str]) -> Finding {
    let risky = args.iter().any(|word| {
        [
            "kernel.panic",
            "kernel.randomize_va_space=0",
            "vm.overcommit",
            "kernel.sysrq",
            "ip_forward",
            "kernel.core_pattern",
            "kernel.modules_disabled",
        ]
        .iter()
        .any(|name| word.contains(name))
    });
    risky.then_some(("shell.kernel", "this would change how the running kernel protects itself"))
}

fn packages(call: &Call<'_>, args: &[&str]) -> Finding {
    if flag(call, "s", &["--dry-run", "--simulate", "--just-print", "--no-act"])
        && call.name.starts_with("apt")
    {
        return None;
    }
    let verb = args.iter().find(|word| !word.starts_with('-')).copied().unwrap_or_default();
    let removes = match call.name {
        "dpkg" => args.iter().any(|word| matches!(*word, "-r" | "-P" | "--remove" | "--purge")),
        "rpm" => args.iter().any(|word| word.starts_with("-e") || *word == "--erase"),
        "pacman" => args.iter().any(|word| word.starts_with("-R")),
        "emerge" => args.iter().any(|word| matches!(*word, "-C" | "--unmerge")),
        "apk" => verb == "del",
        "brew" => matches!(verb, "uninstall" | "remove" | "rm"),
        _ => matches!(
            verb,
            "remove"
                | "purge"
                | "erase"
                | "autoremove"
                | "uninstall"
                | "rm"
                | "delete"
                | "unregister"
        ),
    };
    (removes && verb != "autoremove").then_some(("shell.package", "this would remove software"))
}

/// `tmux new -d 'rm -rf /'`, `tmux send-keys 'rm -rf /' Enter`.
fn multiplexer(desk: &mut Desk<'_>, call: &Call<'_>) -> Finding {
    for word in operands(call).filter(|word| word.text.contains(' ')) {
        desk.later(Reader::Shell, word.text.clone(), word.span.clone());
    }
    let kills = call.args.iter().any(|word| word.text == "kill-server");
    kills.then_some(("shell.kill", "this would end every session"))
}
