//! Other JSON readers as long-lived processes: bodies in, normal forms out.

use std::{
    io::{BufRead as _, BufReader, Write as _},
    process::{Child, ChildStdin, ChildStdout, Command, Stdio},
    thread,
};

use anyhow::{Context as _, ensure};

use super::hex;

/// One reader and its process, which ends with it.
pub(crate) struct Reader {
    pub(crate) name: &'static str,
    child: Child,
    stdin: ChildStdin,
    stdout: BufReader<ChildStdout>,
}

impl Reader {
    pub(crate) fn start(name: &'static str, program: &str, script: &str) -> anyhow::Result<Self> {
        let mut child = Command::new(program)
            .arg(script)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .with_context(|| format!("{program} does not start"))?;
        let stdin = child.stdin.take().context("a pipe")?;
        let stdout = BufReader::new(child.stdout.take().context("a pipe")?);
        Ok(Self { name, child, stdin, stdout })
    }

    /// The normal form of each body.
    pub(crate) fn read(&mut self, bodies: &[Vec<u8>]) -> anyhow::Result<Vec<String>> {
        let (stdin, stdout) = (&mut self.stdin, &mut self.stdout);
        // Written on a thread of its own, since both pipes hold only so much.
        let lines = thread::scope(|scope| {
            scope.spawn(move || {
                let text: String = bodies.iter().map(|body| hex(body) + "\n").collect();
                stdin.write_all(text.as_bytes())?;
                stdin.write_all(b"\n")?;
                stdin.flush()
            });
            stdout.lines().take(bodies.len()).collect::<Result<Vec<_>, _>>()
        })?;
        ensure!(lines.len() == bodies.len(), "{} ended early", self.name);
        Ok(lines)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        // It may have ended by itself; either way it must not stay behind as a zombie.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}
