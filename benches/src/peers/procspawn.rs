//! procspawn: this program started afresh for each call, or kept in a pool.

use std::time::Duration;

use super::work;

pub fn number(number: u64) -> u64 {
    procspawn::spawn(number, work::number).join().expect("it only doubles")
}

pub fn text(length: usize) -> String {
    procspawn::spawn(length, work::text).join().expect("it arrives")
}

/// Dropping the handle kills the child.
pub fn times_out(limit: Duration) -> bool {
    procspawn::spawn(60, work::sleep).join_timeout(limit).is_err_and(|error| error.is_timeout())
}

pub struct Pool(procspawn::Pool);

pub fn pool(size: usize) -> Pool {
    Pool(procspawn::Pool::new(size).expect("its processes start"))
}

impl Pool {
    pub fn number(&self, number: u64) -> u64 {
        self.0.spawn(number, work::number).join().expect("it only doubles")
    }

    pub fn bytes(&self, length: usize) -> Vec<u8> {
        self.0.spawn(length, work::bytes).join().expect("it arrives")
    }

    pub fn text(&self, length: usize) -> String {
        self.0.spawn(length, work::text).join().expect("it arrives")
    }
}
