//! Transactions over rows in memory, as each kind of database isolates them. There is one lock for
//! writing: SQLite takes it as the transaction begins, PostgreSQL as it first writes; until then it
//! reads what was committed last.

pub(crate) mod conn {
    use std::sync::Arc;

    use lockgate_model::{Approval, Digest};
    use lockgate_store::db::DbFault;
    use shuttle::sync::{Condvar, Mutex, MutexGuard};

    /// How transactions are kept apart.
    #[derive(Clone, Copy, Debug, PartialEq, Eq)]
    pub(crate) enum Kind {
        Sqlite,
        Postgres,
    }

    /// One row.
    #[derive(Clone)]
    pub(crate) struct Row {
        pub(crate) key: Digest,
        pub(crate) version: u64,
        pub(crate) approval: Approval,
    }

    /// Rows, in the order in which they were made.
    pub(crate) struct Pools(Arc<Database>);

    struct Database {
        kind: Kind,
        committed: Mutex<Vec<Row>>,
        /// Whether somebody writes.
        written: Mutex<bool>,
        free: Condvar,
    }

    /// An open transaction; dropping it takes everything back.
    pub(crate) struct Tx {
        database: Arc<Database>,
        /// Everything as it would be; while this holds the lock for writing.
        own: Option<Vec<Row>>,
    }

    impl Pools {
        pub(crate) fn new(kind: Kind) -> Self {
            let (committed, written) = (Mutex::default(), Mutex::default());
            Self(Arc::new(Database { kind, committed, written, free: Condvar::new() }))
        }

        pub(crate) async fn begin(&self) -> Result<Tx, DbFault> {
            let mut tx = Tx { database: Arc::clone(&self.0), own: None };
            if self.0.kind == Kind::Sqlite {
                tx.lock();
            }
            Ok(tx)
        }

        pub(crate) fn committed(&self) -> Vec<Row> {
            self.0.rows().clone()
        }
    }

    impl Database {
        fn rows(&self) -> MutexGuard<'_, Vec<Row>> {
            self.committed.lock().unwrap()
        }
    }

    impl Tx {
        pub(crate) fn rows(&self) -> Vec<Row> {
            self.own.clone().unwrap_or_else(|| self.database.rows().clone())
        }

        pub(crate) fn lock(&mut self) -> &mut Vec<Row> {
            let database = &self.database;
            self.own.get_or_insert_with(|| {
                let written = database.written.lock().unwrap();
                *database.free.wait_while(written, |written| *written).unwrap() = true;
                database.rows().clone()
            })
        }

        pub(crate) async fn commit(mut self) -> Result<(), DbFault> {
            if let Some(own) = &mut self.own {
                *self.database.rows() = std::mem::take(own);
            }
            Ok(())
        }
    }

    impl Drop for Tx {
        fn drop(&mut self) {
            if self.own.is_some() {
                *self.database.written.lock().unwrap() = false;
                self.database.free.notify_all();
            }
        }
    }
}
