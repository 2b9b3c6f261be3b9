//! The store as its users see it: files in a folder, before and after crashes.

#[cfg(test)]
mod backup;
#[cfg(test)]
mod damage;
#[cfg(test)]
mod deliver;
#[cfg(test)]
mod full;
#[cfg(test)]
mod journal;
#[cfg(test)]
mod kill;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod ship;
#[cfg(test)]
mod support;
