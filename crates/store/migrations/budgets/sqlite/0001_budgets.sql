-- What the same file for PostgreSQL makes, column for column. Times are milliseconds since 1970.

-- How much of each budget was used in each window; what is over is taken away.
CREATE TABLE budget_uses (
    policy TEXT NOT NULL,
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    begins INTEGER NOT NULL,
    ends INTEGER NOT NULL,
    used INTEGER NOT NULL,
    PRIMARY KEY (policy, issuer, subject, begins)
) STRICT;

CREATE INDEX budget_uses_by_end ON budget_uses (ends);
