//! The nouns of Lockgate and their state machines.
//!
//! Every other room speaks in these words. Nothing here does IO, awaits, reads a clock or draws
//! randomness: time arrives as a [`Timestamp`], identifiers arrive as values.

mod address;
mod approval;
mod call;
mod canonical;
mod connection;
mod digest;
mod directory;
mod event;
mod identity;
mod limits;
mod refusal;
mod revocation;
mod secret;
mod text;
mod time;
mod verdict;

pub use address::AddressClass;
pub use approval::{
    ACCESS, Access, Act, ActFault, Approval, Lift, Person, Reviewer, State, Subject, Terms,
    VOTES_MAX, Vote, is_reason,
};
pub use call::{Action, Call, Era, RequestId, Revision};
pub use canonical::canonical;
pub use connection::{ConnectionName, NameFault};
pub use digest::Digest;
pub use directory::{Directory, DirectoryNews, GroupsRule};
pub use event::{
    ApprovalEvent, ApprovalStep, ConnectionVersion, ConnectionsChange, ConnectionsEvent,
    DirectoryChange, DirectoryEvent, Event, IntentEvent, KeptChange, KeptEvent, MessageEvent,
    OpenedEvent, OutcomeEvent, OutcomeStatus, RefusalEvent, ResentEvent, RestoredValue,
    RevocationsChange, RevocationsEvent, SECRET_IN_ARGUMENTS, VaultChange, VaultEvent, ViewedEvent,
};
pub use identity::{ClaimValue, Group, Identity, IdentityKind, TokenFacts};
pub use limits::Limits;
pub use refusal::{Reason, Refusal};
pub use revocation::{
    KeptRevocation, Lifted, REVOCATION_REASON_MAX_BYTES, Revocation, RevocationList, Revoked,
    RevokedFault,
};
pub use secret::{SecretName, SecretNameFault};
pub use text::{inert, is_hidden};
pub use time::Timestamp;
pub use verdict::{Ask, Deny, Verdict};
