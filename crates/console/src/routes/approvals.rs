//! `GET /approvals` and `/approvals/{id}`, and `POST /approvals/{id}/approve`, `/reject` and
//! `/withdraw`: calls that wait for a person.
//!
//! Whose answer counts is not a role but the policy's word: who is in none of the groups that are
//! asked, has no role in the console and did not ask, is told that there is no such approval.

use axum::{Json, extract::OriginalUri, response::Response};
use http::{HeaderMap, Uri};
use lockgate_model::{
    Act, Approval, Digest, IntentEvent, Person, Reviewer, State, Timestamp, canonical,
};
use lockgate_store::approvals::ApprovalFilter;
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::{IntoParams, ToSchema};

use crate::{
    difference::{self, Difference},
    gate::Somebody,
    inquiry::{self, Content},
    page,
    problem::{Code, Problem, ProblemBody},
    query::{ApprovalId, Asked, Limit, Params, Time},
};

/// One question to people, with its answers.
#[derive(Serialize, ToSchema)]
#[schema(as = Approval)]
pub(crate) struct ApprovalView {
    /// Its id.
    pub(crate) id: String,
    /// `pending`, `approved`, `rejected`, `expired`, `withdrawn`, `spent` or `void`; for what was taken
    /// in an emergency also `emergency`, `unreviewed` and `reviewed`.
    pub(crate) state: &'static str,
    /// The connection.
    pub(crate) connection: String,
    /// Kind of action.
    pub(crate) action: String,
    /// Tool, resource or prompt.
    pub(crate) target: String,
    /// Issuer's short name of the caller.
    pub(crate) issuer: String,
    /// The caller's subject.
    pub(crate) subject: String,
    /// The caller's OAuth client.
    pub(crate) client: Option<String>,
    /// SHA-256 of the canonical arguments (RFC 8785): what an answer is about.
    #[schema(value_type = String)]
    pub(crate) arguments_digest: Digest,
    /// Digest of the definition that is called.
    #[schema(value_type = Option<String>)]
    pub(crate) definition: Option<Digest>,
    /// For how long access is asked for, and why; null where it is one call.
    pub(crate) access: Option<AccessView>,
    /// The policies that hold the call.
    pub(crate) policies: Vec<String>,
    /// Why, in their authors' words.
    pub(crate) reason: Option<String>,
    /// The groups that are asked.
    pub(crate) groups: Vec<String>,
    /// Different people of each who must approve.
    pub(crate) quorum: u32,
    /// Groups with how many more people must.
    pub(crate) missing: Vec<Missing>,
    /// Who approved.
    pub(crate) votes: Vec<VoteView>,
    /// The call that asked.
    pub(crate) call: String,
    /// When it was asked.
    pub(crate) asked: Time,
    /// The question lapses then.
    pub(crate) answer_by: Time,
    /// A grant can be used for so long, in milliseconds.
    pub(crate) grant_ms: u64,
    /// A grant ends then.
    pub(crate) until: Option<Time>,
    /// Who rejected it.
    pub(crate) rejected_by: Option<String>,
    /// What was said when it was rejected, or why it is void.
    pub(crate) said: Option<String>,
    /// The call that used the grant.
    pub(crate) spent_by: Option<String>,
    /// Whether the one who asks may answer it.
    pub(crate) yours: bool,
}

/// Access for a window of time.
#[derive(Serialize, ToSchema)]
#[schema(as = Access)]
pub(crate) struct AccessView {
    /// Why, in its owner's words.
    pub(crate) reason: String,
    /// It ends then.
    pub(crate) ends: Time,
    /// Whether it was taken without asking before.
    pub(crate) emergency: bool,
}

/// Who is missing.
#[derive(Serialize, ToSchema)]
pub(crate) struct Missing {
    /// The group.
    group: String,
    /// How many more of it.
    people: u32,
}

/// One person's yes.
#[derive(Serialize, ToSchema)]
#[schema(as = Vote)]
pub(crate) struct VoteView {
    /// Who, as `issuer/subject`.
    by: String,
    /// For which groups it counts.
    groups: Vec<String>,
    /// When.
    at: Time,
    /// Only up to here.
    until: Option<Time>,
}

