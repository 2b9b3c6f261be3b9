//! Programs and files that keep a machine running: processes, services, accounts, schedules, logs,
//! firewalls, packages.

use super::{
    programs::{flag, operands},
    target::{Area, area},
    unwrap::Call,
    word::{Command, Direction, Word},
};
use crate::guard::{
    desk::{Desk, Reader},
    fact::shown,
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

/// Files that let people log in, or that run by themselves.
pub(super) fn is_login(path: &str) -> bool {
    [
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
    ]
    .iter()
    .any(|part| path.contains(part))
        || [".bashrc", ".zshrc", ".profile", ".bash_profile", ".zprofile"]
            .iter()
            .any(|end| path.ends_with(end))
            && (path.starts_with("/root") || path.starts_with("/etc"))
}

/// Reads one program.
pub(super) fn read(desk: &mut Desk<'_>, call: &Call<'_>) {
    let span = call.command.span();
    let args: Vec<&str> = call.args.iter().map(|word| word.text.as_str()).collect();
    let has = |names: &[&str]| args.iter().any(|word| names.contains(word));
    let found = match call.name {
        "shutdown" if !has(&["-c", "--help", "--show"]) => {
            Some(("shell.shutdown", "this would stop or restart the machine"))
        }
        "reboot" | "halt" | "poweroff" => {
            Some(("shell.shutdown", "this would stop or restart the machine"))
        }
        "init" | "telinit" if has(&["0", "1", "6", "s", "S"]) => {
            Some(("shell.shutdown", "this would stop or restart the machine"))
        }
        "systemctl" => systemctl(&args),
        "service" | "rc-service" if has(&["stop", "--full-restart"]) => {
            Some(("shell.service", "this would stop a service"))
        }
        "initctl" | "stop" if call.name == "stop" && args.len() == 1 || has(&["stop"]) => {
            Some(("shell.service", "this would stop a service"))
        }
        "launchctl" if has(&["unload", "bootout", "remove", "disable", "stop", "kill"]) => {
            Some(("shell.service", "this would stop or remove a service"))
        }
        "supervisorctl" | "pm2" if has(&["stop", "delete", "shutdown", "kill"]) => {
            Some(("shell.service", "this would stop a service"))
        }
        "update-rc.d" | "chkconfig" if has(&["remove", "disable", "off", "--del"]) => Some((
            "shell.service",
            "this would remove a service from those that start by themselves",
        )),
        "kill" | "pkill" | "killall" | "skill" | "killall5" | "taskkill" => kill(call, &args),
        "iptables" | "ip6tables" | "ebtables"
            if flag(call, "FXZD", &["--flush", "--delete-chain"]) || policy(&args) =>
        {
            Some((
                "shell.firewall",
                "this would empty the firewall, or close or open it for everything",
            ))
        }
        "nft" if has(&["flush", "delete", "destroy"]) => {
            Some(("shell.firewall", "this would empty the firewall"))
        }
        "iptables-restore" | "pfctl" if call.name == "iptables-restore" || has(&["-d", "-F"]) => {
            Some(("shell.firewall", "this would replace or switch off the firewall"))
        }
        "ufw" if has(&["disable", "reset", "delete"]) => {
            Some(("shell.firewall", "this would switch the firewall off"))
        }
        "firewall-cmd"
            if args.iter().any(|word| {
                word.starts_with("--remove") || matches!(*word, "--panic-on" | "--complete-reload")
            }) =>
        {
            Some(("shell.firewall", "this would take rules of the firewall away"))
        }
        "netsh" if has(&["off", "reset", "disable"]) => {
            Some(("shell.firewall", "this would switch the firewall off"))
        }
        "ip" => ip(&args),
        "ifconfig" | "ifdown" | "nmcli" if has(&["down", "delete"]) || call.name == "ifdown" => {
            Some(("shell.firewall", "this would take the network away"))
        }
        "route" if has(&["del", "delete", "flush"]) => {
            Some(("shell.firewall", "this would remove routes"))
        }
        "setenforce" if has(&["0", "permissive", "Permissive"]) => {
            Some(("shell.security", "this would switch a protection of the system off"))
        }
        "csrutil" | "spctl" if has(&["disable", "--master-disable"]) => {
            Some(("shell.security", "this would switch a protection of the system off"))
        }
        "aa-teardown" | "aa-disable" | "apparmor_parser"
            if call.name != "apparmor_parser" || has(&["-R"]) =>
        {
            Some(("shell.security", "this would switch a protection of the system off"))
        }
        "auditctl" if has(&["-D", "-e"]) => Some(("shell.security", "this would stop auditing")),
        "crontab" => crontab(call, &args),
        "atrm" => Some(("shell.schedule", "this would remove a scheduled job")),
        "at" | "batch" => at(desk, call),
        "history" if flag(call, "cdw", &[]) && !has(&["-w"]) => {
            Some(("shell.history", "this would wipe the shell's history"))
        }
        "unset" if has(&["HISTFILE", "HISTSIZE"]) => {
            Some(("shell.history", "this would stop the shell's history"))
        }
        "export" | "set" | "declare"
            if args.iter().any(|word| {
                matches!(
                    *word,
                    "HISTFILE=/dev/null" | "HISTSIZE=0" | "HISTFILESIZE=0" | "HISTFILE="
                )
            }) =>
        {
            Some(("shell.history", "this would stop the shell's history"))
        }
        "journalctl"
            if args.iter().any(|word| {
                word.starts_with("--vacuum") || *word == "--rotate" || word.starts_with("--flush")
            }) =>
        {
            vacuum(&args)
        }
        "wevtutil" | "clear-eventlog"
            if has(&["cl", "clear-log"]) || call.name == "clear-eventlog" =>
        {
            Some(("shell.history", "this would wipe the event log"))
        }
        "dmesg" if flag(call, "cC", &["--clear"]) => {
            Some(("shell.history", "this would wipe the kernel's log"))
        }
        "logrotate" if flag(call, "f", &["--force"]) => None,
        "userdel" | "groupdel" | "deluser" | "delgroup" | "dscl"
            if call.name != "dscl" || has(&["-delete", "delete"]) =>
        {
            Some(("shell.privilege.account", "this would delete an account or group"))
        }
        "useradd" | "adduser" | "usermod" | "groupmod" | "groupadd" | "passwd" | "chpasswd"
        | "visudo" | "vipw" | "gpasswd" | "chage" | "newusers" | "addgroup"
            if !(call.name == "visudo" && has(&["-c", "--check"]))
                && !has(&["-S", "--status", "-l", "--list", "--help"])
                || call.name == "passwd" && has(&["-l"]) =>
        {
            Some((
                "shell.privilege.account",
                "this would change accounts, passwords or who may use sudo",
            ))
        }
        "setcap" => {
            Some(("shell.privilege.account", "this would give a program rights of the system"))
        }
        "insmod" | "rmmod" | "modprobe" if call.name != "modprobe" || has(&["-r", "--remove"]) => {
            Some(("shell.kernel", "this would change the running kernel"))
        }
        "kexec" => Some(("shell.kernel", "this would start another kernel")),
        "sysctl"
            if flag(call, "wp", &["--write", "--load"])
                || args.iter().any(|word| word.contains('=')) =>
        {
            sysctl(&args)
        }
        "apt" | "apt-get" | "aptitude" | "yum" | "dnf" | "zypper" | "apk" | "pacman" | "brew"
        | "snap" | "dpkg" | "rpm" | "pkg" | "choco" | "winget" | "emerge" | "flatpak" => {
            packages(call, &args)
        }
        "grub-install" | "update-grub" | "efibootmgr" | "bcdedit" | "dracut" | "bless"
            if call.name != "update-grub" =>
        {
            Some(("shell.device.write", "this would change how the machine starts"))
        }
        "stress" | "stress-ng" => Some(("shell.exhaust", "this would use the machine up")),
        "yes"
            if call.after.is_none()
                && (call.command.background || !call.command.redirects.is_empty()) =>
        {
            Some(("shell.exhaust", "this would use the machine up"))
        }
        "fallocate" if args.iter().any(|word| word.ends_with('T') || word.ends_with("TB")) => {
            Some(("shell.exhaust", "this would fill the disk"))
        }
        "ulimit" if has(&["unlimited"]) => None,
        "gpg"
            if has(&[
                "--delete-secret-keys",
                "--delete-secret-and-public-key",
                "--delete-secret-key",
            ]) =>
        {
            Some(("shell.overwrite", "this would delete a secret key"))
        }
        "screen" | "tmux" => multiplexer(desk, call),
        "insecure" => None,
        "security" if has(&["delete-keychain", "dump-keychain", "find-generic-password"]) => {
            Some(("path.sensitive", "this would read or delete a key chain"))
        }
        _ => None,
    };
    if let Some((label, note)) = found {
        desk.fact(label, span, note);
    }
}

type Finding = Option<(&'static str, &'static str)>;

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

fn kill(call: &Call<'_>, args: &[&str]) -> Finding {
    let hard = args
        .iter()
        .any(|word| matches!(*word, "-9" | "-KILL" | "-SIGKILL" | "-s9" | "KILL" | "SIGKILL"));
    let whole = match call.name {
        "kill" => {
            let signal = usize::from(
                args.first()
                    .is_some_and(|word| word.starts_with('-') && *word != "--" && word.len() > 1),
            ) + usize::from(matches!(args.first(), Some(&"-s" | &"-n")));
            args.get(signal.min(args.len())..)
                .unwrap_or_default()
                .iter()
                .any(|word| matches!(*word, "-1" | "1" | "0"))
                || (args.len() == 1 && args == ["-1"])
                || call.args.iter().any(|word| {
                    word.inner.iter().any(|text| {
                        text.contains("ps ") && !text.contains("grep")
                            || text.starts_with("pgrep .")
                            || text.starts_with("pgrep -u")
                            || text.contains("pidof systemd")
                    })
                })
                || call.each
                    && !call.before.iter().any(|command| {
                        command.words.iter().any(|word| {
                            matches!(
                                word.text.as_str(),
                                "grep" | "pgrep" | "lsof" | "pidof" | "fuser" | "awk"
                            )
                        })
                    })
        }
        "killall5" => true,
        "killall" => args.iter().any(|word| {
            matches!(
                *word,
                "systemd"
                    | "init"
                    | "sshd"
                    | "dockerd"
                    | "containerd"
                    | "kubelet"
                    | "-u"
                    | "--user"
                    | ".*"
                    | "-r"
            )
        }),
        "taskkill" => args.iter().any(|word| {
            matches!(
                word.to_ascii_lowercase().as_str(),
                "*" | "lsass.exe" | "csrss.exe" | "winlogon.exe"
            )
        }),
        _ => {
            args.iter().any(|word| {
                matches!(
                    *word,
                    "." | ".*"
                        | "-u"
                        | "-U"
                        | "systemd"
                        | "init"
                        | "sshd"
                        | "root"
                        | "dockerd"
                        | "kubelet"
                        | "containerd"
                        | "postgres"
                        | "mysqld"
                        | ""
                )
            }) && (hard || !args.contains(&"-f"))
        }
    };
    whole.then_some((
        "shell.kill",
        "this would kill many processes, or one that everything depends on",
    ))
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
