-- What the same file for SQLite makes, column for column. Times are milliseconds since 1970.

-- How much of each budget was used in each window; what is over is taken away.
CREATE TABLE budget_uses (
    policy TEXT COLLATE "C" NOT NULL,
    issuer TEXT COLLATE "C" NOT NULL,
    subject TEXT COLLATE "C" NOT NULL,
    begins BIGINT NOT NULL,
    ends BIGINT NOT NULL,
    used BIGINT NOT NULL,
    PRIMARY KEY (policy, issuer, subject, begins)
);

CREATE INDEX budget_uses_by_end ON budget_uses (ends);
