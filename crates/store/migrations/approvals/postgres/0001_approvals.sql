-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970. The
-- approval itself is `body`, as JSON; the other columns are what it is looked for by.

CREATE TABLE approvals (
    id TEXT COLLATE "C" PRIMARY KEY,
    version BIGINT NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    -- 1 while it is the one question about its subject, absent after.
    live BIGINT,
    state TEXT COLLATE "C" NOT NULL,
    asked BIGINT NOT NULL,
    -- When something happens to it by itself.
    due BIGINT NOT NULL,
    connection TEXT COLLATE "C" NOT NULL,
    target TEXT COLLATE "C" NOT NULL,
    caller TEXT COLLATE "C" NOT NULL,
    body TEXT COLLATE "C" NOT NULL,
    UNIQUE (subject, live)
);
CREATE INDEX approvals_state ON approvals (state, asked, id);
CREATE INDEX approvals_asked ON approvals (asked, id);
CREATE INDEX approvals_due ON approvals (live, due);
CREATE INDEX approvals_target ON approvals (connection, target, asked);
CREATE INDEX approvals_caller ON approvals (caller, live);
CREATE INDEX approvals_subject ON approvals (subject, asked);
