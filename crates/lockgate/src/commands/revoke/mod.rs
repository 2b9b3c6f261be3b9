//! `lockgate revoke`: access taken away at once, on every gateway, whatever the token says.

mod lift;
mod list;
mod out;

use crate::{failure::Outcome, terminal::Terminal};

/// Take access away at once, whatever the token says
///
/// Within a second, on every gateway: calls are refused, open streams and calls on their way are cut,
/// what waits for approval is void, sessions and their processes end. Each revocation is on the record
/// before it takes effect, and stands until it is lifted or its time is over.
#[derive(Debug, clap::Subcommand)]
#[command(before_help = "Examples:\n  \
    lockgate revoke person corp/dana --reason 'contract ended'\n  \
    lockgate revoke person corp/dana --old-tokens --reason 'laptop stolen'\n  \
    lockgate revoke list")]
pub(crate) enum Command {
    /// A person or workload, by issuer and subject
    Person(out::Named),
    /// An OAuth client, by issuer and id
    Client(out::Named),
    /// Everybody in a group
    Group(out::Named),
    /// What one login led to, by issuer and `sid`
    Login(out::Named),
    /// One token, by issuer and `jti`
    Jti(out::Named),
    /// One token, by the digest that the record of its calls names
    Token(out::Token),
    /// One recorded session; what its caller does next begins another
    Session(out::Session),
    /// A connection, for everybody
    Connection(out::Connection),
    /// Everybody, or everybody of one issuer
    Everyone(out::Everyone),
    /// List what is revoked
    List(list::List),
    /// Give access back
    Lift(lift::Lift),
}

/// Revokes, lists or lifts.
pub(crate) fn run(command: Command, terminal: Terminal) -> Outcome {
    match command {
        Command::Person(named) => named.run("person", terminal),
        Command::Client(named) => named.run("client", terminal),
        Command::Group(named) => named.run("group", terminal),
        Command::Login(named) => named.run("login", terminal),
        Command::Jti(named) => named.run("jti", terminal),
        Command::Token(token) => token.run(terminal),
        Command::Session(session) => session.run(terminal),
        Command::Connection(connection) => connection.run(terminal),
        Command::Everyone(everyone) => everyone.run(terminal),
        Command::List(list) => list::run(&list, terminal),
        Command::Lift(lift) => lift::run(&lift, terminal),
    }
}
