-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

-- What users let the gateway do for them at servers: one row for each user and connection.
CREATE TABLE grants (
    -- SHA-256 of the user's issuer and subject.
    holder TEXT NOT NULL,
    connection TEXT NOT NULL,
    -- SHA-256 of where it may be used: at a connection with other settings it is none.
    place TEXT NOT NULL,
    -- Counts on after a removal, so that nothing old can stand in the place of something new.
    version INTEGER NOT NULL,
    -- Under which key it is sealed; nothing is where it was removed.
    sealing_key TEXT,
    sealed TEXT,
    -- When its access token is to be renewed, and when it ends.
    renew_at INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    -- Which run of a gateway renews it, and until when the others leave it alone.
    claimant TEXT,
    claimed_until INTEGER,
    created INTEGER NOT NULL,
    updated INTEGER NOT NULL,
    PRIMARY KEY (holder, connection)
) STRICT;
CREATE INDEX grants_key ON grants (sealing_key);
