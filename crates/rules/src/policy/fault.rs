//! What can be wrong with policies: each fault points into its file and says what to do.

use std::sync::Arc;

use miette::{Diagnostic, NamedSource, SourceSpan};

/// Every error of one compilation; the policies in force before it stay in force.
#[derive(Debug, thiserror::Error, Diagnostic)]
#[error("the policies can't be used: {}", count(faults.len()))]
pub struct PolicyErrors {
    /// In the order in which they were found; never empty.
    #[related]
    pub faults: Vec<PolicyFault>,
}

/// One error or warning.
#[derive(Clone, Debug, thiserror::Error, Diagnostic)]
#[error("{message}")]
pub struct PolicyFault {
    /// What is wrong, in one sentence.
    pub message: String,
    /// What to do about it.
    #[help]
    pub help: Option<String>,
    /// The file.
    #[source_code]
    pub file: NamedSource<Arc<str>>,
    /// The place in the file.
    #[label("{label}")]
    pub span: Option<SourceSpan>,
    /// What stands at the place.
    pub label: String,
}

/// The faults of one compilation while it runs.
#[derive(Debug, Default)]
pub(super) struct Report {
    pub(super) errors: Vec<PolicyFault>,
    pub(super) warnings: Vec<PolicyFault>,
}

/// A file as faults quote it.
#[derive(Clone, Debug)]
pub(super) struct File {
    pub(super) name: Arc<str>,
    pub(super) text: Arc<str>,
}

impl File {
    /// A fault in this file, without help and with an empty label.
    pub(super) fn fault(
        &self,
        span: Option<SourceSpan>,
        message: impl Into<String>,
    ) -> PolicyFault {
        PolicyFault {
            message: message.into(),
            help: None,
            file: NamedSource::new(&self.name, Arc::clone(&self.text)),
            span,
            label: "here".to_owned(),
        }
    }
}

impl PolicyFault {
    /// With what to do about it.
    pub(super) fn help(mut self, help: impl Into<String>) -> Self {
        self.help = Some(help.into());
        self
    }
}

fn count(faults: usize) -> String {
    if faults == 1 { "1 error".to_owned() } else { format!("{faults} errors") }
}
