-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

-- One row a version, none ever changed: the newest of a name is what stands.
CREATE TABLE connections (
    name TEXT NOT NULL,
    version INTEGER NOT NULL,
    -- JSON; absent where this version took it away.
    settings TEXT,
    author TEXT NOT NULL,
    -- Whether it was made from documents, so that what others changed since can be told.
    applied INTEGER NOT NULL,
    changed INTEGER NOT NULL,
    PRIMARY KEY (name, version)
) STRICT;

-- How often anything was changed: one row, once there is anything.
CREATE TABLE connection_changes (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    made INTEGER NOT NULL
) STRICT;
