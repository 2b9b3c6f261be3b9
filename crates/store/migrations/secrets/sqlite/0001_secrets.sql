-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

CREATE TABLE secrets (
    name TEXT PRIMARY KEY,
    -- Counts on after a removal, so that nothing old can stand in the place of something new.
    version INTEGER NOT NULL,
    -- The one connection that may use it; any where absent.
    connection TEXT,
    -- Under which key it is sealed; nothing is where it was removed.
    sealing_key TEXT,
    sealed TEXT,
    description TEXT NOT NULL,
    author TEXT NOT NULL,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL
) STRICT;
CREATE INDEX secrets_key ON secrets (sealing_key, name);

-- The key under which everything new is sealed: one row, once there is anything.
CREATE TABLE vault (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    sealing_key TEXT NOT NULL
) STRICT;
