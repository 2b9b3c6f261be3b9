//! What a click leads to: the answer that the same person would give on the page, or a word to them
//! alone why there is none.

use std::sync::Arc;

use http::Uri;
use lockgate_store::notify::{Slack, escape};

use super::{
    PATH,
    said::{About, Said, Word},
};
use crate::{
    console::Console,
    gate::Somebody,
    pages,
    problem::{Code, Problem},
    routes::approvals,
};

/// Does what was asked, or says to whoever asked why not.
pub(super) async fn act(console: &Arc<Console>, app: &Slack, said: Said) {
    let Said { team, member, word, .. } = said;
    if word == Word::Nothing {
        return;
    }
    let answered = async {
        let somebody = logged_in(console, app, &team, &member).await?;
        match word {
            Word::Nothing => Ok(None),
            Word::Approve(about) => approve(console, &somebody, &about).await.map(Some),
            Word::Reject { about, trigger } => {
                app.ask_reason(&trigger, &about.to_string()).await.map_err(|fault| {
                    tracing::warn!(%fault, "a reason can't be asked for in Slack");
                    format!(
                        "Nothing was done. Reject it on its page: {}",
                        place_of(console, &about)
                    )
                })?;
                Ok(None)
            }
            Word::Reason { about, reason } => {
                let About { id, digest } = &about;
                let rejected = approvals::by_form(&somebody, id, "reject", digest, reason).await;
                rejected.map_err(|problem| told(&problem))?;
                Ok(Some("It is rejected.".to_owned()))
            }
        }
    };
    let (Ok(Some(words)) | Err(words)) = answered.await else { return };
    if let Err(fault) = app.whisper(&member, &words).await {
        tracing::warn!(%fault, "whoever clicked in Slack can't be told what came of it");
    }
}

/// Whoever clicked, by their newest login to the pages. Its token is verified as on every request,
/// and must be of exactly the identity that the operator gave to this member.
async fn logged_in(
    console: &Arc<Console>,
    app: &Slack,
    team: &str,
    member: &str,
) -> Result<Somebody, String> {
    let place = page(console, "/approvals");
    let person = app.person(team, member).ok_or_else(|| {
        format!("Nothing was done: nobody told Lockgate who you are. Log in at {place} and answer there.")
    })?;
    let out = || format!("Nothing was done: log in at {place}, then click again.");
    let session = console.door.newest(person).ok_or_else(out)?;
    let entered = pages::verify(console, &session.authorization()).await;
    let somebody = entered.map_err(|problem| match problem.code {
        Code::TokenRefused | Code::TokenMissing => out(),
        _ => told(&problem),
    })?;
    let identity = somebody.0.identity();
    let same = (&identity.issuer, &identity.subject) == (&person.issuer, &person.subject);
    if same { Ok(somebody) } else { Err(out()) }
}

/// Approves what nothing in it could hide from who reads it. The rest takes the page, which shows it.
async fn approve(console: &Console, somebody: &Somebody, about: &About) -> Result<String, String> {
    let About { id, digest } = about;
    let content = approvals::content(somebody, id, &Uri::from_static(PATH)).await;
    let content = content.map_err(|problem| told(&problem))?;
    if content.canonical.is_none() || !content.warnings.is_empty() {
        let page = place_of(console, about);
        return Err(format!(
            "Nothing was done: something in the arguments is easily overlooked, or they can't be \
             read here. Open the page: {page}"
        ));
    }
    let approved = approvals::by_form(somebody, id, "approve", digest, String::new()).await;
    approved.map_err(|problem| told(&problem))?;
    Ok("Your approval is noted.".to_owned())
}

/// Where the question stands.
fn place_of(console: &Console, About { id, .. }: &About) -> String {
    page(console, &format!("/approvals/{}", escape(id)))
}

fn page(console: &Console, path: &str) -> String {
    let login = console.edge.login.as_ref();
    login.map_or_else(|| path.to_owned(), |login| login.page(path))
}

fn told(problem: &Problem) -> String {
    format!("Nothing was done: {}.", escape(&problem.detail))
}
