//! The index as its users see it: the same cases on SQLite and on a real PostgreSQL.

#[cfg(test)]
mod cases;
#[cfg(test)]
mod cluster;
#[cfg(test)]
mod contract;
#[cfg(test)]
mod events;
#[cfg(test)]
mod follow;
#[cfg(test)]
mod kept;
#[cfg(test)]
mod outage;
#[cfg(test)]
mod pages;
#[cfg(test)]
mod property;
#[cfg(test)]
mod search;
#[cfg(test)]
mod sqlite;
