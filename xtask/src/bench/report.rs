//! One table of everything that was measured, or the same as JSON.

use std::collections::BTreeMap;

use serde_json::{Value, json};

use super::load::Run;

/// The value below which this share of the sorted times lies, in microseconds.
pub(super) fn percentile(sorted_ns: &[u64], share: f64) -> f64 {
    let last = sorted_ns.len().saturating_sub(1);
    let at = (last as f64 * share).round() as usize;
    sorted_ns.get(at).map_or(0.0, |ns| *ns as f64 / 1_000.0)
}

/// The figures of one run.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Figures {
    pub(super) calls_s: f64,
    pub(super) p50_us: f64,
    pub(super) p99_us: f64,
    pub(super) p999_us: f64,
    pub(super) cpu_us: Option<f64>,
    pub(super) rss_mb: Option<f64>,
    pub(super) errors: u64,
}

impl Figures {
    pub(super) fn new(mut run: Run) -> Self {
        run.latencies.sort_unstable();
        let calls = run.latencies.len() as f64;
        Self {
            calls_s: calls / run.elapsed.as_secs_f64(),
            p50_us: percentile(&run.latencies, 0.5),
            p99_us: percentile(&run.latencies, 0.99),
            p999_us: percentile(&run.latencies, 0.999),
            cpu_us: run.usage.map(|usage| usage.cpu_us as f64 / calls.max(1.0)),
            rss_mb: run.usage.map(|usage| usage.rss_kb as f64 / 1024.0),
            errors: run.errors,
        }
    }

    /// The median of each figure over the rounds; all of their errors.
    fn median(rounds: &[Self]) -> Self {
        let of = |figure: fn(&Self) -> f64| {
            let mut values: Vec<_> = rounds.iter().map(figure).collect();
            values.sort_unstable_by(f64::total_cmp);
            values.get(values.len() / 2).copied().unwrap_or_default()
        };
        let known = rounds.iter().all(|round| round.cpu_us.is_some());
        Self {
            calls_s: of(|round| round.calls_s),
            p50_us: of(|round| round.p50_us),
            p99_us: of(|round| round.p99_us),
            p999_us: of(|round| round.p999_us),
            cpu_us: known.then(|| of(|round| round.cpu_us.unwrap_or_default())),
            rss_mb: known.then(|| of(|round| round.rss_mb.unwrap_or_default())),
            errors: rounds.iter().map(|round| round.errors).sum(),
        }
    }
}

/// Everything that was measured.
#[derive(Debug, Default)]
pub(super) struct Report {
    /// Figures of all rounds by scenario and target, both in the order in which they ran.
    rows: BTreeMap<(usize, usize), (String, &'static str, Vec<Figures>)>,
    /// Single figures, each with its unit in its name.
    pub(super) facts: Vec<(&'static str, f64)>,
}

impl Report {
    pub(super) fn add(
        &mut self,
        (scenario, scenario_name): (usize, &str),
        (target, target_name): (usize, &'static str),
        figures: Figures,
    ) {
        let row = self.rows.entry((scenario, target));
        let row = row.or_insert_with(|| (scenario_name.to_owned(), target_name, Vec::new()));
        row.2.push(figures);
    }

    /// Errors of all runs.
    pub(super) fn errors(&self) -> u64 {
        self.rows.values().flat_map(|row| &row.2).map(|figures| figures.errors).sum()
    }

    /// Each row with its medians, and those of the first target of its scenario.
    fn medians(&self) -> impl Iterator<Item = (&str, &'static str, Figures, Figures)> {
        self.rows.iter().map(|((scenario, _), (name, target, rounds))| {
            let direct = self.rows.get(&(*scenario, 0)).map_or(&[][..], |row| &row.2);
            (name.as_str(), *target, Figures::median(rounds), Figures::median(direct))
        })
    }

    pub(super) fn table(&self) -> String {
        let mut text = format!(
            "{:<26} {:<14} {:>8} {:>8} {:>8} {:>8} {:>8} {:>8} {:>6} {:>8} {:>7} {:>6}\n",
            "scenario",
            "target",
            "calls/s",
            "p50 us",
            "p99 us",
            "p999 us",
            "+p50 us",
            "+p99 us",
            "ratio",
            "CPU us",
            "RSS MB",
            "errors"
        );
        for (scenario, target, row, direct) in self.medians() {
            let known = |figure: Option<f64>, digits: usize| {
                figure.map_or("-".to_owned(), |figure| format!("{figure:.digits$}"))
            };
            text += &format!(
                "{scenario:<26} {target:<14} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>8.0} {:>6.2} {:>8} {:>7} {:>6}\n",
                row.calls_s,
                row.p50_us,
                row.p99_us,
                row.p999_us,
                row.p50_us - direct.p50_us,
                row.p99_us - direct.p99_us,
                row.calls_s / direct.calls_s.max(1.0),
                known(row.cpu_us, 1),
                known(row.rss_mb, 0),
                row.errors
            );
        }
        for (name, value) in &self.facts {
            text += &format!("{name}: {value:.1}\n");
        }
        text
    }

    pub(super) fn json(&self) -> Value {
        let rows = self.medians().map(|(scenario, target, row, direct)| {
            json!({
                "scenario": scenario, "target": target, "calls_s": row.calls_s,
                "p50_us": row.p50_us, "p99_us": row.p99_us, "p999_us": row.p999_us,
                "added_p50_us": row.p50_us - direct.p50_us,
                "added_p99_us": row.p99_us - direct.p99_us,
                "ratio": row.calls_s / direct.calls_s.max(1.0), "cpu_us": row.cpu_us,
                "rss_mb": row.rss_mb, "errors": row.errors,
            })
        });
        let rows: Vec<_> = rows.collect();
        let facts: serde_json::Map<_, _> =
            self.facts.iter().map(|(name, value)| ((*name).to_owned(), json!(value))).collect();
        json!({ "rows": rows, "facts": facts })
    }
}
