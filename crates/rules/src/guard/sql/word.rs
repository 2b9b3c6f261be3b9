//! The words of SQL that the scanner knows. A word that is not here is a name.

use std::borrow::Cow;

macro_rules! words {
    ($($name:ident)*) => {
        /// A word of SQL; `Name` is any other.
        #[derive(Clone, Copy, Debug, PartialEq, Eq)]
        pub(super) enum Word { Name, $($name),* }

        /// Every word, with its variant.
        const WORDS: &[(&str, Word)] = &[$((stringify!($name), Word::$name)),*];
    };
}

words! {
    Abort Add All Alter Always Analyse Analyze And Any As Asc Assembly Attach Audit Authorization Backup Batch Begin
    Between Bucket Bulk By Cache Call Cascade Case Cast Catalog Change Check Checkpoint Close Cluster Column Columns Comment
    Commit Concat Concurrently Configuration Connect Constraint Continue Copy Create Cross Current Cursor Data Database Databases Dbcc
    Deallocate Declare Default Delayed Delete Deny Desc Describe Detach Directory Disable Discard Distinct Do
    Domain Drop Duplicate Each Else Elseif Elsif Enable End Event Except Exec Execute Exists Explain Export Extension External
    False Fetch Filter First Flashback Flush For Force Foreign From Full Function Get Go Grant Group Handler Having
    Help High If Ignore Immediate Import In Index Inner Insert Install Instead Intersect Into Is Isnull Iterate Join Key Keyspace Kill Language
    Lateral Leave Left Library Like Ilike Limit List Listen Load Local Lock Logfile Logs Login Loop Low Lower Master Match Matched Materialized
    Merge Minus Move Natural New Next No Not Nothing Notify Notnull Null Of Off Offset Old On Only Open Operator Optimize Option Or
    Order Outer Outfile Dumpfile Over Overwrite Owned Package Partition Password Percent Perform Plugin Policy Pragma Prepare Priority
    Procedure Proc Profile Program Publication Purge Put Query Raise Read Reassign Rebuild Recursive Recyclebin Refresh Regexp Reindex Release
    Remove Rename Repair Repeat Replace Replication Reset Resource Restore Resync Return Returning Revoke Right Role Rollback
    Rollup Rowid Rows Rule Savepoint Schema Schemas Security Select Sequence Server Session Set Show Shutdown
    Slave Snapshot Source Stage Start Statistics Stop Stream Subscription Synonym System Table Tables Tablespace Task Temp Temporary Text Than
    Then To Top Trigger True Truncate Type Undrop Union Unique Unlink Unload Unlock Unlogged Until Unset Update Upsert Use User Using Vacuum
    Values Verbose View Views Volatile Waitfor Warehouse When Where While Window With Xor Unlisten Transient Global Dynamic
    Hybrid Iceberg Virtual Fulltext Spatial Clustered Nonclustered Bitmap Aggregate Collation Conversion Measurement
    Principal Credential Certificate Availability Endpoint Share Integration Network Pipe Endif Live Dictionary Quota Replica Keep Identified
    Privileges Replacing Out Inout Hold Bernoulli Analyzer Fork Exit Signal Resignal Kind Rlike Similar Sounds Escape Interval Div Mod
    Delay Date Also Status Atomic Identity Expression Online Access Public Link Row Parallel Sync Exception Quick History
    Summary Output Inserted Deleted Print Throw Try Catch Tran Transaction Work Goto Label Binary Assert
}

/// Longest word, in bytes.
const LONGEST: usize = 16;

impl Word {
    /// The word that `text` spells, in any case, and whether it took look-alike or invisible
    /// characters to spell it.
    pub(super) fn of(text: &str) -> (Self, bool) {
        if text.is_ascii() {
            return (Self::plain(text), false);
        }
        let folded = super::super::text::fold(text);
        let word = Self::plain(&folded);
        (word, word != Self::Name)
    }

