-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970. The
-- approval itself is `body`, as JSON; the other columns are what it is looked for by.

CREATE TABLE approvals (
    id TEXT PRIMARY KEY,
    version INTEGER NOT NULL,
    subject TEXT NOT NULL,
    -- 1 while it is the one question about its subject, absent after.
    live INTEGER,
    state TEXT NOT NULL,
    asked INTEGER NOT NULL,
    -- When something happens to it by itself.
    due INTEGER NOT NULL,
    connection TEXT NOT NULL,
    target TEXT NOT NULL,
    caller TEXT NOT NULL,
    body TEXT NOT NULL,
    UNIQUE (subject, live)
) STRICT;
CREATE INDEX approvals_state ON approvals (state, asked, id);
CREATE INDEX approvals_asked ON approvals (asked, id);
CREATE INDEX approvals_due ON approvals (live, due);
CREATE INDEX approvals_target ON approvals (connection, target, asked);
CREATE INDEX approvals_caller ON approvals (caller, live);
CREATE INDEX approvals_subject ON approvals (subject, asked);
