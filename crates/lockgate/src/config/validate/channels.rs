//! The channels on which people are told of questions: no two of a kind by one name, and nothing sent
//! to where it must not go.

use std::collections::BTreeSet;

use lockgate_store::{
    deliver::refusal,
    notify::{MailSettings, SlackSettings, WebhookSettings},
};
use url::Url;

use super::{Finding, Section, step};
use crate::config::settings::Settings;

/// Everything that is wrong with them.
pub(super) fn check(settings: &Settings, found: &mut Vec<Finding>) {
    let approvals = &settings.approvals;
    let mut names = BTreeSet::new();
    for (index, one) in approvals.webhooks.iter().enumerate() {
        let name = one.name.as_str();
        let at = &mut section("webhooks", name, index, names.insert(name), found);
        webhook(one, at);
    }
    let mut names = BTreeSet::new();
    for (index, one) in approvals.slack.iter().enumerate() {
        let name = one.name.as_str();
        let at = &mut section("slack", name, index, names.insert(name), found);
        slack(one, settings, at);
    }
    let mut names = BTreeSet::new();
    for (index, one) in approvals.mail.iter().enumerate() {
        let name = one.name.as_str();
        let at = &mut section("mail", name, index, names.insert(name), found);
        mail(one, settings, at);
    }
}

/// One channel, which must not have the name of another of its kind.
fn section<'a>(
    kind: &str,
    name: &str,
    index: usize,
    first: bool,
    found: &'a mut Vec<Finding>,
) -> Section<'a> {
    let path = ["approvals", kind, &step(name, index, first)].map(str::to_owned).to_vec();
    let mut section = Section { path, found };
    let what = format!("two of `{kind}` are named `{name}`");
    section.check(first, "name", what, "rename one of them");
    section
}

fn webhook(webhook: &WebhookSettings, at: &mut Section<'_>) {
    receiver(&webhook.url, webhook.allow_cleartext, "url", at);
}

fn slack(slack: &SlackSettings, all: &Settings, at: &mut Section<'_>) {
    if let Some(api) = &slack.api {
        receiver(api, slack.allow_cleartext, "api", at);
    }
    if let Some((key, wrong, kind)) = slack.wrong_id() {
        let help =
            "the app or the browser shows it: it stands in the URL of the channel or profile";
        at.check(false, key, format!("`{}` is not {kind}", wrong.escape_debug()), help);
    }
    for (member, person) in &slack.people {
        let issuer = &person.0.issuer;
        let known = all.issuers.iter().any(|one| one.name == *issuer);
        let what = format!("`{member}` is said to be known to `{issuer}`, which is no issuer");
        at.check(known, "people", what, "name one that stands under `issuers`");
    }
    let login = all.admin_api.as_ref().is_some_and(|api| api.login.is_some());
    at.check(
        login || slack.people.is_empty(),
        "people",
        "nobody's click can count: there are no pages to log in to",
        "set `admin_api.login`, or leave `people` out and let Slack only tell",
    );
}

fn mail(mail: &MailSettings, all: &Settings, at: &mut Section<'_>) {
    if let Some((key, why)) = mail.refusal() {
        let help = "as in `server: smtps://mail.example.com`, with `user` and `password`";
        at.check(false, key, why, help);
    }
    at.check(
        all.approvals.url.is_some(),
        "to",
        "the mail would lead nowhere: it has a link to a page, and answers are given there",
        "set `approvals.url`",
    );
}

fn receiver(url: &Url, allow_cleartext: bool, key: &str, at: &mut Section<'_>) {
    if let Some(why) = refusal(url, allow_cleartext) {
        let help = "write it as `https://receiver.example.com/path`; a credential goes elsewhere, \
            by reference";
        at.check(false, key, format!("nothing can be sent there: {why}"), help);
    }
}
