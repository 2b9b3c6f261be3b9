//! What is asked of a list (RFC 7644 §3.4.2), and the list.

use lockgate_store::directory::{Directory, Entry, Kind};
use scim_v2::filter::Filter;
use serde_json::{Value, json as object};
use url::form_urlencoded;

use super::{
    fault::Fault,
    filter::{found_by, matches, parse},
    resource::json,
    shown::{Wanted, Whole, tell},
};

/// Most results of one answer; as many as are given where nothing is said, too.
pub(super) const RESULTS_MAX: u64 = 200;
/// Entries looked at together, where a filter has to be tried on all.
const SCAN: u64 = 1000;

/// What is asked.
#[derive(Debug, Default)]
pub(super) struct Asked {
    filter: Option<Filter>,
    /// Counted from 1.
    start: u64,
    count: u64,
    pub(super) wanted: Wanted,
}

impl Asked {
    /// Reads a query string. Sorting is not supported, and read past (RFC 7644 §3.4.2.3).
    pub(super) fn read(query: Option<&str>) -> Result<Self, Fault> {
        let mut asked = Self { start: 1, count: RESULTS_MAX, ..Self::default() };
        for (name, value) in form_urlencoded::parse(query.unwrap_or_default().as_bytes()) {
            match &*name {
                "filter" => asked.filter = Some(parse(&value)?),
                "startIndex" => asked.start = start(&name, &value)?,
                "count" => asked.count = count(&name, &value)?,
                "attributes" => asked.wanted.only = paths(&value),
                "excludedAttributes" => asked.wanted.without = paths(&value),
                _ => {}
            }
        }
        Ok(asked)
    }

    pub(super) const fn has_filter(&self) -> bool {
        self.filter.is_some()
    }

    /// Reads a search that is posted (RFC 7644 §3.4.3).
    pub(super) fn posted(body: &[u8]) -> Result<Self, Fault> {
        let Value::Object(body) = json(body)? else {
            return Err(Fault::syntax("the body is no object"));
        };
        let mut asked = Self { start: 1, count: RESULTS_MAX, ..Self::default() };
        for (name, value) in body {
            let text =
                || value.as_str().ok_or_else(|| Fault::value(format!("`{name}` is no text")));
            let texts = || value.as_array().into_iter().flatten().filter_map(Value::as_str);
            let paths = || texts().map(str::to_owned).collect();
            match &*name {
                "filter" => asked.filter = Some(parse(text()?)?),
                "startIndex" => asked.start = start(&name, &value.to_string())?,
                "count" => asked.count = count(&name, &value.to_string())?,
                "attributes" => asked.wanted.only = paths(),
                "excludedAttributes" => asked.wanted.without = paths(),
                _ => {}
            }
        }
        Ok(asked)
    }

    /// The answer: of one kind, or of several one after the other.
    pub(super) async fn list(
        &self,
        directory: &Directory,
        issuer: &str,
        kinds: &[Kind],
        base: &str,
    ) -> Result<Value, Fault> {
        let (mut total, mut told) = (0, Vec::new());
        let (mut skip, mut left) = (self.start - 1, self.count);
        for kind in kinds {
            let (there, found) = match &self.filter {
                None => {
                    let found = directory.find(issuer, *kind, None, skip, left).await?;
                    (directory.count(issuer, *kind).await?, found)
                }
                Some(filter) => {
                    let part = Part { directory, issuer, kind: *kind, base, skip, left };
                    part.search(filter).await?
                }
            };
            total += there;
            skip = skip.saturating_sub(there);
            left = left.saturating_sub(u64::try_from(found.len()).unwrap_or(u64::MAX));
            for entry in &found {
                let one = tell(directory, entry, base, self.wanted.whole(*kind)).await?;
                told.push(Value::Object(self.wanted.of(*kind, one)));
            }
        }
        Ok(list(total, self.start, told))
    }
}

/// A search among one kind.
struct Part<'a> {
    directory: &'a Directory,
    issuer: &'a str,
    kind: Kind,
    base: &'a str,
    /// What is found before is left out.
    skip: u64,
    /// At most so many are given.
    left: u64,
}

impl Part<'_> {
    /// How many there are, and those that are given.
    async fn search(&self, filter: &Filter) -> Result<(u64, Vec<Entry>), Fault> {
        let by = found_by(self.kind, filter);
        let text = filter.to_string().to_ascii_lowercase();
        let others = text.contains("groups") || text.contains("members");
        let whole = if others { Whole::Yes } else { Whole::No };
        let (mut read, mut total, mut found) = (0, 0, Vec::new());
        loop {
            let batch = self.directory.find(self.issuer, self.kind, by.as_ref(), read, SCAN);
            let batch = batch.await?;
            let all = u64::try_from(batch.len()).unwrap_or(u64::MAX) < SCAN;
            for entry in batch {
                let told = tell(self.directory, &entry, self.base, whole).await?;
                if matches(self.kind, filter, &told) {
                    let meant = total >= self.skip && total - self.skip < self.left;
                    found.extend(meant.then_some(entry));
                    total += 1;
                }
            }
            if all {
                return Ok((total, found));
            }
            read += SCAN;
        }
    }
}

/// Some of `total` results, from the one at `start` on (RFC 7644 §3.4.2).
pub(super) fn list(total: u64, start: u64, told: Vec<Value>) -> Value {
    object!({
        "schemas": ["urn:ietf:params:scim:api:messages:2.0:ListResponse"],
        "totalResults": total,
        "startIndex": start,
        "itemsPerPage": told.len(),
        "Resources": told,
    })
}

/// What is below one counts as one.
fn start(name: &str, text: &str) -> Result<u64, Fault> {
    Ok(number(name, text)?.max(1).unsigned_abs())
}

/// Less than none counts as none.
fn count(name: &str, text: &str) -> Result<u64, Fault> {
    Ok(number(name, text)?.max(0).unsigned_abs().min(RESULTS_MAX))
}

fn number(name: &str, text: &str) -> Result<i64, Fault> {
    text.parse().map_err(|_| Fault::value(format!("`{name}` is no whole number")))
}

fn paths(list: &str) -> Vec<String> {
    list.split(',').map(str::trim).filter(|path| !path.is_empty()).map(str::to_owned).collect()
}
