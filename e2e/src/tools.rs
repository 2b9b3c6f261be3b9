//! The Node and Python programs of the tests: how each is started, and ended with the test.

use std::{
    io::{BufRead as _, BufReader, Read as _, Write as _},
    path::PathBuf,
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};

use anyhow::{Context as _, ensure};

use crate::{prepare, repository};

/// A program that runs beside a test. It is killed when dropped.
pub struct Tool {
    child: Child,
    input: Option<ChildStdin>,
    output: BufReader<ChildStdout>,
}

impl Tool {
    /// Starts a program and waits for its first line, which says where it listens.
    ///
    /// # Errors
    /// Where it can't be started, or ends without a line.
    pub fn start(command: Command) -> anyhow::Result<(Self, String)> {
        Self::with(command, Stdio::null())
    }

    /// The same, for a program that can be [asked](Self::ask).
    ///
    /// # Errors
    /// As [`Self::start`].
    pub fn start_asked(command: Command) -> anyhow::Result<(Self, String)> {
        Self::with(command, Stdio::piped())
    }

    fn with(mut command: Command, input: Stdio) -> anyhow::Result<(Self, String)> {
        let mut child = command.stdin(input).stdout(Stdio::piped()).spawn()?;
        let output = BufReader::new(child.stdout.take().context("no output")?);
        let mut tool = Self { input: child.stdin.take(), child, output };
        let line = tool.line();
        let line = line.with_context(|| format!("{:?}", command.get_args()))?;
        Ok((tool, line))
    }

    /// Writes it a line, and gives the one that it says next.
    ///
    /// # Errors
    /// Where it ends, or was not started to be asked.
    pub fn ask(&mut self, line: &str) -> anyhow::Result<String> {
        writeln!(self.input.as_mut().context("it hears nothing")?, "{line}")?;
        self.line()
    }

    fn line(&mut self) -> anyhow::Result<String> {
        let mut line = String::new();
        self.output.read_line(&mut line)?;
        let line = line.trim();
        ensure!(!line.is_empty(), "it ended without a word");
        Ok(line.to_owned())
    }

    /// What it says up to and with a line that has this text.
    ///
    /// # Errors
    /// Where it ends before.
    pub fn until(&mut self, text: &str) -> anyhow::Result<String> {
        let mut said = String::new();
        loop {
            let from = said.len();
            ensure!(self.output.read_line(&mut said)? > 0, "it ended without `{text}`: {said}");
            if said.get(from..).is_some_and(|line| line.contains(text)) {
                return Ok(said);
            }
        }
    }

    /// Kills it now, and gives what it said last.
    pub fn stop(mut self) -> String {
        let _ = self.child.kill();
        let mut rest = String::new();
        let _ = self.output.read_to_string(&mut rest);
        rest
    }
}

impl Drop for Tool {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// The Node 24 binary with one of the scripts in `e2e/node`.
///
/// # Errors
/// Where the parts can't be installed.
pub fn script(name: &str) -> anyhow::Result<Command> {
    let mut command = node()?;
    command.arg(script_path(name)?);
    Ok(command)
}

/// One of the scripts in `e2e/node`, in the place where it can be run: imports are looked up beside
/// a script, so it must stand beside the packages.
///
/// # Errors
/// Where it can't be copied.
pub fn script_path(name: &str) -> anyhow::Result<PathBuf> {
    let (from, to) = (repository().join("e2e/node").join(name), prepare::folder().join("node"));
    let text = std::fs::read(from)?;
    let to = to.join(name);
    // Replaced at once: another test may be starting it.
    let fresh = to.with_extension(format!("{}.new", std::process::id()));
    std::fs::write(&fresh, text)?;
    std::fs::rename(fresh, &to)?;
    Ok(to)
}

/// The Node 24 binary with a file of an installed package.
///
/// # Errors
/// Where the parts can't be installed.
pub fn package(file: &str) -> anyhow::Result<Command> {
    let mut command = node()?;
    command.arg(packages().join(file));
    Ok(command)
}

/// The folder of the installed Node packages.
pub fn packages() -> PathBuf {
    prepare::folder().join("node/node_modules")
}

/// The absolute path of the Node 24 binary.
pub fn node_path() -> PathBuf {
    packages().join("node/bin/node")
}

/// The Node 24 binary.
///
/// # Errors
/// Where the parts can't be installed.
pub fn node() -> anyhow::Result<Command> {
    prepare::prepare()?;
    let mut command = Command::new(node_path());
    command.current_dir(prepare::folder().join("node"));
    Ok(command)
}

/// The Python of the virtual environment with one of the scripts in `e2e/python`.
///
/// # Errors
/// Where the parts can't be installed.
pub fn python(name: &str) -> anyhow::Result<Command> {
    let mut command = python_program("python")?;
    command.arg(repository().join("e2e/python").join(name));
    Ok(command)
}

/// A program that a package in the virtual environment brings along.
///
/// # Errors
/// Where the parts can't be installed.
pub fn python_program(name: &str) -> anyhow::Result<Command> {
    prepare::prepare()?;
    Ok(Command::new(prepare::folder().join("python/venv/bin").join(name)))
}

/// Presidio's analyzer behind HTTP, and its URL.
///
/// # Errors
/// Where it can't be installed or started.
pub fn presidio() -> anyhow::Result<(Tool, String)> {
    prepare::presidio()?;
    let mut command = Command::new(prepare::folder().join("presidio/venv/bin/python"));
    command.arg(repository().join("e2e/presidio/analyzer.py"));
    Tool::start(command)
}

/// The fixture server of the conformance suite, on a free port.
///
/// # Errors
/// Where it can't be started.
pub fn fixture() -> anyhow::Result<(Tool, String)> {
    Tool::start(Command::new(beside("conformance-fixture")?))
}

/// One of this package's own binaries.
///
/// # Errors
/// Where there is no target folder.
pub fn beside(name: &str) -> anyhow::Result<PathBuf> {
    // Cargo builds a package's binaries before its integration tests, and puts them side by side.
    let test = std::env::current_exe()?;
    let folder = test.parent().and_then(|deps| deps.parent()).context("no target folder")?;
    Ok(folder.join(name))
}

/// What a program said, and how it ended.
pub struct Said {
    /// Its exit code; -1 where it was killed, by itself or because its time was up.
    pub code: i32,
    /// Its output and its errors.
    pub text: String,
}

/// Runs a program to its end, or kills it after `wait`.
///
/// # Errors
/// Where it can't be started.
pub fn run(mut command: Command, wait: Duration) -> anyhow::Result<Said> {
    let log = tempfile::NamedTempFile::new()?;
    // A file instead of a pipe, which could fill up; one handle, so that nothing is overwritten.
    let (out, err) = (log.as_file().try_clone()?, log.as_file().try_clone()?);
    let mut child = command.stdin(Stdio::null()).stdout(out).stderr(err).spawn()?;
    let begun = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            let text = std::fs::read_to_string(log.path())?;
            return Ok(Said { code: status.code().unwrap_or(-1), text });
        }
        if begun.elapsed() > wait {
            let _ = child.kill();
            let _ = child.wait();
            let mut text = std::fs::read_to_string(log.path())?;
            text.push_str(&format!("\nstill ran after {wait:?}"));
            return Ok(Said { code: -1, text });
        }
        std::thread::sleep(Duration::from_millis(20));
    }
}
