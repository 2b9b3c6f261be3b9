//! One child process: started clean, spoken to in lines, ended with everything it started.
//!
//! It never runs a shell, hands the child nothing of the gateway's own environment or open files,
//! and knows nothing of what the lines mean.

use std::{
    io,
    os::fd::OwnedFd,
    process::Stdio,
    sync::{Arc, LazyLock, mpsc as blocking},
    thread,
    time::Duration,
};

use bytes::{BufMut as _, Bytes, BytesMut};
use lockgate_model::{ConnectionName, Reason, Refusal};
use rustix::process::{Pid, PidfdFlags, Signal, kill_process_group, pidfd_open};
use tokio::{
    io::{AsyncWriteExt as _, Interest, unix::AsyncFd},
    process::{Child, ChildStdin, Command},
    runtime::Handle,
    sync::{mpsc, oneshot, watch},
    time::timeout,
};

use super::{
    command,
    launcher::{Launcher, Plan, SUBCOMMAND},
    log::{self, LastWords},
    output::Output,
    sandbox,
};
use crate::{secret::Secret, settings::StdioSettings, vault::Vault};

/// Lines that wait for a child that does not read; further senders wait themselves.
const QUEUE_MAX: usize = 16;
/// How long a child may take to end once its input is closed, and again once it was sent TERM.
/// With the kill that follows, a child is gone within 5 s.
const END_WAIT: Duration = Duration::from_millis(1_500);

/// A running child. Dropping it ends the child politely, in the background.
pub(super) struct Process {
    input: mpsc::Sender<Bytes>,
    stop: watch::Sender<bool>,
    ended: watch::Receiver<bool>,
}

impl Process {
    /// Starts the configured command through `launcher`. Lines longer than `line_max_bytes` are
    /// not read.
    ///
    /// # Errors
    /// [`Reason::ChildUnavailable`] where the command must not or can't be run,
    /// as [`Vault::fetch`] where its environment can't be had.
    pub(super) async fn spawn(
        launcher: &Launcher,
        settings: &StdioSettings,
        connection: &ConnectionName,
        vault: &Vault,
        line_max_bytes: usize,
        last: &Arc<LastWords>,
    ) -> Result<(Self, Output), Refusal> {
        command::check(&settings.command)?;
        let (command, secrets) = prepare(launcher, settings, connection, vault).await?;
        let (mut child, exit) = start(command).await.map_err(not_started)?;
        let streams = (child.stdin.take(), child.stdout.take(), child.stderr.take(), child.id());
        let (Some(stdin), Some(stdout), Some(stderr), Some(id)) = streams else {
            return Err(not_started(io::Error::other("no pipes")));
        };
        tracing::info!(%connection, pid = id, "child started");
        let (input, lines) = mpsc::channel(QUEUE_MAX);
        let (stop, stopping) = watch::channel(false);
        let (ending, ended) = watch::channel(false);
        tokio::spawn(feed(stdin, lines, stopping.clone()));
        last.begin();
        tokio::spawn(log::follow(stderr, connection.clone(), id, secrets, Arc::clone(last)));
        tokio::spawn(supervise(child, exit, stopping, ending, connection.clone()));
        let output = Output::new(stdout, line_max_bytes, ended.clone());
        Ok((Self { input, stop, ended }, output))
    }

    /// Hands over one message as one line, waiting while the child does not read.
    ///
    /// # Errors
    /// [`Reason::ChildUnavailable`] where the child takes no more input.
    pub(super) async fn write(&self, message: &[u8]) -> Result<(), Refusal> {
        let gone = |_| Refusal::new(Reason::ChildUnavailable, "the child takes no more input");
        self.input.send(line(message)).await.map_err(gone)
    }

    /// As [`Self::write`], but gives the message up where it would have to wait.
    pub(super) fn write_now(&self, message: &[u8]) {
        drop(self.input.try_send(line(message)));
    }

    /// Begins to end the child: its input is closed, then TERM, then KILL to its whole group.
    pub(super) fn stop(&self) {
        self.stop.send_replace(true);
    }

    /// Whether the gateway asked the child to end.
    pub(super) fn stopped(&self) -> bool {
        *self.stop.borrow()
    }

    /// Waits until the child and its group are gone and reaped.
    pub(super) async fn ended(&self) {
        // An error means that the supervisor is gone, and the child with it.
        drop(self.ended.clone().wait_for(|ended| *ended).await);
    }
}

/// A message as one line: line breaks in a JSON document stand only between its parts, where a
/// space means the same.
fn line(message: &[u8]) -> Bytes {
    let mut line = BytesMut::with_capacity(message.len() + 1);
    line.extend(
        message.iter().map(|&byte| if matches!(byte, b'\n' | b'\r') { b' ' } else { byte }),
    );
    line.put_u8(b'\n');
    line.freeze()
}

