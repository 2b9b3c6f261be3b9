-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

-- People and groups, those that are gone among them.
CREATE TABLE directory_entries (
    -- 32 hexadecimal digits.
    id TEXT NOT NULL PRIMARY KEY,
    -- `user` or `group`.
    kind TEXT NOT NULL,
    issuer TEXT NOT NULL,
    -- The number of its last change: whoever has read up to one number reads on from there.
    change INTEGER NOT NULL UNIQUE,
    -- As tokens name it.
    name TEXT NOT NULL,
    -- `userName` or `displayName`, in lower case.
    label TEXT NOT NULL,
    external_id TEXT,
    -- The revocation that keeps a person out.
    revocation TEXT,
    gone INTEGER NOT NULL,
    -- JSON.
    resource TEXT NOT NULL,
    version INTEGER NOT NULL,
    made INTEGER NOT NULL,
    changed INTEGER NOT NULL
) STRICT;

CREATE INDEX directory_by_name ON directory_entries (issuer, kind, name);
CREATE INDEX directory_by_label ON directory_entries (issuer, kind, label);
CREATE INDEX directory_by_external_id ON directory_entries (issuer, kind, external_id);
CREATE INDEX directory_by_age ON directory_entries (issuer, kind, gone, made, id);

-- Who is in which group, and who was.
CREATE TABLE directory_members (
    group_id TEXT NOT NULL,
    user_id TEXT NOT NULL,
    change INTEGER NOT NULL UNIQUE,
    gone INTEGER NOT NULL,
    PRIMARY KEY (group_id, user_id)
) STRICT;

CREATE INDEX directory_by_member ON directory_members (user_id, gone);

-- How often anything was changed: one row, once there is anything.
CREATE TABLE directory_changes (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    made INTEGER NOT NULL
) STRICT;
