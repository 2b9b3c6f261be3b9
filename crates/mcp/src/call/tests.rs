//! Which method asks for what, by row and revision.

use lockgate_model::{Action, Call, Era, Reason, RequestId, Revision};
use serde_json::json;

use super::{METHODS, is_name, of_notification, of_request, of_server_request};
use crate::{
    Fault,
    json::JsonLimits,
    message::{Body, Message, parse_client},
};

const LEGACY: Revision = Revision::V2025_11_25;
const MODERN: Revision = Revision::V2026_07_28;

fn read(text: &str, revision: Revision) -> Result<Call, Fault> {
    match parse_client(text.as_bytes(), JsonLimits::default())? {
        Body::One(Message::Request(request)) => of_request(&request, revision),
        Body::One(Message::Notification(notification)) => of_notification(&notification, revision),
        other => panic!("{other:?}"),
    }
}

fn request(method: &str, params: &str, revision: Revision) -> Result<Call, Fault> {
    read(&format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":{params}}}"#), revision)
}

fn action(method: &str, params: &str, revision: Revision) -> Action {
    request(method, params, revision).unwrap_or_else(|fault| panic!("{method}: {fault}")).action
}

fn refused(method: &str, params: &str, revision: Revision) -> (Reason, i32) {
    let fault = request(method, params, revision).expect_err(method);
    assert_eq!(fault.id, Some(RequestId::Number(1)));
    (fault.reason, fault.rpc_code)
}

#[test]
fn every_kind_of_call_names_its_target() {
    let text = |s: &str| s.to_owned();
    for (method, params, revision, expected) in [
        (
            "tools/call",
            r#"{"name":"files/read_it.v-2"}"#,
            LEGACY,
            Action::CallTool(text("files/read_it.v-2")),
        ),
        (
            "resources/read",
            r#"{"uri":"FILE:///srv/./a"}"#,
            MODERN,
            Action::ReadResource(text("file:///srv/a")),
        ),
        ("resources/subscribe", r#"{"uri":"x:y"}"#, LEGACY, Action::SubscribeResource(text("x:y"))),
        (
            "resources/unsubscribe",
            r#"{"uri":"x:y"}"#,
            LEGACY,
            Action::SubscribeResource(text("x:y")),
        ),
        ("prompts/get", r#"{"name":"p"}"#, MODERN, Action::GetPrompt(text("p"))),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/prompt","name":"p"}}"#,
            LEGACY,
            Action::Complete(text("p")),
        ),
        (
            "completion/complete",
            r#"{"ref":{"type":"ref/resource","uri":"f:///{x}"}}"#,
            LEGACY,
            Action::Complete(text("f:///{x}")),
        ),
        ("subscriptions/listen", r#"{"notifications":{}}"#, MODERN, Action::Subscribe),
        ("tasks/get", r#"{"taskId":"t1"}"#, MODERN, Action::Task(text("t1"))),
        ("tasks/list", "{}", LEGACY, Action::Task(text(""))),
        ("logging/setLevel", r#"{"level":"info"}"#, LEGACY, Action::SetLogLevel),
        ("initialize", "{}", LEGACY, Action::Protocol),
        ("tools/list", "{}", MODERN, Action::Protocol),
        ("server/discover", "{}", MODERN, Action::Protocol),
    ] {
        assert_eq!(action(method, params, revision), expected, "{method}");
    }
}

#[test]
fn arguments_keep_their_digits_and_have_a_digest() {
    let of = |arguments: &str| {
        request("tools/call", &format!(r#"{{"name":"t","arguments":{arguments}}}"#), MODERN)
            .unwrap()
    };
    let call = of(r#"{"a":1.0,"b":9007199254740993}"#);
    assert_eq!(call.arguments.to_string(), r#"{"a":1.0,"b":9007199254740993}"#);
    assert_eq!(call.arguments_digest, of(r#"{ "b":9007199254740993, "a":1.0 }"#).arguments_digest);
    assert_ne!(call.arguments_digest, of(r#"{"b":9007199254740993,"a":1}"#).arguments_digest);
    assert_eq!((call.era, call.id), (Era::Modern, Some(RequestId::Number(1))));
    for none in [r#"{"name":"t"}"#, r#"{"name":"t","arguments":null}"#] {
        assert_eq!(request("tools/call", none, MODERN).unwrap().arguments, json!(null));
    }
}

#[test]
fn methods_end_with_their_revision() {
    for (method, revision) in [
        ("initialize", MODERN),
        ("ping", MODERN),
        ("logging/setLevel", MODERN),
        ("resources/subscribe", MODERN),
        ("tasks/result", MODERN),
        ("server/discover", LEGACY),
        ("subscriptions/listen", LEGACY),
        ("tasks/update", LEGACY),
        ("tasks/get", Revision::V2025_06_18),
    ] {
        assert_eq!(refused(method, "{}", revision), (Reason::RpcMethodUnknown, -32601), "{method}");
    }
    for (method, first, last, _) in METHODS {
        assert!(first <= last, "{method}");
        assert_eq!(METHODS.iter().filter(|(other, ..)| other == method).count(), 1, "{method}");
    }
}

#[test]
fn j19_p11_unknown_methods_are_refused() {
    for method in [
        "tools/cаll",
        "Tools/Call",
        "tools/call ",
        "tools call",
        "tools//call",
        "tools/call/",
        "",
        "skills/get",
        "sampling/createMessage",
        "future/method",
    ] {
        assert_eq!(refused(method, "{}", LEGACY), (Reason::RpcMethodUnknown, -32601), "{method:?}");
        let fault = request(method, "{}", MODERN).unwrap_err();
        assert_eq!(fault.http_status, 404);
    }
    let notification = |method: &str| format!(r#"{{"jsonrpc":"2.0","method":"{method}"}}"#);
    assert!(read(&notification("notifications/cancelled"), MODERN).is_ok());
    assert!(read(&notification("notifications/initialized"), LEGACY).is_ok());
    assert!(read(&notification("notifications/initialized"), MODERN).is_err());
    assert!(read(&notification("notifications/resources/updated"), LEGACY).is_err());
}

#[test]
fn p1_p2_p3_names_that_are_none_are_unknown_targets() {
    let long = "x".repeat(129);
    for name in [
        "dеlete_x",
        "ｄelete_x",
        "cafe\u{301}",
        "café",
        "a\u{200d}b",
        "a\u{200f}b",
        "a\u{ad}b",
        "delete_x ",
        "delete_x\\t",
        "delete_x\\n",
        " x",
        "a b",
        "",
        "a:b",
        "a\\\\b",
        &long,
    ] {
        for method in ["tools/call", "prompts/get"] {
            let params = format!(r#"{{"name":"{name}"}}"#);
            assert_eq!(
                refused(method, &params, MODERN),
                (Reason::TargetUnknown, -32602),
                "{name:?}"
            );
        }
    }
    // Case is kept: no policy for `delete_x` matches, and the target is what was written.
    assert_eq!(action("tools/call", r#"{"name":"Delete_x"}"#, MODERN).target(), "Delete_x");
    for name in ["a", "A.b-c_d/0", &"x".repeat(128)] {
        assert!(is_name(name), "{name}");
    }
}

#[test]
fn p6_names_of_another_type_are_bad_parameters() {
    for name in ["[\"t\"]", "{}", "1", "null", "true"] {
        let params = format!(r#"{{"name":{name}}}"#);
        assert_eq!(refused("tools/call", &params, LEGACY), (Reason::RpcParams, -32602), "{name}");
    }
    for (method, params) in [
        ("tools/call", "{}"),
        ("tools/call", r#"{"name":"t","arguments":[]}"#),
        ("tools/call", r#"{"name":"t","arguments":"{}"}"#),
        ("resources/read", r#"{"uri":"no uri"}"#),
        ("completion/complete", r#"{"ref":{"type":"ref/tool","name":"t"}}"#),
        ("completion/complete", "{}"),
        ("tasks/get", r#"{"taskId":7}"#),
    ] {
        assert_eq!(
            refused(method, params, LEGACY),
            (Reason::RpcParams, -32602),
            "{method} {params}"
        );
    }
}

#[test]
fn j23_nul_in_names_and_arguments_is_refused() {
    for params in [
        r#"{"name":"t\u0000"}"#,
        r#"{"name":"t","arguments":{"a":["x\u0000y"]}}"#,
        r#"{"name":"t","arguments":{"a\u0000":1}}"#,
    ] {
        assert_eq!(refused("tools/call", params, MODERN), (Reason::RpcParams, -32602), "{params}");
    }
    assert!(request("tools/call", r#"{"name":"t","arguments":{"a":"\\u0000"}}"#, MODERN).is_ok());
}

#[test]
fn p12_what_servers_ask_for_has_its_own_action() {
    for method in ["sampling/createMessage", "elicitation/create", "roots/list"] {
        assert_eq!(of_server_request(method), Ok(Action::ServerRequest(method.to_owned())));
    }
    assert_eq!(of_server_request("ping"), Ok(Action::Protocol));
    assert_eq!(of_server_request("tools/call").unwrap_err().reason, Reason::UpstreamInvalid);
}
