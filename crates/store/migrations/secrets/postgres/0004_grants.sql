-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970.

-- What users let the gateway do for them at servers: one row for each user and connection.
CREATE TABLE grants (
    -- SHA-256 of the user's issuer and subject.
    holder TEXT COLLATE "C" NOT NULL,
    connection TEXT COLLATE "C" NOT NULL,
    -- SHA-256 of where it may be used: at a connection with other settings it is none.
    place TEXT COLLATE "C" NOT NULL,
    -- Counts on after a removal, so that nothing old can stand in the place of something new.
    version BIGINT NOT NULL,
    -- Under which key it is sealed; nothing is where it was removed.
    sealing_key TEXT COLLATE "C",
    sealed TEXT COLLATE "C",
    -- When its access token is to be renewed, and when it ends.
    renew_at BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    -- Which run of a gateway renews it, and until when the others leave it alone.
    claimant TEXT COLLATE "C",
    claimed_until BIGINT,
    created BIGINT NOT NULL,
    updated BIGINT NOT NULL,
    PRIMARY KEY (holder, connection)
);
CREATE INDEX grants_key ON grants (sealing_key);
