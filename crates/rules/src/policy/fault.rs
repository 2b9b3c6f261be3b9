//! What can be wrong with policies: each fault points into its file and says what to do.

use miette::{Diagnostic, NamedSource, SourceSpan};

/// Every error of one compilation; the policies before it stay in force.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the policies can't be used: {}", count(faults.len()))]
pub struct PolicyErrors {
    /// In the order of files and lines; never empty.
    #[related]
    pub faults: Vec<PolicyFault>,
}

fn count(faults: usize) -> String {
    if faults == 1 { "1 error".to_owned() } else { format!("{faults} errors") }
}

/// One error or warning.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct PolicyFault {
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
    /// The file.
    #[source_code]
    pub file: NamedSource<String>,
    /// The place in the file.
    #[label("{label}")]
    pub span: Option<SourceSpan>,
    /// What stands at the place.
    pub label: String,
}
