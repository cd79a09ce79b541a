//! The peers, each by what it offers, each doing the same work.

pub mod mem_isolate;
pub mod process_fun;
pub mod procspawn;
pub mod python;
pub mod work;
pub mod zygote;
