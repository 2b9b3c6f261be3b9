//! `lockgate journal reindex`: the index made again from the recording.

use lockgate_store::{index, journal};

use crate::{
    failure::{Exit, Failure, Outcome},
    place::Place,
    terminal::Terminal,
};

/// Make the index again from the recording
///
/// The index finds sessions and calls; it holds nothing that the recording does not. A gateway may
/// go on meanwhile: its own indexer goes on from where this one is.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate journal reindex\n  \
    lockgate journal reindex --config /etc/lockgate/lockgate.yaml")]
pub(crate) struct Reindex {
    #[command(flatten)]
    place: Place,
}

/// Answers.
pub(crate) fn run(reindex: &Reindex, terminal: Terminal) -> Outcome {
    let place = reindex.place.open()?;
    let Some(node) = journal::node(&place.journal, &place.keys).map_err(Failure::unreachable)?
    else {
        terminal.talk("the recording is empty");
        return Ok(Exit::Ok);
    };
    let last = journal::last_seq(&place.journal, &place.keys).map_err(Failure::unreachable)?;
    let bar = terminal.count_bar("indexing", last);
    let applied = place.with_index(async |index| {
        index.clear(&node).await.map_err(Failure::unreachable)?;
        index::catch_up(
            index,
            &place.journal,
            &place.keys,
            place.elsewhere.as_ref(),
            &node,
            |seq| bar.set_position(seq),
        )
        .await
        .map_err(Failure::unreachable)
    })?;
    bar.finish_and_clear();
    if terminal.json {
        terminal.json(&serde_json::json!({ "node": node, "applied": applied }))?;
    } else {
        terminal.data(format_args!("indexed {applied} records of {node}"));
    }
    Ok(Exit::Ok)
}
