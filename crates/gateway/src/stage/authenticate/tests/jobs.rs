//! Jobs and services: tokens with the claims that each platform documents, against issuers that are
//! pinned to one organisation, project or account.

use lockgate_model::{IdentityKind, Reason};
use serde_json::{Value, json};

use super::{Gate, NOW, Outcome, issuer};
use crate::{
    settings::IssuerSettings,
    stage::authenticate::{AUTHORIZATION, HeaderMap, tests::now},
    token::{Rules, RulesFault},
};

/// Claims of a platform over those that every token here has.
fn job(gate: &Gate, claims: &Value) -> Value {
    let mut all = gate.claims();
    let token = all.as_object_mut().unwrap();
    token.remove("groups");
    token.remove("azp");
    token.extend(claims.as_object().unwrap().clone());
    all
}

fn github() -> Value {
    json!({"sub": "repo:acme/shop:environment:production", "repository": "acme/shop",
        "repository_id": "74", "repository_owner": "acme", "repository_owner_id": "65",
        "repository_visibility": "private", "ref": "refs/heads/main", "ref_type": "branch",
        "ref_protected": "true", "sha": "0123abc", "environment": "production",
        "event_name": "push", "workflow": "deploy", "job_workflow_ref":
        "acme/shop/.github/workflows/deploy.yml@refs/heads/main", "actor": "ann", "actor_id": "12",
        "run_id": "1", "run_number": "1", "run_attempt": "1", "runner_environment": "github-hosted"})
}

fn gitlab() -> Value {
    json!({"sub": "project_path:acme/shop:ref_type:branch:ref:main", "project_path": "acme/shop",
        "project_id": "22", "namespace_path": "acme", "namespace_id": "7", "ref": "main",
        "ref_type": "branch", "ref_path": "refs/heads/main", "ref_protected": "true",
        "pipeline_source": "push", "pipeline_id": "1", "job_id": "2", "user_login": "ann",
        "environment": "production", "environment_protected": "true",
        "runner_environment": "gitlab-hosted"})
}

fn kubernetes() -> Value {
    json!({"sub": "system:serviceaccount:shop:agent", "kubernetes.io": {"namespace": "shop",
        "node": {"name": "n1", "uid": "u-node"}, "pod": {"name": "agent-1", "uid": "u-pod"},
        "serviceaccount": {"name": "agent", "uid": "u-account"}}})
}

fn buildkite() -> Value {
    json!({"sub": "organization:acme:pipeline:shop:ref:refs/heads/main:commit:0123:step:",
        "organization_slug": "acme", "organization_id": "o-1", "pipeline_slug": "shop",
        "pipeline_id": "p-1", "build_number": 1, "build_branch": "main", "build_commit": "0123",
        "step_key": "deploy", "job_id": "j-1", "agent_id": "a-1"})
}

