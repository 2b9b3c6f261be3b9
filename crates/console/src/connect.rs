//! How people connect their accounts at servers, so that the gateway may act for them there: what the
//! pages need of the process for it. Sees no token, and decides nothing.

use lockgate_model::{ConnectionName, Identity, Refusal, Timestamp};

use crate::{door::Begin, edge::Later};

/// Why it could not be done.
#[derive(Debug)]
pub enum NotConnected {
    /// There is no such connection, or not for this person, or its server knows no accounts.
    Unknown,
    /// The server, the vault or the record did not do it.
    Failed(Refusal),
}

/// What a browser brings back from the server's login.
pub struct Back {
    /// The code.
    pub code: String,
    /// `code_verifier`.
    pub verifier: String,
    /// Where the browser was sent back to.
    pub redirect: String,
    /// Who says that they sent it (RFC 9207).
    pub issuer: Option<String>,
}

/// Each gives [`NotConnected::Unknown`] to whom no policy lets reach the connection.
pub struct Connect {
    /// Since when somebody's account has been connected; `None` where it is not.
    pub since: Ask<(), Option<Timestamp>>,
    /// Gives the URL at which the server asks for their consent.
    pub begin: Ask<Begin, String>,
    /// Takes their consent; it is on record before it takes effect.
    pub finish: Ask<Back, ()>,
    /// Ends it, on record first.
    pub end: Ask<(), ()>,
}

/// A question about somebody's account at a connection's server.
pub type Ask<In, Out> =
    Box<dyn Fn(&Identity, ConnectionName, In) -> Later<Result<Out, NotConnected>> + Send + Sync>;
