//! A table, for a terminal and for Markdown.

use std::fmt::Write as _;

pub struct Table {
    pub head: Vec<String>,
    pub rows: Vec<Vec<String>>,
}

impl Table {
    pub fn new<const N: usize>(head: [&str; N]) -> Self {
        Self { head: head.map(str::to_owned).into(), rows: Vec::new() }
    }

    pub fn row<const N: usize>(&mut self, row: [String; N]) {
        self.rows.push(row.into());
    }

    pub fn to_text(&self) -> String {
        let lines = || std::iter::once(&self.head).chain(&self.rows);
        let width = |column: usize| {
            lines().filter_map(|line| line.get(column)).map(|cell| cell.chars().count()).max()
        };
        let widths: Vec<usize> =
            (0..self.head.len()).map(|column| width(column).unwrap_or(0)).collect();
        let mut text = String::new();
        for line in lines() {
            let mut written = String::new();
            for (column, (cell, width)) in line.iter().zip(&widths).enumerate() {
                let space = width - cell.chars().count();
                // The first column is words, the others mostly figures.
                let (before, after) = if column == 0 { (0, space) } else { (space, 0) };
                let _ = write!(written, "{:before$}{cell}{:after$}  ", "", "");
            }
            text.push_str(written.trim_end());
            text.push('\n');
        }
        text
    }

    pub fn to_markdown(&self) -> String {
        let line = |cells: &[String]| format!("| {} |\n", cells.join(" | "));
        let mut text = line(&self.head);
        let _ = writeln!(text, "|---|{}", "---:|".repeat(self.head.len() - 1));
        for row in &self.rows {
            text.push_str(&line(row));
        }
        text
    }
}
