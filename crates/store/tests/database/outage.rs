//! PostgreSQL goes away in the middle of it, and comes back.

use std::{sync::Arc, time::Duration};

use lockgate_store::index::Indexer;
use tempfile::TempDir;

use crate::{
    cluster::Cluster,
    contract::Fresh,
    events::contents,
    follow::{keys, open, rebuilt, until, write},
};

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn an_outage_of_postgres_is_caught_up() {
    let mut cluster = Cluster::start().await;
    let fresh = Fresh::postgres(&cluster).await;
    let folder = TempDir::new().unwrap();
    let journal = open(folder.path());
    write(&journal, 0, 1_500);
    let indexer =
        Indexer::start(Arc::clone(&fresh.index), folder.path(), &keys(folder.path()), None, "n1");
    until(&indexer, 1).await;
    let reached = indexer.progress().applied;

    cluster.stop();
    let mut progress = indexer.watch();
    let last = write(&journal, 10_000, 500);
    let failing = progress.wait_for(|progress| progress.failing);
    tokio::time::timeout(Duration::from_secs(30), failing).await.expect("never told").unwrap();
    assert!(indexer.progress().lag(last) > 0, "it was done before the outage: {reached} of {last}");
    cluster.resume().await;
    until(&indexer, last).await;

    let (other, _) = rebuilt(folder.path()).await;
    assert_eq!(contents(&fresh.index).await, contents(&other.index).await);
}