    fn plain(text: &str) -> Self {
        let mut buffer = [0u8; LONGEST];
        let Some(lower) = buffer.get_mut(..text.len()) else { return Self::Name };
        lower.copy_from_slice(text.as_bytes());
        lower.make_ascii_lowercase();
        let Some(&first) = lower.first() else { return Self::Name };
        let bucket = usize::from(first.wrapping_sub(b'a')) * (LONGEST + 1) + text.len();
        let Some(bucket) = TABLE.get(bucket) else { return Self::Name };
        bucket
            .iter()
            .find(|(word, _)| word.as_bytes() == lower)
            .map_or(Self::Name, |(_, word)| *word)
    }
}

type Bucket = Vec<(Cow<'static, str>, Word)>;

/// Words in lower case, by their first letter and their length.
static TABLE: std::sync::LazyLock<Vec<Bucket>> = std::sync::LazyLock::new(|| {
    let mut table: Vec<Bucket> = Vec::new();
    table.resize_with(26 * (LONGEST + 1), Vec::new);
    for (name, word) in WORDS {
        let name = name.to_ascii_lowercase();
        let first = usize::from(name.bytes().next().unwrap_or(b'a').wrapping_sub(b'a'));
        if let Some(bucket) = table.get_mut(first * (LONGEST + 1) + name.len()) {
            bucket.push((name.into(), *word));
        }
    }
    table
});

/// A verb that may begin a query within parentheses or after a `WITH`.
pub(super) const fn is_query(word: Word) -> bool {
    matches!(
        word,
        Word::Select
            | Word::With
            | Word::Values
            | Word::Table
            | Word::Insert
            | Word::Update
            | Word::Delete
            | Word::Merge
            | Word::Replace
    )
}

pub(super) const fn is_block_verb(word: Word) -> bool {
    is_query(word)
        || matches!(
            word,
            Word::Drop
                | Word::Truncate
                | Word::Alter
                | Word::Create
                | Word::Grant
                | Word::Revoke
                | Word::Exec
                | Word::Execute
                | Word::Call
                | Word::Perform
                | Word::Shutdown
                | Word::Kill
                | Word::Set
                | Word::Deny
                | Word::Begin
                | Word::Raise
                | Word::Return
        )
}

/// Kinds of objects that can be created and dropped.
pub(super) const fn is_object(word: Word) -> bool {
    matches!(
        word,
        Word::Table
            | Word::Database
            | Word::Schema
            | Word::View
            | Word::Index
            | Word::Function
            | Word::Procedure
            | Word::Proc
            | Word::User
            | Word::Role
            | Word::Login
            | Word::Trigger
            | Word::Sequence
            | Word::Type
            | Word::Domain
            | Word::Tablespace
            | Word::Materialized
            | Word::Extension
            | Word::Policy
            | Word::Publication
            | Word::Subscription
            | Word::Event
            | Word::Keyspace
            | Word::Foreign
            | Word::Server
            | Word::Owned
            | Word::Package
            | Word::Synonym
            | Word::Directory
            | Word::Aggregate
            | Word::Operator
            | Word::Collation
            | Word::Conversion
            | Word::Language
            | Word::Rule
            | Word::Cast
            | Word::Assembly
            | Word::Warehouse
            | Word::Stage
            | Word::Stream
            | Word::Task
            | Word::Pipe
            | Word::Profile
            | Word::Measurement
            | Word::External
            | Word::Dictionary
            | Word::Bucket
            | Word::Credential
            | Word::Certificate
            | Word::Endpoint
            | Word::Availability
            | Word::Group
            | Word::Catalog
            | Word::Share
            | Word::Snapshot
            | Word::Statistics
            | Word::Logfile
            | Word::Cluster
            | Word::Live
            | Word::Temporary
            | Word::Temp
    )
}

/// Words that end a name's place.
pub(super) const fn is_clause(word: Word) -> bool {
    matches!(
        word,
        Word::Select
            | Word::From
            | Word::Where
            | Word::Set
            | Word::Into
            | Word::On
            | Word::Values
            | Word::Order
            | Word::Limit
            | Word::Having
            | Word::Union
            | Word::And
            | Word::Or
            | Word::Not
            | Word::As
            | Word::To
            | Word::By
            | Word::Is
            | Word::In
            | Word::With
            | Word::Then
            | Word::When
            | Word::End
    )
}
