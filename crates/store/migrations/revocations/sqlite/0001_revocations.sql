-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

CREATE TABLE revocations (
    id TEXT NOT NULL PRIMARY KEY,
    -- The number of its last change: whoever has read up to one number reads on from there.
    change INTEGER NOT NULL UNIQUE,
    -- JSON.
    target TEXT NOT NULL,
    issued_until INTEGER,
    reason TEXT NOT NULL,
    author TEXT NOT NULL,
    made INTEGER NOT NULL,
    ends INTEGER,
    lifted_by TEXT,
    lifted INTEGER
) STRICT;

-- How often anything was changed: one row, once there is anything.
CREATE TABLE revocation_changes (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    made INTEGER NOT NULL
) STRICT;
