//! `lockgate apply`: connections as documents say them, planned and shown before anything changes.

mod plan;

use std::path::PathBuf;

use serde_json::json;

use self::plan::{Action, Plan};
use crate::{
    config::{ConfigArgs, load, read_documents},
    failure::{Exit, Failure, Outcome},
    orders::Author,
    registered::{self, Wish},
    serve::runtime,
    terminal::{Style, Terminal, inert},
};

/// Register connections as documents say
///
/// A document is a YAML file with `connections:`, in the shape of the configuration file. What would
/// change is shown first, and what others changed since the last time. Everything is changed together, or
/// nothing is.
#[derive(Debug, clap::Args)]
#[command(before_help = "Examples:\n  \
    lockgate apply -f connections/ --dry-run\n  \
    lockgate apply -f connections.yaml --yes")]
pub(crate) struct Args {
    #[command(flatten)]
    config: ConfigArgs,
    /// A document, or a folder of them
    #[arg(short, long, value_name = "PATH")]
    file: PathBuf,
    /// Only show what would change; exits with 1 where something would
    #[arg(long)]
    dry_run: bool,
    /// Remove registered connections that stand in no document
    #[arg(long)]
    prune: bool,
    /// Don't ask
    #[arg(long)]
    yes: bool,
}

/// Plans, shows, asks, and applies.
pub(crate) fn run(args: &Args, terminal: Terminal) -> Outcome {
    let documents = read_documents(&args.file).map_err(Failure::usage)?;
    let file = load(&args.config).map_err(Failure::usage)?;
    let (register, applied) = runtime()?.block_on(registered::register_and_applied(&file))?;
    let plan = Plan::new(&documents, &register, &applied, args.prune)?;
    let wishes: Vec<Wish> = plan.wishes(&documents);
    // Checked before it is shown: a plan that can't be carried out is none.
    let author = Author::local(&file);
    let ready = registered::ready(&file, &register, &wishes, &author.by);
    let ready = ready.map_err(|unfit| unfit.failure())?;
    if !terminal.json {
        show(&plan, terminal);
    }
    let go = !wishes.is_empty() && !args.dry_run;
    if go && !args.yes && !terminal.confirm(&format!("Make these {} changes?", wishes.len()))? {
        return Ok(Exit::No);
    }
    if go {
        let mut loaded = file;
        loaded.join(&register, None);
        registered::make(&loaded, ready, true, &author)?;
    }
    if terminal.json {
        terminal.json(&json!({
            "plan": plan.steps, "drift": plan.drift, "kept": plan.kept, "applied": go,
        }))?;
    } else {
        terminal.talk(verdict(&plan, wishes.len(), go));
    }
    Ok(if args.dry_run && !wishes.is_empty() { Exit::No } else { Exit::Ok })
}

fn verdict(plan: &Plan, changes: usize, made: bool) -> String {
    let unchanged = plan.steps.len() - changes;
    match (changes, made) {
        (0, _) => format!("nothing to do: {unchanged} connections are as the documents say"),
        (_, true) => format!("applied {changes} changes; {unchanged} unchanged"),
        (_, false) => format!("{changes} changes; {unchanged} unchanged; nothing was changed"),
    }
}

fn show(plan: &Plan, terminal: Terminal) {
    for drift in &plan.drift {
        terminal.data(terminal.styled(Style::Bold, &inert(&drift.words())));
        drift.fields.iter().for_each(|field| terminal.data(inert(&field.line())));
    }
    for step in &plan.steps {
        let style = match step.action {
            Action::Add => Style::Good,
            Action::Remove => Style::Bad,
            Action::Change => Style::Bold,
            Action::Unchanged => Style::Dim,
        };
        let words = format!("{:<9}  {}", step.action.word(), step.name);
        terminal.data(terminal.styled(style, &inert(&words)));
        if step.action == Action::Change {
            step.fields.iter().for_each(|field| terminal.data(inert(&field.line())));
        }
    }
    for kept in &plan.kept {
        terminal.data(terminal.styled(
            Style::Dim,
            &format!("kept       {} (stands in no document; --prune removes it)", inert(kept)),
        ));
    }
}
