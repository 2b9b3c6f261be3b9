//! What leaves the recording, read by others' programs: DuckDB, the OCSF schema, an S3 server.

#[cfg(test)]
mod bucket;
#[cfg(test)]
mod formats;
#[cfg(test)]
mod recording;
