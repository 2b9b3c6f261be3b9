//! The end-to-end proofs: every file is a room of its own around the real binary.

#[cfg(test)]
mod clients;
#[cfg(test)]
mod conformance;
#[cfg(test)]
mod crash;
#[cfg(test)]
mod fidelity;
#[cfg(test)]
mod fixtures;
#[cfg(test)]
mod identity;
#[cfg(test)]
mod rows_c;
#[cfg(test)]
mod rows_d;
#[cfg(test)]
mod rows_h;
#[cfg(test)]
mod rows_j;
#[cfg(test)]
mod rows_l;
#[cfg(test)]
mod rows_p;
#[cfg(test)]
mod rows_s;
#[cfg(test)]
mod rows_t;
#[cfg(test)]
mod rows_v;
#[cfg(test)]
mod rows_x;
#[cfg(test)]
mod running;
