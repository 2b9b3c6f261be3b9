//! The end-to-end proofs: every file is a room of its own around the real binary.
#![cfg(test)]

mod big;
mod clients;
mod conformance;
mod crash;
mod demo;
mod disk;
mod fidelity;
mod fixtures;
mod identity;
mod leaving;
mod notices;
mod pages;
mod power;
mod recording;
mod rights;
mod rows_a;
mod rows_a_clicks;
mod rows_c;
mod rows_d;
mod rows_h;
mod rows_j;
mod rows_l;
mod rows_l_files;
mod rows_p;
mod rows_s;
mod rows_s_channels;
mod rows_t;
mod rows_u;
mod rows_v;
mod rows_x;
mod running;
mod secrets;
mod waiting;