fn not_started(error: io::Error) -> Refusal {
    Refusal::new(Reason::ChildUnavailable, format!("the child can't be started: {error}"))
}

/// The whole command line and environment. The secrets come back as well, because the child's log
/// must not show them.
async fn prepare(
    launcher: &Launcher,
    settings: &StdioSettings,
    connection: &ConnectionName,
    vault: &Vault,
) -> Result<(Command, Vec<Arc<Secret>>), Refusal> {
    let plan = Plan { gateway: Some(std::process::id()), sandbox: settings.sandbox.clone() };
    let mut command = Command::new(&launcher.program);
    command
        .arg(SUBCOMMAND)
        .arg(plan.to_argument().map_err(not_started)?)
        .arg(&settings.command)
        .args(&settings.args)
        .env_clear()
        .current_dir(settings.cwd.as_deref().unwrap_or("/".as_ref()))
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    sandbox::dress(command.as_std_mut(), &settings.sandbox).map_err(not_started)?;
    let mut secrets = Vec::with_capacity(settings.env.len());
    for (name, place) in &settings.env {
        let secret = place.fetch(vault, connection).await?;
        command.env(name, secret.expose());
        secrets.push(secret);
    }
    Ok((command, secrets))
}

struct Start {
    command: Command,
    runtime: Handle,
    reply: oneshot::Sender<io::Result<Child>>,
}

/// The thread that starts every child. The kernel takes the end of the *thread* that started a
/// child for the death of its parent, and the runtime ends threads that have nothing to do.
static STARTER: LazyLock<io::Result<blocking::Sender<Start>>> = LazyLock::new(|| {
    let (sender, orders) = blocking::channel::<Start>();
    let body = move || {
        for mut order in orders {
            let _context = order.runtime.enter();
            // Where nobody waits for the child any more, dropping it kills it.
            drop(order.reply.send(order.command.spawn()));
        }
    };
    thread::Builder::new().name("stdio-starter".into()).spawn(body).map(|_| sender)
});

async fn start(command: Command) -> io::Result<(Child, Exit)> {
    let starter = STARTER.as_ref().map_err(|error| io::Error::from(error.kind()))?;
    let (reply, child) = oneshot::channel();
    let order = Start { command, runtime: Handle::current(), reply };
    starter.send(order).map_err(io::Error::other)?;
    let child = child.await.map_err(io::Error::other)??;
    let exit = Exit::of(&child)?;
    Ok((child, exit))
}

/// Tells when a child has exited without reaping it, so that its process group can still be
/// killed while its number can't belong to anybody else.
struct Exit {
    group: Pid,
    handle: AsyncFd<OwnedFd>,
}

impl Exit {
    #[expect(deprecated, reason = "sound for an owned descriptor; its replacement is unsafe code")]
    fn of(child: &Child) -> io::Result<Self> {
        let id = child.id().and_then(|id| Pid::from_raw(i32::try_from(id).ok()?));
        let group = id.ok_or_else(|| io::Error::other("no process id"))?;
        let handle = pidfd_open(group, PidfdFlags::NONBLOCK)?;
        Ok(Self { group, handle: AsyncFd::with_interest(handle, Interest::READABLE)? })
    }

    async fn wait(&self) {
        // An error means that the runtime is shutting down: everything ends then anyway.
        drop(self.handle.readable().await);
    }

    fn signal(&self, signal: Signal) {
        // Fails only where the whole group is gone already.
        let _ = kill_process_group(self.group, signal);
    }
}

async fn supervise(
    mut child: Child,
    exit: Exit,
    mut stopping: watch::Receiver<bool>,
    ending: watch::Sender<bool>,
    connection: ConnectionName,
) {
    tokio::select! {
        () = exit.wait() => {}
        () = asked(&mut stopping) => {
            if timeout(END_WAIT, exit.wait()).await.is_err() {
                exit.signal(Signal::TERM);
                drop(timeout(END_WAIT, exit.wait()).await);
            }
        }
    }
    exit.signal(Signal::KILL);
    let status = child.wait().await;
    let status = status.map_or_else(|error| error.to_string(), |status| status.to_string());
    tracing::info!(%connection, pid = exit.group.as_raw_nonzero(), %status, "child ended");
    ending.send_replace(true);
}

/// Waits until the child is to end; that nobody holds it any more is the same.
async fn asked(stopping: &mut watch::Receiver<bool>) {
    drop(stopping.wait_for(|stop| *stop).await);
}

async fn feed(
    mut stdin: ChildStdin,
    mut lines: mpsc::Receiver<Bytes>,
    mut stopping: watch::Receiver<bool>,
) {
    let write_all = async {
        while let Some(line) = lines.recv().await {
            stdin.write_all(&line).await?;
        }
        io::Result::Ok(())
    };
    // Ends by closing the child's input, whatever the cause; senders then learn of it.
    tokio::select! {
        result = write_all => drop(result),
        () = asked(&mut stopping) => {}
    }
}