/// A question with all that there is to know before it is answered.
#[derive(Serialize, ToSchema)]
pub(crate) struct ApprovalContent {
    /// The question.
    pub(crate) approval: ApprovalView,
    /// The arguments as they are recorded: as they were sent, but for credentials, which are masked.
    /// Null where the record of the call can't be read.
    #[schema(value_type = Value)]
    pub(crate) arguments: Option<Value>,
    /// The same in their canonical form (RFC 8785). The digest covers every byte of it; of masked
    /// arguments, every byte of what was sent.
    pub(crate) canonical: Option<String>,
    /// What in the arguments is easily overlooked: characters that hide or turn text, and length.
    pub(crate) warnings: Vec<String>,
    /// What the server says of the tool or prompt, in the accepted definition that is called: not
    /// the word of an operator. Null where it says nothing, or another definition is accepted now.
    pub(crate) description: Option<String>,
    /// What the arguments would do.
    pub(crate) facts: Vec<String>,
    /// Groups that the caller is in.
    pub(crate) caller_groups: Vec<String>,
    /// How old the caller's token was when it asked, in seconds; null where the record of the call
    /// does not say.
    pub(crate) token_age_s: Option<u64>,
    /// How the arguments differ from those of the last approved call of this target, whoever made
    /// it; null where there was none.
    pub(crate) changed: Option<Vec<Difference>>,
    /// The same, against the last one of the same caller.
    pub(crate) changed_own: Option<Vec<Difference>>,
    /// How often calls of this target were approved before.
    pub(crate) approved_before: u64,
    /// How often they were rejected.
    pub(crate) rejected_before: u64,
}

/// Which approvals are asked for.
#[derive(Deserialize, IntoParams)]
#[serde(deny_unknown_fields)]
#[into_params(parameter_in = Query)]
pub(crate) struct ApprovalSearch {
    /// Only in this state.
    #[param(value_type = Option<String>)]
    state: Option<StateName>,
    /// Only of this connection.
    connection: Option<String>,
    /// Only about this tool, resource or prompt.
    target: Option<String>,
    /// At most so many.
    #[serde(default)]
    #[param(value_type = u32, minimum = 1, maximum = 200, required = false)]
    limit: Limit,
}

/// A state by its name.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum StateName {
    /// People are asked.
    Pending,
    /// A grant.
    Approved,
    /// Somebody said no.
    Rejected,
    /// Its time passed.
    Expired,
    /// Its caller took it back.
    Withdrawn,
    /// The grant was used.
    Spent,
    /// It no longer holds.
    Void,
    /// Taken without asking before, and in force.
    Emergency,
    /// Taken without asking before, over, and still to be looked at.
    Unreviewed,
    /// Looked at, and found right.
    Reviewed,
}

/// Approvals, the newest first.
#[derive(Serialize, ToSchema)]
pub(crate) struct Approvals {
    /// Them.
    items: Vec<ApprovalView>,
}

/// A yes.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Yes {
    /// The digest of the arguments that were read: a yes is to these and no others.
    #[schema(value_type = String)]
    arguments_digest: Digest,
    /// The grant ends then, if that is sooner than the policy's own time.
    until: Option<Time>,
}

/// A no.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct No {
    /// Why; the caller reads it.
    #[schema(min_length = 1, max_length = 512)]
    reason: String,
}

/// Nothing to say.
#[derive(Deserialize, ToSchema)]
#[serde(deny_unknown_fields)]
pub(crate) struct Nothing {}

/// Finds the approvals that the caller may see.
#[utoipa::path(get, path = "/approvals", operation_id = "list_approvals", tag = "approvals", params(ApprovalSearch),
    responses((status = 200, body = Approvals), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn list(
    somebody: Somebody,
    headers: HeaderMap,
    Params(asked): Params<ApprovalSearch>,
) -> Result<Response, Problem> {
    let filter = ApprovalFilter {
        state: asked.state.map(|state| state.name().to_owned()),
        connection: asked.connection,
        target: asked.target,
        ..ApprovalFilter::default()
    };
    let found = inquiry::list(&somebody.0, &filter).await?;
    let items = found.into_iter().take(asked.limit.0.into());
    let items = items.map(|approval| view(approval, &somebody)).collect();
    page::json(&headers, &Approvals { items })
}

/// One approval with the arguments that are asked about.
#[utoipa::path(get, path = "/approvals/{id}", operation_id = "show_approval", tag = "approvals",
    params(("id" = String, Path, pattern = "^a[0-9a-f]{32}$", description = "The approval's id")),
    responses((status = 200, body = ApprovalContent), (status = 304, description = "Not changed"),
        (status = "default", body = ProblemBody, content_type = "application/problem+json",
            description = "Why not")))]
