//! Stdio upstreams with real child processes: what reaches them, whose answer is whose, what pins
//! see of them, and that nothing of them stays behind.

#[cfg(test)]
mod children;
#[cfg(test)]
mod pins;
#[cfg(test)]
mod rig;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod shared;
