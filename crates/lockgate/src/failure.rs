//! How the process ends: one exit code a kind of end, and the report that explains it.
//!
//! Commands return these values; only `main` turns them into a process exit. Nothing here prints.

use std::process::ExitCode;

use miette::{Diagnostic, Report, SourceCode};

/// The exit codes, for scripts to rely on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Exit {
    /// It was done, or the answer is yes.
    Ok,
    /// The answer is no: denied, different, not as told.
    No,
    /// The command line, the configuration or the policies are wrong.
    Usage,
    /// Something that is needed can't be reached or written.
    Unreachable,
    /// Lockgate itself is at fault.
    Bug,
}

impl Exit {
    /// The number that the shell sees; 70 is `EX_SOFTWARE` of `sysexits.h`.
    pub(crate) const fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::No => 1,
            Self::Usage => 2,
            Self::Unreachable => 3,
            Self::Bug => 70,
        }
    }
}

impl From<Exit> for ExitCode {
    fn from(exit: Exit) -> Self {
        Self::from(exit.code())
    }
}

/// A command that did not get to an answer: the exit code, and why in words for a person.
#[derive(Debug)]
pub(crate) struct Failure {
    /// With what to exit.
    pub(crate) exit: Exit,
    /// What to print on stderr, with source spans where there are any.
    pub(crate) report: Report,
}

impl Failure {
    /// The command line, configuration or policies are wrong.
    pub(crate) fn usage(diagnostic: impl Diagnostic + Send + Sync + 'static) -> Self {
        Self { exit: Exit::Usage, report: Report::new(diagnostic) }
    }

    /// As [`Failure::usage`], in plain words.
    pub(crate) fn usage_text(what: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Usage, report: miette::miette!("{what}") }
    }

    /// The answer is no, for this reason.
    pub(crate) fn no(what: impl std::fmt::Display) -> Self {
        Self { exit: Exit::No, report: miette::miette!("{what}") }
    }

    /// Something outside can't be reached, read or written.
    pub(crate) fn unreachable(what: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Unreachable, report: miette::miette!("{what}") }
    }

    /// A state that the code rules out.
    pub(crate) fn bug(what: impl std::fmt::Display) -> Self {
        Self { exit: Exit::Bug, report: miette::miette!("this is a bug in Lockgate: {what}") }
    }

    /// Everything that is wrong, for the log and for readiness: one sentence each, with file and
    /// line but without the source's text.
    pub(crate) fn summary(&self) -> String {
        summary(self.report.as_ref())
    }
}

/// What a diagnostic says, without the source's text: `file:line: what`.
pub(crate) fn summary(diagnostic: &dyn Diagnostic) -> String {
    let mut words = Vec::new();
    collect(diagnostic, None, &mut words);
    words.join("; ")
}

/// Adds what `diagnostic` says, or, where it stands for others, what they say.
fn collect(diagnostic: &dyn Diagnostic, source: Option<&dyn SourceCode>, into: &mut Vec<String>) {
    let source = diagnostic.source_code().or(source);
    let related: Vec<_> = diagnostic.related().into_iter().flatten().collect();
    if related.is_empty() {
        let place = place(diagnostic, source).map(|place| format!("{place}: ")).unwrap_or_default();
        into.push(format!("{place}{diagnostic}"));
    }
    for one in related {
        collect(one, source, into);
    }
}

/// `file:line` of the first label.
fn place(diagnostic: &dyn Diagnostic, source: Option<&dyn SourceCode>) -> Option<String> {
    let label = diagnostic.labels()?.next()?;
    let contents = source?.read_span(label.inner(), 0, 0).ok()?;
    Some(format!("{}:{}", contents.name()?, contents.line() + 1))
}

/// What every command returns.
pub(crate) type Outcome = Result<Exit, Failure>;