/// Each platform with its pins.
fn platforms() -> [(&'static str, Value, Value); 4] {
    [
        ("github-actions", github(), json!({"/repository_id": ["74"]})),
        ("gitlab-ci", gitlab(), json!({"/project_id": ["22"]})),
        (
            "kubernetes",
            kubernetes(),
            json!({"/kubernetes.io/namespace": ["shop"],
                "/kubernetes.io/serviceaccount/name": ["agent"]}),
        ),
        ("buildkite", buildkite(), json!({"/pipeline_id": ["p-1"]})),
    ]
}

/// A platform's claims with one changed; null takes it away.
fn bent(claims: &Value, pointer: &str, value: Value) -> Value {
    let mut bent = claims.clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap();
    let parent = bent.pointer_mut(parent).unwrap().as_object_mut().unwrap();
    match value {
        Value::Null => drop(parent.remove(name)),
        value => drop(parent.insert(name.to_owned(), value)),
    }
    bent
}

fn good(claims: &Value) -> Outcome {
    Ok(claims["sub"].as_str().unwrap().to_owned())
}

#[tokio::test]
async fn jobs_get_in_by_their_pins_alone() {
    for (profile, claims, pins) in platforms() {
        let gate = Gate::with(json!({"profile": profile, "require": pins})).await;
        let tried = gate.try_claims(&job(&gate, &claims)).await;
        assert_eq!(tried, good(&claims), "{profile}");
        for pointer in pins.as_object().unwrap().keys() {
            for value in [Value::Null, json!("other"), json!(""), json!(["74", "22"]), json!({})] {
                let foreign = bent(&claims, pointer, value);
                let tried = gate.try_claims(&job(&gate, &foreign)).await;
                assert_eq!(tried, Err(Reason::TokenPin), "{profile} {pointer} {foreign}");
            }
        }
    }
}

#[tokio::test]
async fn proposed_changes_get_in_only_where_they_are_named() {
    let main = json!(["push", "refs/heads/main"]);
    let rows = [
        ("github-actions", "/event_name", json!("pull_request"), "/event_name"),
        ("github-actions", "/event_name", json!("pull_request_target"), "/event_name"),
        ("github-actions", "/event_name", Value::Null, "/event_name"),
        ("github-actions", "/ref", json!("refs/pull/7/merge"), "/event_name"),
        ("gitlab-ci", "/pipeline_source", json!("merge_request_event"), "/pipeline_source"),
        ("gitlab-ci", "/pipeline_source", json!("external_pull_request_event"), "/pipeline_source"),
        ("gitlab-ci", "/pipeline_source", Value::Null, "/pipeline_source"),
        ("gitlab-ci", "/ref_path", json!("refs/merge-requests/7/head"), "/pipeline_source"),
        ("buildkite", "/build_branch", json!("mallory:main"), "/build_branch"),
        ("buildkite", "/build_branch", Value::Null, "/build_branch"),
    ];
    for (profile, pointer, value, told_by) in rows {
        let (_, claims, mut pins) =
            platforms().into_iter().find(|(name, ..)| *name == profile).unwrap();
        let gate = Gate::with(json!({"profile": profile, "require": pins})).await;
        let proposed = bent(&claims, pointer, value.clone());
        let tried = gate.try_claims(&job(&gate, &proposed)).await;
        assert_eq!(tried, Err(Reason::TokenProposed), "{profile} {pointer} {value}");
        // Named, it gets in; what is not named does not.
        let Some(named) = proposed.pointer(told_by).cloned() else { continue };
        pins[told_by] = json!([named]);
        let gate = Gate::with(json!({"profile": profile, "require": pins})).await;
        assert_eq!(gate.try_claims(&job(&gate, &proposed)).await, good(&claims), "{profile}");
        if !main.as_array().unwrap().contains(&named) {
            let tried = gate.try_claims(&job(&gate, &claims)).await;
            assert_eq!(tried, Err(Reason::TokenPin), "{profile} {named}");
        }
    }
}

#[tokio::test]
async fn services_get_in_by_their_client() {
    let gate = Gate::with(json!({"profile": "client-credentials", "clients": ["billing"]})).await;
    let claims = |client: &str| job(&gate, &json!({"sub": client, "client_id": client}));
    assert_eq!(gate.try_claims(&claims("billing")).await, Ok("billing".to_owned()));
    assert_eq!(gate.try_claims(&claims("other")).await, Err(Reason::TokenClient));
    let value = format!("Bearer {}", gate.token(&claims("billing"))).parse().unwrap();
    let headers = HeaderMap::from_iter([(AUTHORIZATION, value)]);
    let found = gate.authenticator.authenticate(&headers, &gate.access, now()).await.unwrap();
    assert_eq!(found.kind, IdentityKind::Workload);
    assert_eq!(found.token.refused_from.millis(), (NOW + 360) * 1000);
}

#[tokio::test]
async fn a_profile_without_its_pin_is_refused() {
    let gate = Gate::open().await;
    let rules = |settings: Value| -> Result<(), RulesFault> {
        let settings: IssuerSettings = issuer("ci", &gate.idp, settings);
        Rules::new(settings).map(drop)
    };
    for (profile, _, pins) in platforms() {
        assert_eq!(rules(json!({"profile": profile, "require": pins})), Ok(()), "{profile}");
        for require in [json!({}), json!({"/sub": ["x"]}), json!({"/repository": ["acme/shop"]})] {
            let outcome = rules(json!({"profile": profile, "require": require}));
            assert!(matches!(outcome, Err(RulesFault::Unpinned(_))), "{profile} {outcome:?}");
        }
    }
    let half = json!({"/kubernetes.io/namespace": ["shop"]});
    let outcome = rules(json!({"profile": "kubernetes", "require": half}));
    assert!(matches!(outcome, Err(RulesFault::Unpinned(_))), "{outcome:?}");
    let outcome = rules(json!({"profile": "client-credentials"}));
    assert!(matches!(outcome, Err(RulesFault::Unpinned(_))), "{outcome:?}");
    for require in [json!({"repository_id": ["74"]}), json!({"/repository_id": []})] {
        let outcome = rules(json!({"profile": "github-actions", "require": require}));
        assert!(matches!(outcome, Err(RulesFault::Require(_))), "{outcome:?}");
    }
}