pub(crate) async fn show(
    somebody: Somebody,
    ApprovalId(id): ApprovalId,
    OriginalUri(uri): OriginalUri,
    headers: HeaderMap,
) -> Result<Response, Problem> {
    page::json(&headers, &content(&somebody, &id, &uri).await?)
}

/// One approval with all that there is to know before it is answered.
pub(crate) async fn content(
    somebody: &Somebody,
    id: &str,
    uri: &Uri,
) -> Result<ApprovalContent, Problem> {
    let Content { approval, intent, description, counts, last, last_own } =
        inquiry::show(&somebody.0, id, uri).await?;
    let against = |before: Option<Box<IntentEvent>>| {
        let (before, now) = (before?, intent.as_ref()?);
        Some(difference::between(&before.arguments, &now.arguments))
    };
    let (changed, changed_own) = (against(last), against(last_own));
    let (text, arguments, caller_groups) = match (&approval.access, intent.as_ref()) {
        (Some(access), _) => {
            let text = access.canonical();
            let value = serde_json::from_str(&text).ok();
            (Some(text), value, access.groups.clone())
        }
        (None, Some(call)) => {
            let arguments = call.arguments.clone();
            (Some(canonical(&arguments)), Some(arguments), call.groups.clone())
        }
        (None, None) => (None, None, Vec::new()),
    };
    let issued = intent.as_ref().and_then(|intent| intent.token_issued_at);
    // A token of an issuer whose clock is ahead is new.
    let age_s = issued.map(|at| (approval.asked_at.millis_since(at) / 1000).max(0).unsigned_abs());
    let facts = intent.as_ref().map(|intent| intent.facts.clone()).unwrap_or_default();
    Ok(ApprovalContent {
        warnings: text.as_deref().map(|text| inquiry::warnings(text, &facts)).unwrap_or_default(),
        changed,
        changed_own,
        canonical: text,
        description,
        facts,
        caller_groups,
        token_age_s: age_s,
        arguments,
        approved_before: counts.approved,
        rejected_before: counts.rejected,
        approval: view(approval, somebody),
    })
}

/// Answers with what a form says.
pub(crate) async fn by_form(
    somebody: &Somebody,
    id: &str,
    verdict: &str,
    digest: &str,
    reason: String,
) -> Result<(), Problem> {
    let read: Digest = serde_json::from_value(digest.into()).map_err(|_| Code::BodyInvalid)?;
    let by = Reviewer::of(somebody.0.identity());
    let act = match verdict {
        "approve" => Act::Approve { by, until: None },
        "reject" => Act::Reject { by, reason },
        _ => return Err(Code::BodyInvalid.into()),
    };
    inquiry::answer(&somebody.0, id, Some(read), act).await.map(drop)
}

