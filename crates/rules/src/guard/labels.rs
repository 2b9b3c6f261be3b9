//! Every label that the guard gives, with its meaning: the reference, and the source of the starter
//! policies.
//!
//! Labels are stable: they stand in records and in people's policies. A new one may be added below
//! an old one; none is ever renamed.

use std::{collections::HashMap, sync::LazyLock};

use Weight::{Danger, Note};

/// A label of the reference.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Label {
    /// Its name; a label below another one is a special case of it.
    pub name: &'static str,
    /// Whether the starter policies forbid it in production.
    pub weight: Weight,
    /// What it means, in one sentence.
    pub meaning: &'static str,
}

/// What the starter policies make of a label.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Weight {
    /// Something to know; forbids nothing by itself.
    Note,
    /// Forbidden in production, asked for in staging, recorded in development.
    Danger,
}

/// A credential among the arguments: found by the mask, not by the guard.
pub(super) use lockgate_model::SECRET_IN_ARGUMENTS as SECRET;

/// Whether the starter policies forbid this label, or one above it, in production.
pub fn is_danger(label: &str) -> bool {
    let below = || dangers().any(|danger| super::fact::is_within(label, danger));
    // Asked for every fact of a crowd.
    KNOWN.get(label).copied().unwrap_or_else(below)
}

static KNOWN: LazyLock<HashMap<&str, bool>> = LazyLock::new(|| {
    let is_danger = |name: &str| dangers().any(|danger| super::fact::is_within(name, danger));
    LABELS.iter().map(|label| (label.name, is_danger(label.name))).collect()
});

/// The names that the starter policies list.
pub fn dangers() -> impl Iterator<Item = &'static str> {
    LABELS.iter().filter(|label| label.weight == Danger).map(|label| label.name)
}

const fn label(name: &'static str, weight: Weight, meaning: &'static str) -> Label {
    Label { name, weight, meaning }
}

