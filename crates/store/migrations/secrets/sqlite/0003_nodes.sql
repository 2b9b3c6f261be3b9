-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

-- The gateways that run on this vault, as each says it of itself every few seconds.
CREATE TABLE vault_nodes (
    -- Made anew for each run.
    instance TEXT PRIMARY KEY,
    node TEXT NOT NULL,
    -- The ids of the keys that it has, apart by blanks.
    keys TEXT NOT NULL,
    seen INTEGER NOT NULL
) STRICT;
