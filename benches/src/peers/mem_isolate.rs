//! mem-isolate: forks for each call; no limit.

use mem_isolate::execute_in_isolated_process;

use super::work;

pub fn number(number: u64) -> u64 {
    execute_in_isolated_process(|| work::number(number)).expect("it only doubles")
}

pub fn bytes(length: usize) -> Vec<u8> {
    execute_in_isolated_process(|| work::bytes(length)).expect("it arrives")
}

pub fn text(length: usize) -> String {
    execute_in_isolated_process(|| work::text(length)).expect("it arrives")
}
