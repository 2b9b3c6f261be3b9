-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970,
-- flags are 0 or 1, and a key is the node's number and the record's sequence number in one.

CREATE TABLE nodes (
    number INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    applied INTEGER NOT NULL
) STRICT;

CREATE TABLE sessions (
    key INTEGER PRIMARY KEY,
    node INTEGER NOT NULL,
    id TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    client TEXT,
    connection TEXT NOT NULL,
    era TEXT NOT NULL,
    opened INTEGER NOT NULL,
    last INTEGER NOT NULL,
    last_seq INTEGER NOT NULL,
    closed INTEGER,
    why TEXT,
    calls INTEGER NOT NULL,
    denied INTEGER NOT NULL,
    errors INTEGER NOT NULL,
    bytes INTEGER NOT NULL,
    held INTEGER NOT NULL,
    erased INTEGER NOT NULL,
    retired INTEGER NOT NULL,
    UNIQUE (id, node)
) STRICT;
CREATE INDEX sessions_opened ON sessions (opened, key);
CREATE INDEX sessions_subject ON sessions (subject, opened, key);
CREATE INDEX sessions_connection ON sessions (connection, opened, key);
CREATE INDEX sessions_last_seq ON sessions (node, last_seq);

CREATE TABLE calls (
    key INTEGER PRIMARY KEY,
    node INTEGER NOT NULL,
    id TEXT NOT NULL,
    session INTEGER,
    outcome_seq INTEGER,
    time INTEGER NOT NULL,
    trace TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    client TEXT,
    connection TEXT NOT NULL,
    method TEXT NOT NULL,
    action TEXT NOT NULL,
    target TEXT NOT NULL,
    verdict TEXT NOT NULL,
    reason TEXT,
    status TEXT,
    elapsed_us INTEGER,
    bytes INTEGER NOT NULL,
    masked TEXT,
    texts INTEGER NOT NULL,
    text_bytes INTEGER NOT NULL,
    text_cut INTEGER NOT NULL,
    erased INTEGER NOT NULL,
    UNIQUE (id, node)
) STRICT;
CREATE INDEX calls_time ON calls (time, key);
CREATE INDEX calls_session ON calls (session, time, key);
CREATE INDEX calls_subject ON calls (subject, time, key);
CREATE INDEX calls_client ON calls (client, time, key);
CREATE INDEX calls_connection ON calls (connection, time, key);
CREATE INDEX calls_target ON calls (target, time, key);
CREATE INDEX calls_verdict ON calls (verdict, time, key);
CREATE INDEX calls_reason ON calls (reason, time, key) WHERE reason IS NOT NULL;
CREATE INDEX calls_trace ON calls (trace);

-- Groups, facts and policies, each once.
CREATE TABLE labels (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    UNIQUE (kind, name)
) STRICT;

CREATE TABLE call_labels (
    label INTEGER NOT NULL REFERENCES labels (id),
    call INTEGER NOT NULL,
    PRIMARY KEY (label, call)
) STRICT, WITHOUT ROWID;
CREATE INDEX call_labels_call ON call_labels (call);

CREATE TABLE session_labels (
    label INTEGER NOT NULL REFERENCES labels (id),
    session INTEGER NOT NULL,
    PRIMARY KEY (label, session)
) STRICT, WITHOUT ROWID;
CREATE INDEX session_labels_session ON session_labels (session);

CREATE TABLE refusals (
    key INTEGER PRIMARY KEY,
    node INTEGER NOT NULL,
    time INTEGER NOT NULL,
    request TEXT NOT NULL,
    peer TEXT NOT NULL,
    connection TEXT,
    identity TEXT,
    reason TEXT NOT NULL,
    detail TEXT NOT NULL
) STRICT;
CREATE INDEX refusals_time ON refusals (time, key);
CREATE INDEX refusals_reason ON refusals (reason, time, key);
CREATE INDEX refusals_identity ON refusals (identity, time, key);

-- The words of the calls. A row's id is the call's key and the number of the text in one.
CREATE VIRTUAL TABLE texts USING fts5 (
    words, content = '', contentless_delete = 1, tokenize = 'ascii'
);
