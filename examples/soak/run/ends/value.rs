//! Bodies that return.

use std::error::Error as StdError;
use std::time::Duration;
use std::{env, fmt};

use serde::{Deserialize, Serialize};
use timeout_runtime::{Error, ErrorKind, Timeout, timeout};

use super::{Case, LONG, Seen, Verdict, gives, unexpected};
use crate::run::board::{Board, Marker};
use crate::run::random::Random;

pub fn small(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    gives(&Timeout::new(LONG).run(case.body(|_| number)), &number)
}

/// Around the size of a pipe.
pub fn text(case: &mut Case<'_>) -> Verdict {
    let length = case.random.between(0, 200_000) as usize;
    let text = Timeout::new(LONG).run(case.body(|_| "é".repeat(length)));
    match text {
        Ok(text) if text.len() == 2 * length && text.chars().all(|c| c == 'é') => {
            Ok(Seen::AsExpected)
        }
        other => Err(unexpected(&other)),
    }
}

pub fn large(case: &mut Case<'_>) -> Verdict {
    let length = case.random.between(100_000, 500_000);
    let seed = case.random.next();
    let numbers = move || {
        let mut random = Random::new(seed, 0);
        (0..length).map(move |_| random.next())
    };
    match Timeout::new(LONG).run(case.body(|_| numbers().collect::<Vec<u64>>())) {
        Ok(arrived) if numbers().eq(arrived.iter().copied()) => Ok(Seen::AsExpected),
        other => Err(unexpected(&other)),
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
enum Node {
    Leaf(Option<f64>),
    Branch { name: String, nodes: Vec<Node> },
}

pub fn structure(case: &mut Case<'_>) -> Verdict {
    let leaf = Node::Leaf(Some(case.random.next() as f64));
    let tree = (0..case.random.between(0, 50)).fold(leaf, |node, depth| Node::Branch {
        name: depth.to_string(),
        nodes: vec![node, Node::Leaf(None)],
    });
    let copy = tree.clone();
    gives(&Timeout::new(LONG).run(case.body(|_| copy)), &tree)
}

pub fn prints(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    let body = case.body(|_| {
        print!("{number} ");
        println!("from a body");
        eprintln!("{number} from a body");
        number
    });
    gives(&Timeout::new(LONG).run(body), &number)
}

pub fn run_or(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next();
    gives(&Timeout::new(LONG).run_or(!number, case.body(|_| number)), &number)
}

/// A thread of the storm writes the environment, and may be writing it at the fork.
pub fn environment(case: &mut Case<'_>) -> Verdict {
    let result = Timeout::new(0.5).run(case.body(|_| env::var_os("SOAK_STORM").is_some()));
    match result {
        Err(error) if error.is_timeout() => Ok(Seen::Waited),
        result => gives(&result, &true),
    }
}

#[timeout(60)]
fn append(list: &mut Vec<u64>, number: u64, fails: bool, board: Board, marker: Marker) -> usize {
    board.enter(marker);
    list.push(number);
    assert!(!fails, "after it changed its argument");
    list.len()
}

pub fn committed(case: &mut Case<'_>) -> Verdict {
    let mut list: Vec<u64> = (0..case.random.between(0, 1000)).collect();
    let (length, number) = (list.len(), case.random.next());
    let result = append(&mut list, number, false, case.boards[0], case.marker);
    if list.len() != length + 1 || list.last() != Some(&number) {
        return Err("the argument is not what the body made of it".to_owned());
    }
    gives(&result, &(length + 1))
}

pub fn rolled_back(case: &mut Case<'_>) -> Verdict {
    let mut list = vec![1, 2, 3];
    let result = append(&mut list, 4, true, case.boards[0], case.marker);
    if list != [1, 2, 3] {
        return Err("the argument is not what it was".to_owned());
    }
    let message = "after it changed its argument";
    case.fails(
        result,
        |kind| matches!(kind, ErrorKind::Panicked { message: m, .. } if m == message),
    )
}

#[derive(Debug, PartialEq, Serialize, Deserialize)]
enum Refusal {
    Odd(u64),
    OfTheCall(String),
}

impl From<Error> for Refusal {
    fn from(error: Error) -> Self {
        Self::OfTheCall(error.to_string())
    }
}

#[timeout(Duration::from_secs(60))]
fn half(number: u64, board: Board, marker: Marker) -> Result<u64, Refusal> {
    board.enter(marker);
    if number.is_multiple_of(2) { Ok(number / 2) } else { Err(Refusal::Odd(number)) }
}

pub fn written_ok(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next() & !1;
    gives(&half(number, case.boards[0], case.marker), &(number / 2))
}

pub fn written_err(case: &mut Case<'_>) -> Verdict {
    let number = case.random.next() | 1;
    match half(number, case.boards[0], case.marker) {
        Err(Refusal::Odd(seen)) if seen == number => Ok(Seen::AsExpected),
        other => Err(unexpected(&other)),
    }
}

#[derive(Debug)]
struct Outer(std::num::ParseIntError);

impl fmt::Display for Outer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("no number")
    }
}

impl StdError for Outer {
    fn source(&self) -> Option<&(dyn StdError + 'static)> {
        Some(&self.0)
    }
}

#[timeout(60)]
fn parse(text: &str, board: Board, marker: Marker) -> Result<u64, Box<dyn StdError + Send + Sync>> {
    board.enter(marker);
    Ok(text.parse().map_err(Outer)?)
}

pub fn foreign_err(case: &mut Case<'_>) -> Verdict {
    let result = parse("x", case.boards[0], case.marker);
    match result {
        Err(error)
            if error.to_string() == "no number"
                && error.source().is_some_and(|source| {
                    source.to_string() == "invalid digit found in string"
                }) =>
        {
            Ok(Seen::AsExpected)
        }
        other => Err(unexpected(&other)),
    }
}
