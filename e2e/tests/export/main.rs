//! What leaves the recording, read by others' programs: DuckDB, the OCSF schema, an S3 server.
#![expect(clippy::indexing_slicing, reason = "a JSON value gives null for what it lacks")]

#[cfg(test)]
mod formats;
#[cfg(test)]
mod recording;
