//! Stdio upstreams with real child processes: what reaches them, whose answer is whose, what pins
//! see of them, and that nothing of them stays behind.

mod children;
mod pins;
mod rig;
mod sessions;
mod shared;