/// All labels, sorted by family.
pub const LABELS: &[Label] = &[
    label("sql", Note, "Some SQL was read."),
    label("sql.read", Note, "Rows are read."),
    label("sql.write", Note, "Rows are inserted, changed or deleted, or a sequence moves."),
    label(
        "sql.write.unbounded",
        Danger,
        "Every row is changed or deleted: no WHERE, or one that is always true.",
    ),
    label(
        "sql.write.replace",
        Danger,
        "Rows that are there are replaced: REPLACE INTO, INSERT OVERWRITE.",
    ),
    label("sql.ddl", Note, "The schema changes."),
    label("sql.ddl.create", Note, "Something new is created, or extended."),
    label("sql.ddl.alter", Note, "Something is changed in a way that keeps what it holds."),
    label("sql.ddl.temporary", Note, "A temporary table is dropped or emptied."),
    label(
        "sql.ddl.drop",
        Danger,
        "A table, column, partition, schema, database or other object is dropped.",
    ),
    label("sql.ddl.truncate", Danger, "A table is emptied."),
    label("sql.ddl.replace", Danger, "A table is replaced by a new one."),
    label("sql.privilege", Danger, "Rights, accounts, ownership or row security change."),
    label("sql.execute", Note, "Code is run: a procedure, a block, a string."),
    label(
        "sql.execute.literal",
        Note,
        "Code is run that stands there in full; its own facts are found as well.",
    ),
    label(
        "sql.execute.dynamic",
        Danger,
        "A string is run that is put together at run time, so that it can't be read.",
    ),
    label(
        "sql.execute.procedure",
        Danger,
        "A procedure or function is called that changes things, or whose name does not say that it only reads.",
    ),
    label("sql.execute.program", Danger, "The database server runs a program or loads a library."),
    label(
        "sql.execute.file",
        Danger,
        "The database server reads or writes its own files, or reaches another server.",
    ),
    label(
        "sql.server",
        Danger,
        "The server itself is touched: settings, logs, sessions, backups, shutdown.",
    ),
    label("sql.delay", Danger, "The session is made to wait, or to burn time."),
    label("sql.transaction", Note, "A transaction, session variable or cursor is handled."),
    label("sql.maintenance", Note, "Statistics, vacuum, indices, caches."),
    label("sql.multiple", Note, "There is more than one statement."),
    label(
        "sql.obfuscated",
        Danger,
        "A keyword is spelled with look-alike or invisible characters.",
    ),
    label("sql.unparsed", Danger, "It can't be read as SQL in full, so what it does is not known."),
    label("shell", Note, "Some shell was read."),
    label("shell.delete", Note, "Named files are deleted."),
    label(
        "shell.delete.scratch",
        Note,
        "Something is deleted that can be made again: build output, caches, temporary files.",
    ),
    label("shell.delete.recursive", Danger, "A folder is deleted with all that it holds."),
    label(
        "shell.delete.wide",
        Danger,
        "Files are deleted by a pattern that takes everything, or files of the system.",
    ),
    label(
        "shell.overwrite",
        Danger,
        "A file of the system, or many files, are emptied, replaced or made unreadable.",
    ),
    label("shell.device.write", Danger, "A disk is written, formatted, partitioned or wiped."),
    label("shell.download.execute", Danger, "Something from the network is run unread."),
    label("shell.reverse", Danger, "A shell or a port is handed to somebody on the network."),
    label("shell.exfiltrate", Danger, "Files or secrets are sent away."),
    label("shell.privilege", Note, "Another user's rights are taken."),
    label(
        "shell.privilege.account",
        Danger,
        "Accounts, passwords, sudo rules or set-user-id bits change.",
    ),
    label(
        "shell.persist",
        Danger,
        "Something is left behind that runs or logs in later: keys, schedules, start-up files.",
    ),
    label(
        "shell.permission.wide",
        Danger,
        "Files are opened to everybody, or change their owner, in a wide area.",
    ),
    label("shell.shutdown", Danger, "The machine is stopped or restarted."),
    label("shell.service", Danger, "A service is stopped, disabled or removed."),
    label("shell.kill", Danger, "Many processes, or the first one, are killed."),
    label(
        "shell.firewall",
        Danger,
        "The firewall is emptied or switched off, or routes are removed.",
    ),
    label("shell.security", Danger, "A protection of the system is switched off."),
    label("shell.kernel", Danger, "The running kernel is changed or made to crash."),
    label("shell.history", Danger, "Logs or the shell's history are wiped."),
    label("shell.schedule", Danger, "The schedule of jobs is removed or replaced."),
    label("shell.package", Danger, "Software is removed."),
    label("shell.exhaust", Danger, "The machine is made to run out of processes, disk or memory."),
    label(
        "shell.obfuscated",
        Danger,
        "What is run is hidden: encoded, put together at run time, or not known before.",
    ),
    label("shell.unparsed", Danger, "It can't be read as shell in full."),
    label("code", Note, "A program text was read for the calls that it makes."),
    label("code.execute", Note, "A program text starts another program."),
    label("k8s.change", Note, "Something in a cluster is created or changed."),
    label("k8s.delete", Danger, "Resources of a cluster are deleted, or releases uninstalled."),
    label("k8s.disrupt", Danger, "Workloads are scaled to nothing, evicted, or nodes emptied."),
    label("k8s.finalizer", Danger, "The protection against deletion is taken off."),
    label("k8s.privilege", Danger, "Rights in a cluster change."),
    label("k8s.exec", Note, "A command is run in a container of a cluster."),
    label("iac.plan", Note, "A plan is made; nothing changes."),
    label("iac.apply", Note, "Infrastructure is changed after somebody looks at the plan."),
    label(
        "iac.apply.unattended",
        Danger,
        "Infrastructure is changed without anybody looking at the plan.",
    ),
    label("iac.destroy", Danger, "Infrastructure is destroyed."),
    label(
        "iac.state",
        Danger,
        "The record of what infrastructure there is, is changed or unlocked by force.",
    ),
    label("git.change", Note, "A repository is changed in a way that can be taken back."),
    label("git.force", Danger, "A remote branch is overwritten."),
    label(
        "git.lease",
        Note,
        "A remote branch other than the main ones is overwritten, if nobody else has written to it.",
    ),
    label(
        "git.history.delete",
        Danger,
        "Commits, branches, tags or what would bring them back are removed.",
    ),
    label("git.discard", Danger, "Work that is not committed is thrown away."),
    label(
        "git.repository.delete",
        Danger,
        "A hosted repository, or something in it, is deleted or opened.",
    ),
    label("git.execute", Danger, "Git is made to run a program of the caller's choice."),
    label("cloud.change", Note, "Something in a cloud account is created or changed."),
    label("cloud.delete", Danger, "Resources of a cloud account are deleted or stopped."),
    label("cloud.public", Danger, "Something in a cloud account is opened to the internet."),
    label("cloud.privilege", Danger, "Rights, keys or logging of a cloud account change."),
    label("container.change", Note, "Containers are created, stopped or removed one by one."),
    label(
        "container.delete",
        Danger,
        "Containers, images or volumes are removed by force or in bulk.",
    ),
    label("container.privileged", Danger, "A container gets the rights of the host."),
    label("container.exec", Note, "A command is run in a container."),
    label("db", Note, "A command for a database without SQL was read."),
    label("db.read", Note, "It is read."),
    label("db.write", Note, "Single documents or keys are written."),
    label("db.drop", Danger, "A database, collection, index or key space is dropped."),
    label(
        "db.delete.unbounded",
        Danger,
        "Everything in it is deleted or changed: the filter is empty, or matches all.",
    ),
    label(
        "db.server",
        Danger,
        "The server itself is touched: settings, shutdown, replication, scripts.",
    ),
    label("db.privilege", Danger, "Rights or accounts of it change."),
    label("path.traversal", Danger, "A path climbs out of the folder in which it starts."),
    label("path.sensitive", Danger, "A file is named that holds keys, passwords or the like."),
    label("net.internal", Note, "A host of the own network is named."),
    label(
        "net.metadata",
        Danger,
        "The cloud's metadata service, which gives credentials, is named.",
    ),
    label("http.delete", Danger, "An HTTP request with DELETE is made."),
    label("http.write", Note, "An HTTP request is made that sends something."),
    label(
        "call.delete",
        Danger,
        "The arguments name a destructive action in words, such as `action: delete_all`.",
    ),
    label("call.dry_run", Note, "It is only tried: a flag says that nothing is to change."),
    label(
        "suspect",
        Note,
        "A text that nobody is known to run reads like a command that would be dangerous.",
    ),
    label("custom", Note, "A rule of a pack matched; its own label stands below."),
    label("custom.forbidden", Danger, "A rule of a pack matched that says so of itself."),
    label("guard.encoded", Note, "Something stood in an encoding and was read behind it."),
    label("guard.limit", Danger, "It is too large, too deep or too much to be read in full."),
    label("secret", Note, "A credential is where it need not be."),
    label(SECRET, Note, "A credential stands in the arguments; it is not recorded."),
    label("token", Note, "The caller's token is over a limit of its issuer's that only warns."),
    label("token.age", Note, "It was issued longer ago than `max_token_age_s` allows."),
    label("token.lifetime", Note, "It lives longer than `max_token_lifetime_s` allows."),
];
