//! The admin API as its users see it: real journal, real index, real requests.

#[cfg(test)]
mod access;
#[cfg(test)]
mod api;
#[cfg(test)]
mod approvals;
#[cfg(test)]
mod changes;
#[cfg(test)]
mod gate;
#[cfg(test)]
mod hostile;
#[cfg(test)]
mod provisioning;
#[cfg(test)]
mod reading;
#[cfg(test)]
mod registry;
#[cfg(test)]
mod revocations;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod schemathesis;
#[cfg(test)]
mod tails;
