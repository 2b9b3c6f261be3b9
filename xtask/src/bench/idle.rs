//! What a session costs that does nothing, and what its open stream costs on top.

use anyhow::Result;

use super::{
    mcp::{Era, Form},
    process,
    target::{Question, Target},
    upstream::Library,
};

/// Memory of the idle, in KB each.
#[derive(Clone, Copy, Debug)]
pub(super) struct Idle {
    pub(super) count: usize,
    pub(super) session_kb: f64,
    /// A session with an open stream.
    pub(super) stream_kb: f64,
}

/// Opens `count` sessions, each on a connection of its own, and then a stream for each.
pub(super) async fn measure(
    target: &Target,
    pid: u32,
    count: usize,
    library: &Library,
) -> Result<Idle> {
    let question = Question { era: Era::Legacy, form: Form::Json, size: 256 };
    let before = process::rss_kb(pid)?;
    let mut callers = Vec::with_capacity(count);
    for number in 0..count {
        callers.push(target.caller(number, &question, library).await?);
    }
    let each = |now: u64| now.saturating_sub(before) as f64 / count as f64;
    let session_kb = each(process::rss_kb(pid)?);
    for caller in &mut callers {
        caller.listen().await?;
    }
    Ok(Idle { count, session_kb, stream_kb: each(process::rss_kb(pid)?) })
}
