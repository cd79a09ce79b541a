//! What was done, and what came of it.

use std::collections::BTreeMap;

use super::Run;
use super::plan::{Call, Page, Side};

#[derive(Default)]
pub struct Table {
    rows: BTreeMap<(usize, usize), Row>,
    runs: usize,
    wrong: Vec<String>,
}

#[derive(Default)]
struct Row {
    /// The most in one scenario.
    uses: u32,
    faults: u32,
    outcomes: BTreeMap<String, u32>,
}

impl Table {
    pub fn count(&mut self, page: &Page) {
        for side in [Side::Caller, Side::Child] {
            for call in Call::ALL {
                let uses = page.uses(side, call);
                if uses > 0 {
                    let row = self.rows.entry((side as usize, call as usize)).or_default();
                    row.uses = row.uses.max(uses);
                }
            }
        }
    }

    pub fn note(&mut self, run: Run, page: &Page, end: &str) {
        self.runs += 1;
        let is_wrong = end.starts_with("WRONG");
        if is_wrong {
            self.wrong.push(format!("{run}\n    {end}"));
        }
        let Some(plan) = run.plan.filter(|_| page.hits() > 0) else { return };
        let row = self.rows.entry((plan.side as usize, plan.call as usize)).or_default();
        row.faults += 1;
        let outcome = match end {
            _ if is_wrong => "WRONG".to_owned(),
            same if same == format!("{:?}", run.scenario.end()) => "same".to_owned(),
            start if start.starts_with("Start") => "Start".to_owned(),
            other => other.to_owned(),
        };
        *row.outcomes.entry(outcome).or_default() += 1;
    }

    pub fn print(&self) {
        println!("{:18}{:8}{:>6}{:>8}  outcomes", "call", "side", "uses", "faults");
        for ((side, call), row) in &self.rows {
            let side = [Side::Caller, Side::Child][*side];
            let outcomes: Vec<_> =
                row.outcomes.iter().map(|(outcome, count)| format!("{outcome} {count}")).collect();
            let call = format!("{:?}", Call::ALL[*call]);
            let side = format!("{side:?}");
            let outcomes = outcomes.join(", ");
            println!("{call:18}{side:8}{:>6}{:>8}  {outcomes}", row.uses, row.faults);
        }
        println!("{} runs", self.runs);
    }

    pub fn assert_none_wrong(&self) {
        assert!(
            self.wrong.is_empty(),
            "{} of {} runs went wrong:\n{}",
            self.wrong.len(),
            self.runs,
            self.wrong.join("\n")
        );
    }
}
