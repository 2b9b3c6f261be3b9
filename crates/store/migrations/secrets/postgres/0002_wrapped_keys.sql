-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970.

-- The vault's keys where a server outside wraps them: what it gave for each, which only it can unwrap.
CREATE TABLE vault_keys (
    id TEXT COLLATE "C" PRIMARY KEY,
    -- Which server and which key there.
    place TEXT COLLATE "C" NOT NULL,
    -- The newest has the highest.
    number BIGINT NOT NULL UNIQUE,
    wrapped TEXT COLLATE "C" NOT NULL,
    created BIGINT NOT NULL
);
