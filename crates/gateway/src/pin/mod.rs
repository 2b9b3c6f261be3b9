//! Pins at run time: which definitions of a connection were accepted, which were last seen, and
//! what follows from a difference.
//!
//! [`PinBook`] is the pure part; [`PinKeeper`] lists the upstream when a look is due, keeps the
//! files and the record, and answers the stages that show and call. A tool or prompt that is new
//! or changed is neither shown nor callable, and instructions that changed are withheld, until
//! someone accepts them. Nothing here judges by policy, and nothing here edits a definition.

mod book;
mod instructions;
mod keeper;
mod stale;

pub use book::{PinBook, Standing};
pub use instructions::{Screened, screen};
pub(crate) use keeper::pin_instructions;
pub use keeper::{PinKeeper, SEEN_FOLDER};
pub use stale::{Stale, tells_of_change};
