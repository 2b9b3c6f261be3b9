-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970.

CREATE TABLE revocations (
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- The number of its last change: whoever has read up to one number reads on from there.
    change BIGINT NOT NULL UNIQUE,
    -- JSON.
    target TEXT COLLATE "C" NOT NULL,
    issued_until BIGINT,
    reason TEXT COLLATE "C" NOT NULL,
    author TEXT COLLATE "C" NOT NULL,
    made BIGINT NOT NULL,
    ends BIGINT,
    lifted_by TEXT COLLATE "C",
    lifted BIGINT
);

-- How often anything was changed: one row, once there is anything.
CREATE TABLE revocation_changes (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    made BIGINT NOT NULL
);
