//! A thread that calls.

use std::panic::{AssertUnwindSafe, catch_unwind};

use super::board::{Board, Marker};
use super::ends::{ALL, Case};
use super::random::Random;
use super::{Part, Run, descendants};

pub struct Caller<'a> {
    run: &'a Run,
    thread: usize,
    random: Random,
    boards: [Board; 4],
    number: u64,
    /// The ends that are still to come once before chance decides. All threads together go through
    /// all ends.
    first: Vec<usize>,
}

impl<'a> Caller<'a> {
    pub fn new(run: &'a Run, thread: usize) -> Self {
        run.storm.aim_at_this_thread();
        Self {
            run,
            thread,
            random: Random::new(run.arguments.seed, thread),
            boards: std::array::from_fn(|_| Board::new()),
            number: 0,
            first: (0..ALL.len()).filter(|end| end % run.arguments.threads == thread).collect(),
        }
    }

    pub fn call(&mut self, part: Part) {
        while let Some(end) = self.first.pop() {
            self.call_once(end);
        }
        while !self.run.is_over(part) {
            let end = self.any_end();
            self.call_once(end);
        }
    }

    fn any_end(&mut self) -> usize {
        loop {
            let end = self.random.between(0, ALL.len() as u64) as usize;
            if !ALL[end].is_slow || self.random.between(0, 8) == 0 {
                return end;
            }
        }
    }

    fn call_once(&mut self, end: usize) {
        self.number += 1;
        self.boards.iter().for_each(|board| board.wipe());
        let marker = Marker { thread: self.thread, number: self.number, escapes: ALL[end].escapes };
        let thief = self.run.arguments.thief;
        let mut case = Case { random: &mut self.random, boards: self.boards, marker, thief };
        let seen = catch_unwind(AssertUnwindSafe(|| (ALL[end].call)(&mut case)))
            .unwrap_or_else(|_| Err("the call panicked in the caller".to_owned()));
        let seen = seen.and_then(|seen| {
            descendants::all_gone(&self.boards, marker)?;
            Ok(seen)
        });
        if let Err(why) = &seen {
            let (thread, number) = (self.thread, self.number);
            let (seed, name) = (self.run.arguments.seed, ALL[end].name);
            self.run
                .tally
                .broken(format!("{name}: {why} (seed {seed}, thread {thread}, its call {number})"));
        }
        self.run.tally.add(end, seen.ok());
        if ALL[end].escapes {
            descendants::end_escaped_of(marker);
        }
    }
}
