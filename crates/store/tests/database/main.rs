//! Index, approvals, registered connections and sealed secrets as their users see them: the same cases on SQLite and on a real PostgreSQL.

#[cfg(test)]
mod approvals;
#[cfg(test)]
mod budgets;
#[cfg(test)]
mod cases;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod connections;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod directory;
#[cfg(test)]
mod events;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod grants;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod property;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod search;
#[cfg(test)]
mod secrets;
#[cfg(test)]
mod sqlite;
#[cfg(test)]
mod usage;
