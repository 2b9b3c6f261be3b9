//! What is measured, and under which name.

use super::{
    load::Pace,
    mcp::{Era, Form},
    target::Question,
};

/// One line of the table for each target.
#[derive(Clone, Debug)]
pub(super) struct Scenario {
    pub(super) name: String,
    pub(super) question: Question,
    pub(super) pace: Pace,
}

/// All scenarios whose names contain `only`.
pub(super) fn all(only: Option<&str>) -> Vec<Scenario> {
    const KB: usize = 1024;
    use Era::{Legacy, Modern};
    use Form::{Json, Sse};
    let closed = |callers| Pace::Closed { callers };
    let rows = [
        (Legacy, Json, 256, closed(1)),
        (Legacy, Json, 256, closed(16)),
        (Legacy, Json, 256, closed(64)),
        (Legacy, Json, 256, Pace::Open { per_second: 2_000 }),
        (Legacy, Json, 8 * KB, closed(16)),
        (Legacy, Json, 256 * KB, closed(16)),
        (Legacy, Json, 4 * KB * KB, closed(4)),
        (Legacy, Sse, 256, closed(16)),
        (Legacy, Sse, 256 * KB, closed(16)),
        (Modern, Json, 256, closed(16)),
        (Modern, Json, 8 * KB, closed(16)),
        (Modern, Sse, 256, closed(16)),
    ];
    let scenarios = rows.into_iter().map(|(era, form, size, pace)| {
        let question = Question { era, form, size };
        Scenario { name: name(&question, pace), question, pace }
    });
    scenarios.filter(|scenario| only.is_none_or(|only| scenario.name.contains(only))).collect()
}

fn name(question: &Question, pace: Pace) -> String {
    let era = if question.era == Era::Legacy { "legacy" } else { "modern" };
    let form = if question.form == Form::Json { "json" } else { "sse" };
    let size = match question.size {
        size if size < 1024 => format!("{size}B"),
        size if size < 1024 * 1024 => format!("{}K", size / 1024),
        size => format!("{}M", size / 1024 / 1024),
    };
    let pace = match pace {
        Pace::Closed { callers } => format!("c={callers}"),
        Pace::Open { per_second } => format!("{per_second}/s"),
    };
    format!("{era} {form} {size} {pace}")
}
