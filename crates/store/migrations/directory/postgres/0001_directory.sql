-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970.

-- People and groups, those that are gone among them.
CREATE TABLE directory_entries (
    -- 32 hexadecimal digits.
    id TEXT COLLATE "C" NOT NULL PRIMARY KEY,
    -- `user` or `group`.
    kind TEXT COLLATE "C" NOT NULL,
    issuer TEXT COLLATE "C" NOT NULL,
    -- The number of its last change: whoever has read up to one number reads on from there.
    change BIGINT NOT NULL UNIQUE,
    -- As tokens name it.
    name TEXT COLLATE "C" NOT NULL,
    -- `userName` or `displayName`, in lower case.
    label TEXT COLLATE "C" NOT NULL,
    external_id TEXT COLLATE "C",
    -- The revocation that keeps a person out.
    revocation TEXT COLLATE "C",
    gone BIGINT NOT NULL,
    -- JSON.
    resource TEXT COLLATE "C" NOT NULL,
    version BIGINT NOT NULL,
    made BIGINT NOT NULL,
    changed BIGINT NOT NULL
);

CREATE INDEX directory_by_name ON directory_entries (issuer, kind, name);
CREATE INDEX directory_by_label ON directory_entries (issuer, kind, label);
CREATE INDEX directory_by_external_id ON directory_entries (issuer, kind, external_id);
CREATE INDEX directory_by_age ON directory_entries (issuer, kind, gone, made, id);

-- Who is in which group, and who was.
CREATE TABLE directory_members (
    group_id TEXT COLLATE "C" NOT NULL,
    user_id TEXT COLLATE "C" NOT NULL,
    change BIGINT NOT NULL UNIQUE,
    gone BIGINT NOT NULL,
    PRIMARY KEY (group_id, user_id)
);

CREATE INDEX directory_by_member ON directory_members (user_id, gone);

-- How often anything was changed: one row, once there is anything.
CREATE TABLE directory_changes (
    one BIGINT PRIMARY KEY CHECK (one = 1),
    made BIGINT NOT NULL
);
