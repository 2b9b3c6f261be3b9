-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970.

-- One row a version, none ever changed: the newest of a name is what stands.
CREATE TABLE connections (
    name TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    -- JSON; absent where this version took it away.
    settings TEXT COLLATE "C",
    author TEXT COLLATE "C" NOT NULL,
    -- Whether it was made from documents, so that what others changed since can be told.
    applied BIGINT NOT NULL,
    changed BIGINT NOT NULL,
    PRIMARY KEY (name, version)
);

-- How often anything was changed: one row, once there is anything.
CREATE TABLE connection_changes (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    made BIGINT NOT NULL
);
