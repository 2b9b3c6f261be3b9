-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970.

CREATE TABLE secrets (
    name TEXT COLLATE "C" PRIMARY KEY,
    -- Counts on after a removal, so that nothing old can stand in the place of something new.
    version BIGINT NOT NULL,
    -- The one connection that may use it; any where absent.
    connection TEXT COLLATE "C",
    -- Under which key it is sealed; nothing is where it was removed.
    sealing_key TEXT COLLATE "C",
    sealed TEXT COLLATE "C",
    description TEXT COLLATE "C" NOT NULL,
    author TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL
);
CREATE INDEX secrets_key ON secrets (sealing_key, name);

-- The key under which everything new is sealed: one row, once there is anything.
CREATE TABLE vault (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    sealing_key TEXT COLLATE "C" NOT NULL
);
