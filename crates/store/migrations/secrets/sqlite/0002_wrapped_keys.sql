-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

-- The vault's keys where a server outside wraps them: what it gave for each, which only it can unwrap.
CREATE TABLE vault_keys (
    id TEXT PRIMARY KEY,
    -- Which server and which key there.
    place TEXT NOT NULL,
    -- The newest has the highest.
    number INTEGER NOT NULL UNIQUE,
    wrapped TEXT NOT NULL,
    created INTEGER NOT NULL
) STRICT;
