//! What an issuer answers when it is asked for its security events.

use lockgate_gateway::poller;

/// Every event has a name of its own, and none is told twice.
pub fn holds(input: &[u8]) {
    let Ok(told) = poller::read(input) else { return };
    let mut names: Vec<_> = told.iter().map(|one| &one.jti).collect();
    names.sort();
    names.dedup();
    assert_eq!(names.len(), told.len());
}
