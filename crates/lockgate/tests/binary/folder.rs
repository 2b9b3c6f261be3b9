//! A folder of its own for each run of the binary.

use std::{
    fs,
    io::Write as _,
    path::PathBuf,
    process::{Command, Output, Stdio},
};

use tempfile::TempDir;

/// A temporary folder, and the binary run in it.
pub(crate) struct Folder(TempDir);

impl Folder {
    /// An empty folder.
    pub(crate) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    /// Writes one file and the folders above it.
    pub(crate) fn write(&self, name: &str, text: &str) {
        let file = self.0.path().join(name);
        fs::create_dir_all(file.parent().unwrap()).unwrap();
        fs::write(file, text).unwrap();
    }

    /// Where a file is.
    pub(crate) fn file(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Reads one file.
    pub(crate) fn read(&self, name: &str) -> String {
        fs::read_to_string(self.0.path().join(name)).unwrap()
    }

    /// Removes one file.
    pub(crate) fn remove(&self, name: &str) {
        fs::remove_file(self.0.path().join(name)).unwrap();
    }

    /// Runs the binary; gives exit code and both streams as one text.
    pub(crate) fn run(&self, arguments: &[&str]) -> String {
        self.run_with(arguments, &[])
    }

    /// As [`Folder::run`], with variables.
    pub(crate) fn run_with(&self, arguments: &[&str], variables: &[(&str, &str)]) -> String {
        let output = self.output(arguments, variables);
        let (stdout, stderr) = (text(&output.stdout), text(&output.stderr));
        let code = output.status.code().unwrap();
        let all = format!("exit {code}\n--- stdout\n{stdout}--- stderr\n{stderr}");
        let lines: Vec<&str> = all.lines().map(str::trim_end).collect();
        lines.join("\n").replace(&self.0.path().display().to_string(), "[folder]")
    }

    /// Runs the binary; gives the exit code.
    pub(crate) fn exit(&self, arguments: &[&str]) -> i32 {
        self.output(arguments, &[]).status.code().unwrap()
    }

    fn output(&self, arguments: &[&str], variables: &[(&str, &str)]) -> Output {
        self.command().args(arguments).envs(variables.iter().copied()).output().unwrap()
    }

    /// The binary in this folder, with an environment of its own.
    pub(crate) fn command(&self) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_lockgate"));
        command.current_dir(self.0.path()).env_clear().env("LANG", "C.UTF-8").env("NO_COLOR", "1");
        command
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8(bytes.to_vec()).unwrap()
}

/// Runs the binary with this on its standard input.
pub(crate) fn fed(folder: &Folder, arguments: &[&str], input: &str) -> Output {
    let mut command = folder.command();
    command.args(arguments).stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
    let mut child = command.spawn().unwrap();
    // What ends before it has read everything says so by its exit code.
    drop(child.stdin.take().unwrap().write_all(input.as_bytes()));
    child.wait_with_output().unwrap()
}
