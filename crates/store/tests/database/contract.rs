//! Each case on both databases.
//!
//! On SQLite every case is a test. On PostgreSQL they are one test, so that they share a cluster
//! however the tests are run; it names each case, and goes on after one has failed.

use std::{future::Future, pin::Pin, sync::Arc};

use lockgate_store::{db::DbPlace, index::Index};
use tempfile::TempDir;

use crate::{
    approvals, budgets, cases, cluster::Cluster, connections, directory, grants, kept, pages,
    revocations, search, secrets, usage,
};

/// An empty index.
pub(crate) struct Fresh {
    pub(crate) index: Arc<Index>,
    pub(crate) place: DbPlace,
    /// Goes last.
    _folder: Option<TempDir>,
}

impl Fresh {
    pub(crate) async fn sqlite() -> Self {
        let folder = TempDir::new().unwrap();
        let place = DbPlace::Sqlite(folder.path().join("data/index.db"));
        let index = Arc::new(Index::open(&place).await.unwrap());
        Self { index, place, _folder: Some(folder) }
    }

    pub(crate) async fn postgres(cluster: &Cluster) -> Self {
        let place = cluster.database().await;
        let index = Arc::new(Index::open(&place).await.unwrap());
        Self { index, place, _folder: None }
    }
}

type Running = Pin<Box<dyn Future<Output = ()> + Send>>;

macro_rules! contract {
    ($($room:ident::$case:ident,)+) => {
        $(
            #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $case() {
                $room::$case(Fresh::sqlite().await).await;
            }
        )+

        const CASES: &[(&str, fn(Fresh) -> Running)] =
            &[$((stringify!($case), |fresh| Box::pin($room::$case(fresh)))),+];
    };
}

contract! {
    approvals::identical_questions_are_one,
    approvals::the_first_answer_stands,
    approvals::a_grant_is_used_once,
    approvals::time_ends_questions_and_grants,
    approvals::a_rejection_stands,
    approvals::a_caller_has_so_many_questions_open,
    approvals::access_is_found_while_it_is_in_force,
    approvals::lists_say_what_they_say,
    approvals::who_waits_learns_of_it,
    budgets::no_more_is_used_than_there_is,
    cases::every_field_comes_back,
    cases::a_batch_that_comes_again_changes_nothing,
    cases::any_cut_into_batches_gives_the_same,
    cases::filters_say_what_they_say,
    cases::a_fact_is_found_by_those_above_it,
    cases::what_many_calls_have_is_found_too,
    cases::nodes_share_an_index_and_are_cleared_alone,
    cases::records_without_their_beginning_are_kept,
    cases::l1_hostile_text_is_data,
    cases::long_names_are_found_by_their_full_value,
    cases::a_later_schema_is_refused,
    connections::every_version_is_kept,
    connections::a_change_names_the_version_before,
    connections::several_are_changed_all_or_none,
    connections::of_many_at_once_one_wins,
    connections::what_was_applied_is_told,
    connections::there_are_limits,
    directory::entries_are_found_as_they_were_put,
    directory::only_the_next_version_is_put_and_names_are_had_once,
    directory::what_is_removed_leaves_its_groups,
    directory::who_reads_the_directory_on_misses_nothing,
    kept::what_is_erased_is_gone,
    kept::an_erased_session_stays_erased_in_a_rebuild,
    kept::holds_begin_and_end,
    kept::retired_sessions_are_marked,
    pages::pages_never_skip_or_repeat_while_rows_arrive,
    revocations::what_was_revoked_is_read_on_from_any_place,
    revocations::the_same_told_twice_is_one,
    revocations::who_reads_on_misses_none_of_many_at_once,
    revocations::who_listens_hears_of_it,
    search::words_phrases_and_beginnings,
    search::text_is_searched_up_to_its_limit,
    search::a_phrase_is_found_wherever_it_stands_in_a_long_text,
    secrets::a_secret_comes_back_as_it_was_put,
    secrets::only_the_next_version_is_put,
    secrets::what_is_removed_is_gone_and_counts_on,
    secrets::one_key_seals,
    secrets::nothing_slips_behind_a_rotation,
    secrets::pages_go_through_all_names,
    secrets::of_two_wrapped_keys_of_one_number_one_is_put,
    secrets::gateways_that_say_nothing_are_gone,
    usage::policies_are_counted_where_they_permit,
    usage::tokens_over_a_limit_are_counted_by_client,
    usage::the_last_session_says_who_somebody_is,
    grants::a_grant_is_put_found_and_removed,
    grants::grants_are_gone_through,
    grants::one_process_renews_a_grant,
    grants::a_rotation_reaches_grants,
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn postgres_keeps_the_contract() {
    let cluster = Cluster::start().await;
    let mut failed = Vec::new();
    for (name, case) in CASES {
        let result = tokio::spawn(case(Fresh::postgres(&cluster).await)).await;
        println!("postgres {name}: {}", if result.is_ok() { "ok" } else { "FAILED" });
        if result.is_err() {
            failed.push(name);
        }
    }
    assert!(failed.is_empty(), "on PostgreSQL: {failed:?}");
}
