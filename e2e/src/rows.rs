//! The one list of catalogue rows that this suite must run, and the book that is kept while they
//! run. A row that is listed and not run is a failure; so is a class with too few valid twins.

use std::collections::{BTreeMap, BTreeSet};

/// Every class with the numbers of its rows.
const EXPECTED: &[(&str, &[std::ops::RangeInclusive<u32>])] = &[
    ("T", &[1..=46]),
    ("H", &[1..=31, 41..=41]),
    ("J", &[1..=23]),
    ("C", &[1..=13]),
    ("V", &[1..=13]),
    ("P", &[1..=19, 22..=29]),
    ("A", &[1..=14, 16..=19]),
    ("K", &[1..=15]),
    ("X", &[1..=8]),
    ("L", &[1..=8]),
    ("S", &[1..=10]),
    ("D", &[1..=4, 6..=6]),
    ("U", &[8..=15, 18..=18]),
];

/// Valid twins that each class needs, in percent of its cases.
const TWINS_MIN_PERCENT: usize = 10;

/// The book of one class.
pub struct Rows {
    class: &'static str,
    ran: BTreeSet<u32>,
    cases: usize,
    twins: usize,
    failures: BTreeMap<String, String>,
}

impl Rows {
    /// An empty book.
    pub fn new(class: &'static str) -> Self {
        let (ran, failures) = (BTreeSet::new(), BTreeMap::new());
        Self { class, ran, cases: 0, twins: 0, failures }
    }

    /// Enters the outcome of a hostile case of row `number`.
    pub fn row(&mut self, number: u32, case: &str, outcome: anyhow::Result<()>) {
        self.enter(number, case, outcome);
    }

    /// Enters the outcome of a case of row `number` that looks alike and must pass.
    pub fn twin(&mut self, number: u32, case: &str, outcome: anyhow::Result<()>) {
        self.twins += 1;
        self.enter(number, &format!("twin: {case}"), outcome);
    }

    fn enter(&mut self, number: u32, case: &str, outcome: anyhow::Result<()>) {
        self.ran.insert(number);
        self.cases += 1;
        if let Err(fault) = outcome {
            let case = case.chars().take(80).collect::<String>();
            self.failures.insert(format!("{}{number} {case}", self.class), format!("{fault:#}"));
        }
    }

    /// Prints the sum and fails where a row failed or is missing.
    ///
    /// # Panics
    /// Where the class did not pass.
    pub fn finish(self) {
        let expected = EXPECTED.iter().find(|(class, _)| *class == self.class);
        let ranges = expected.map(|(_, ranges)| *ranges).unwrap_or_default();
        let expected: BTreeSet<u32> = ranges.iter().cloned().flatten().collect();
        let missing: Vec<_> = expected.difference(&self.ran).collect();
        let (class, cases, twins) = (self.class, self.cases, self.twins);
        let mut sum = format!(
            "class {class}: rows run {} / rows expected {}, {cases} cases, {twins} valid twins, {} failed",
            self.ran.intersection(&expected).count(),
            expected.len(),
            self.failures.len(),
        );
        for (case, fault) in &self.failures {
            sum.push_str(&format!("\n  {case}: {fault}"));
        }
        crate::say(&sum);
        assert!(missing.is_empty(), "class {class}: rows not run: {missing:?}");
        assert!(twins * 100 >= cases * TWINS_MIN_PERCENT, "class {class}: too few valid twins");
        assert!(self.failures.is_empty(), "class {class}: {} cases failed", self.failures.len());
    }
}
