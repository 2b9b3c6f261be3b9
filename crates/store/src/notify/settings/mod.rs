//! The configuration of channels, one file a kind. Holds no secret, only references to them.

mod mail;
mod slack;
mod webhook;

pub(super) use mail::Smtp;
pub use mail::{MailSettings, MailboxFault, MailboxText};
pub use slack::{PersonFault, PersonName, SlackSecretFault, SlackSecrets, SlackSettings};
pub use webhook::{WebhookSecret, WebhookSecretFault, WebhookSettings};