/// Says yes to exactly the arguments whose digest is named.
#[utoipa::path(post, path = "/approvals/{id}/approve", operation_id = "approve", tag = "approvals", request_body = Yes,
    params(("id" = String, Path, pattern = "^a[0-9a-f]{32}$", description = "The approval's id")),
    responses((status = 200, body = ApprovalView), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn approve(
    somebody: Somebody,
    ApprovalId(id): ApprovalId,
    Asked(Yes { arguments_digest, until }): Asked<Yes>,
) -> Result<Json<ApprovalView>, Problem> {
    let until = until.map(|time| time.0);
    let by = Reviewer::of(somebody.0.identity());
    let act = Act::Approve { by, until };
    let approval = inquiry::answer(&somebody.0, &id, Some(arguments_digest), act).await?;
    Ok(Json(view(approval, &somebody)))
}

/// Says no.
#[utoipa::path(post, path = "/approvals/{id}/reject", operation_id = "reject", tag = "approvals", request_body = No,
    params(("id" = String, Path, pattern = "^a[0-9a-f]{32}$", description = "The approval's id")),
    responses((status = 200, body = ApprovalView), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn reject(
    somebody: Somebody,
    ApprovalId(id): ApprovalId,
    Asked(No { reason }): Asked<No>,
) -> Result<Json<ApprovalView>, Problem> {
    let act = Act::Reject { by: Reviewer::of(somebody.0.identity()), reason };
    let approval = inquiry::answer(&somebody.0, &id, None, act).await?;
    Ok(Json(view(approval, &somebody)))
}

/// Takes one's own question back.
#[utoipa::path(post, path = "/approvals/{id}/withdraw", operation_id = "withdraw", tag = "approvals", request_body = Nothing,
    params(("id" = String, Path, pattern = "^a[0-9a-f]{32}$", description = "The approval's id")),
    responses((status = 200, body = ApprovalView), (status = "default", body = ProblemBody,
        content_type = "application/problem+json", description = "Why not")))]
pub(crate) async fn withdraw(
    somebody: Somebody,
    ApprovalId(id): ApprovalId,
    Asked(Nothing {}): Asked<Nothing>,
) -> Result<Json<ApprovalView>, Problem> {
    let act = Act::Withdraw { by: Reviewer::of(somebody.0.identity()).person };
    let approval = inquiry::answer(&somebody.0, &id, None, act).await?;
    Ok(Json(view(approval, &somebody)))
}

impl StateName {
    const fn name(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Approved => "approved",
            Self::Rejected => "rejected",
            Self::Expired => "expired",
            Self::Withdrawn => "withdrawn",
            Self::Spent => "spent",
            Self::Void => "void",
            Self::Emergency => "emergency",
            Self::Unreviewed => "unreviewed",
            Self::Reviewed => "reviewed",
        }
    }
}

/// An approval as it is shown to somebody.
pub(super) fn view(approval: Approval, somebody: &Somebody) -> ApprovalView {
    let yours = inquiry::may_answer(&approval, somebody.0.identity());
    let missing = approval.missing();
    let missing =
        missing.into_iter().map(|(group, people)| Missing { group: group.to_owned(), people });
    let missing = missing.collect();
    let Approval { id, subject, terms, access, call, asked_at, votes, state, .. } = approval;
    let access = access.map(|access| AccessView {
        reason: access.reason,
        ends: Time(access.ends),
        emergency: access.emergency,
    });
    let named = |person: Person| format!("{}/{}", person.issuer, person.subject);
    let votes = votes.into_iter().map(|vote| VoteView {
        by: named(vote.by),
        groups: vote.groups,
        at: Time(vote.at),
        until: vote.until.map(Time),
    });
    let name = state.name();
    let (until, rejected_by, said, spent_by) = ends(state, named);
    ApprovalView {
        id,
        state: name,
        connection: subject.connection,
        action: subject.action,
        target: subject.target,
        issuer: subject.issuer,
        subject: subject.subject,
        client: subject.client,
        arguments_digest: subject.arguments,
        definition: subject.definition,
        access,
        policies: subject.policies,
        reason: terms.reason,
        groups: terms.groups,
        quorum: terms.quorum,
        missing,
        votes: votes.collect(),
        call,
        asked: Time(asked_at),
        answer_by: Time(terms.answer_by),
        grant_ms: terms.grant_ms,
        until: until.map(Time),
        rejected_by,
        said,
        spent_by,
        yours,
    }
}

type Ends = (Option<Timestamp>, Option<String>, Option<String>, Option<String>);

/// What each state has to say: until when, by whom, in which words, used by which call.
fn ends(state: State, named: impl Fn(Person) -> String) -> Ends {
    match state {
        State::Approved { until } | State::Emergency { until } => (Some(until), None, None, None),
        State::Rejected { by, reason } => (None, Some(named(by)), Some(reason), None),
        State::Spent { call } => (None, None, None, Some(call)),
        State::Void { why } => (None, None, Some(why), None),
        State::Pending
        | State::Expired
        | State::Withdrawn
        | State::Unreviewed
        | State::Reviewed => (None, None, None, None),
    }
}
