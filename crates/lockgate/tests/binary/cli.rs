//! The command line as a user meets it: the real binary, its words and its exit codes.

use crate::folder::Folder;

const CONFIG: &str = r#"public_url: https://mcp.example.com
issuers:
  - name: corp
    issuer: https://login.example.com
  - name: ci
    issuer: https://ci.example.com
    groups_required: false
connections:
  - name: staff
    issuers: [corp, ci]
    labels: { env: production }
    upstream:
      http:
        url: https://staff.example.com/mcp
        headers:
          Authorization: env:STAFF_AUTHORIZATION
"#;

const POLICY: &str = r#"@id("engineers")
permit (
  principal in Group::"corp/engineers",
  action == Action::"staff/query",
  resource == Connection::"staff"
) when { context.arguments.limit <= 10 };
"#;

/// The accepted tools of `staff`: one, with one argument.
const PINS: &str = r#"{
  "definitions": [{
    "kind": "tool",
    "name": "query",
    "digest": "00000000000000000000000000000000000000000000000000000000000000aa",
    "definition": { "name": "query", "inputSchema": {
      "type": "object",
      "properties": { "limit": { "type": "integer" } },
      "required": ["limit"]
    } }
  }]
}"#;

/// A folder with configuration, policy and pins, all good.
fn good() -> Folder {
    let folder = Folder::new();
    folder.write("lockgate.yaml", CONFIG);
    folder.write("policies/staff.cedar", POLICY);
    folder.write("lockgate-data/pins/staff.json", PINS);
    folder
}

/// As [`good`], with one piece of the configuration replaced.
fn with(old: &str, new: &str) -> Folder {
    assert!(CONFIG.contains(old), "{old}");
    let folder = good();
    folder.write("lockgate.yaml", &CONFIG.replace(old, new));
    folder
}

#[test]
fn help_begins_with_two_examples() {
    let folder = Folder::new();
    for command in [
        "",
        "serve",
        "health",
        "check",
        "config",
        "config show",
        "config schema",
        "policy",
        "policy explain",
        "policy new",
        "policy schema",
        "guard",
        "guard explain",
        "guard labels",
        "guard rules",
        "guard rules test",
        "mask",
        "mask try",
        "mask report",
        "approvals",
        "approvals list",
        "approvals show",
        "approvals approve",
        "approvals reject",
        "approvals withdraw",
        "approvals watch",
        "pins",
        "pins list",
        "pins diff",
        "pins accept",
        "journal",
        "journal show",
        "journal verify",
        "journal bundle",
        "journal export",
        "journal reindex",
        "journal key",
        "secret",
        "secret set",
        "secret rotate",
        "secret list",
        "secret remove",
        "vault",
        "vault status",
        "vault rotate",
        "vault forget",
        "backup",
        "restore",
        "sessions",
        "sessions list",
        "sessions show",
        "sessions tail",
        "sessions search",
        "sessions hold",
        "sessions release",
        "sessions erase",
        "replay",
        "client",
        "client config",
        "demo",
        "completions",
    ] {
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        let name = format!("help-{}", command.replace(' ', "-"));
        insta::assert_snapshot!(name, folder.run(&arguments));
    }
}

#[test]
fn usage_errors_exit_with_2() {
    let folder = good();
    for arguments in [&["frobnicate"][..], &["serve", "--listen", "nowhere"], &["policy"]] {
        assert_eq!(folder.exit(arguments), 2, "{arguments:?}");
    }
    assert_eq!(folder.exit(&["--version"]), 0);
}

#[test]
fn a_good_configuration_passes_the_check() {
    let folder = good();
    insta::assert_snapshot!(folder.run(&["check"]));
    assert_eq!(folder.exit(&["check", "--json"]), 0);
}

#[test]
fn the_examples_pass_the_check() {
    let examples = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/lockgate.yaml");
    let folder = Folder::new();
    assert_eq!(folder.exit(&["check", "--config", examples]), 0);
}

/// Two by one name, one of them in cleartext.
const WEBHOOKS: &str = "approvals:\n  webhooks:\n    - name: inbox\n      \
    url: https://inbox.example.com\n      secret: env:SECRET\n    - name: inbox\n      \
    url: http://169.254.169.254/\n      secret: env:SECRET\nconnections:";

/// Wrong in as many ways as an app and a server can be.
const TELLING: &str = "approvals:\n  slack:\n    - name: ops\n      team: T1\n      channel: approvals\n      \
    token: env:A\n      signing_secret: env:B\n      api: https://ann@slack.example.com/\n      \
    people: { U1: nobody/ann }\n  mail:\n    - name: ops\n      server: smtp://169.254.169.254\n      \
    from: lockgate@example.com\n      to: [ann@example.com]\nconnections:";

/// Settings of an admin API whose pages are logged in to by this issuer, at this place.
fn login(issuer: &str, url: &str) -> String {
    format!(
        "admin_api:\n  issuers: [corp]\n  audience: https://review.example.com\n  login:\n    \
         issuer: {issuer}\n    client_id: lockgate\n    url: {url}\nconnections:"
    )
}

const DETECTION: &str = r#"detection:
  off: [pii.ips]
  custom:
    - name: badge
      class: pii.badge
      regex: ['(']
connections:"#;
const RECOGNISERS: &str = "recognisers:
  - name: presidio
    url: http://127.0.0.1:5002/analyze
    score_min: 101
    in_flight_max: 0
connections:";

const SANDBOX: &str = "connections:
  - name: tools
    issuers: [corp]
    upstream:
      stdio:
        command: /bin/true
        sandbox:
          user: 0
          home: mcp/tools
          files: { read: [/srv, ../secrets] }
          memory_max_mib: 1
          processes_max: 0
";

/// A secret and callers' tokens that the server itself could have sent anywhere, and a client that is none.
const CREDENTIAL: &str = "connections:
  - name: asks
    issuers: [corp]
    upstream:
      http:
        url: https://asks.example.com/mcp
        credential: { grant: client_credentials, client_id: lockgate, client_secret: env:SECRET }
  - name: wrong
    issuers: [corp]
    upstream:
      http:
        url: https://wrong.example.com/mcp
        headers: { authorization: env:SECRET }
        credential:
          grant: client_credentials
          issuer: http://169.254.169.254
          client_id: ''
          key_id: k1
          scopes: ['a b']
          audience: staff
  - name: gives
    issuers: [corp]
    development_anonymous: true
    upstream:
      http:
        url: https://gives.example.com/mcp
        credential: { grant: token_exchange, client_id: lockgate, private_key: env:KEY, audience: '' }
  - name: client
    issuers: [corp]
    upstream:
      http:
        url: https://client.example.com/mcp
        credential:
          grant: client_credentials
          authorization_endpoint: https://login.example.com/authorize
          token_endpoint: https://login.example.com/token
          client_id: lockgate
          client_secret: env:SECRET
";

/// Users without a page, an endpoint without the other, and a secret that is none; and a public client,
/// with which all is well but that there is no page.
const CONSENT: &str = "connections:
  - name: wrong
    issuers: [corp]
    upstream:
      http:
        url: https://wrong.example.com/mcp
        credential:
          grant: authorization_code
          issuer: https://login.example.com
          authorization_endpoint: http://login.example.com/authorize
          client_id: lockgate
          client_secret: env:SECRET
          token_endpoint_auth_method: none
  - name: public
    issuers: [corp]
    upstream:
      http:
        url: https://public.example.com/mcp
        credential: { grant: authorization_code, client_id: lockgate }
";

#[test]
fn a_file_is_masked_as_a_connection_does() {
    let masking = "masking: { mask: [pii.email], operators: { pii: { last: 4 } } }";
    let folder = with("labels: { env: production }", masking);
    folder.write("answer.json", r#"["jane.roe@globex.com", "+1 415 555 2671"]"#);
    let output = folder.run(&["mask", "try", "answer.json", "--connection", "staff"]);
    assert!(output.contains(r#"["****xcom", "+1 415 555 2671"]"#), "{output}");
    insta::assert_snapshot!(folder.run(&["mask", "try", "answer.json", "--connection", "stuff"]));
}

#[test]
fn faults_of_the_configuration_are_pointed_at() {
    for (name, old, new) in [
        ("unknown-key", "upstream:", "upstraem:"),
        ("unknown-choice", "labels: { env: production }", "pins: on_first_us"),
        ("missing", "    issuer: https://login.example.com\n", ""),
        ("wrong-type", "[corp, ci]", "corp"),
        ("twice", "  - name: ci\n", "  - name: ci\n    name: ci2\n"),
        ("no-yaml", "labels: { env", "labels: { [env"),
        ("unknown-issuer", "[corp, ci]", "[crop]"),
        ("same-issuer-name", "name: ci", "name: corp"),
        ("cleartext-url", "public_url: https:", "public_url: http:"),
        ("cleartext-upstream", "url: https://staff", "url: http://staff"),
        ("zero-limit", "connections:", "limits: { headers_max: 0 }\nconnections:"),
        ("algorithm", "groups_required: false", "algorithms: [HS256]"),
        ("leeway", "groups_required: false", "leeway_s: 61"),
        ("path", "labels: { env: production }", "path: /a/../b"),
        ("anonymous", "labels: { env: production }", "development_anonymous: true"),
        ("webhooks", "connections:", WEBHOOKS),
        ("telling", "connections:", TELLING),
        ("masking-class", "labels: { env: production }", "masking: { mask: [pii.emial] }"),
        ("masking-recogniser", "labels: { env: production }", "recognisers: [presidio]"),
        ("detection", "connections:", DETECTION),
        ("recognisers", "connections:", RECOGNISERS),
        ("sandbox", "connections:", SANDBOX),
        ("credential", "connections:", CREDENTIAL),
        ("consent", "connections:", CONSENT),
        ("login-issuer", "connections:", &login("ci", "https://review.example.com")),
        ("login-url", "connections:", &login("corp", "http://review.example.com/approvals")),
    ] {
        insta::assert_snapshot!(format!("config-{name}"), with(old, new).run(&["check"]));
    }
}

#[test]
fn a_secret_in_the_wrong_place_is_not_printed() {
    let output = with("env:STAFF_AUTHORIZATION", "Bearer-hunter2").run(&["check"]);
    assert!(!output.contains("hunter2"), "{output}");
    insta::assert_snapshot!(output);
}

#[test]
fn a_missing_file_is_no_bug() {
    insta::assert_snapshot!(Folder::new().run(&["check"]));
}

#[test]
fn flags_win_over_variables_over_the_file() {
    let folder = good();
    let variables = [
        ("LOCKGATE_LISTEN_ADDRESS", "127.0.0.1:1"),
        ("LOCKGATE_LOG_LEVEL", "debug"),
        // By default it is the host's name.
        ("LOCKGATE_NODE", "gateway-1"),
        ("LOCKGATE_CONNECTIONS_STAFF_DURABILITY", "strict"),
        ("LOCKGATE_LIMTS_HEADERS_MAX", "1"),
    ];
    let arguments = ["config", "show", "--origin", "--listen", "127.0.0.1:2"];
    insta::assert_snapshot!(folder.run_with(&arguments, &variables));
}

#[test]
fn a_variable_that_does_not_fit_is_named() {
    let variables = [("LOCKGATE_LIMITS_HEADERS_MAX", "many")];
    insta::assert_snapshot!(good().run_with(&["check"], &variables));
}

#[test]
fn the_environment_can_supply_what_the_file_must_not_lack() {
    let folder = with("public_url: https://mcp.example.com\n", "");
    insta::assert_snapshot!(folder.run(&["check"]));
    let variables = [("LOCKGATE_PUBLIC_URL", "https://other.example.com")];
    assert!(folder.run_with(&["check"], &variables).starts_with("exit 0"));
}

#[test]
fn faults_of_policies_are_pointed_at() {
    for (name, old, new) in [
        ("syntax", "permit (", "permit ["),
        ("tool", "staff/query", "staff/querry"),
        ("argument", "arguments.limit", "arguments.limits"),
        ("issuer", "corp/engineers", "crop/engineers"),
    ] {
        let folder = good();
        folder.write("policies/staff.cedar", &POLICY.replace(old, new));
        insta::assert_snapshot!(format!("policy-{name}"), folder.run(&["check"]));
    }
}

#[test]
fn explain_says_who_may_and_why() {
    let folder = good();
    let ask = |more: &[&str]| {
        let mut arguments = vec!["policy", "explain", "--connection", "staff", "--issuer", "corp"];
        arguments.extend_from_slice(&["--subject", "ann", "--tool", "query"]);
        arguments.extend_from_slice(more);
        folder.run(&arguments)
    };
    insta::assert_snapshot!(
        "explain-allow",
        ask(&["--group", "engineers", "--args", "{\"limit\":5}"])
    );
    insta::assert_snapshot!(
        "explain-arguments",
        ask(&["--group", "engineers", "--args", "{\"limit\":50}"])
    );
    insta::assert_snapshot!(
        "explain-nobody",
        ask(&["--group", "sales", "--args", "{\"limit\":5}"])
    );
    insta::assert_snapshot!(
        "explain-json",
        ask(&["--group", "engineers", "--args", "{\"limit\":5}", "--json"])
    );
}

#[test]
fn explain_reads_a_token_without_believing_it() {
    let folder = good();
    folder.write("token", &format!("{UNSIGNED}.{}", "A".repeat(86)));
    let arguments = ["policy", "explain", "--token", "token", "--connection", "staff"];
    let call = ["--tool", "query", "--args", "{\"limit\":5}"];
    insta::assert_snapshot!(folder.run(&[&arguments[..], &call[..]].concat()));
}

/// `{"alg":"ES256"}` and `{"iss":"https://login.example.com","sub":"ann","groups":["engineers"],
/// "iat":1,"exp":2}`, without a signature yet.
const UNSIGNED: &str = "eyJhbGciOiJFUzI1NiJ9.\
    eyJpc3MiOiJodHRwczovL2xvZ2luLmV4YW1wbGUuY29tIiwic3ViIjoiYW5uIiwiZ3JvdXBzIjpbImVuZ2luZWVycyJd\
    LCJpYXQiOjEsImV4cCI6Mn0";

#[test]
fn a_starter_never_replaces_a_policy() {
    let folder = good();
    let arguments =
        ["policy", "new", "--connection", "staff", "--group", "corp/engineers", "--write"];
    assert_eq!(folder.exit(&arguments), 3);
    folder.remove("policies/staff.cedar");
    assert_eq!(folder.exit(&arguments), 0);
    assert_eq!(folder.exit(&["check"]), 0, "a starter is a good policy");
    insta::assert_snapshot!(folder.run(&["policy", "schema", "--connection", "staff"]));
}

#[test]
fn settings_for_every_client_hold_no_credential() {
    let folder = good();
    for client in ["claude-code", "cursor", "vscode", "codex"] {
        let output = folder.run(&["client", "config", "--for", client]);
        insta::assert_snapshot!(format!("client-{client}"), output);
    }
    assert_eq!(folder.exit(&["client", "config", "--for", "cursor", "--connection", "x"]), 2);
}

#[test]
fn pins_are_listed_as_accepted() {
    insta::assert_snapshot!(good().run(&["pins", "list"]));
}

#[test]
fn pins_are_not_accepted_without_a_look() {
    let private = "https://127.0.0.1:59999/mcp\n        allow_private: true";
    let folder = with("https://staff.example.com/mcp", private);
    let credential = [("STAFF_AUTHORIZATION", "Bearer x")];
    let output = folder.run_with(&["pins", "accept", "staff", "--yes"], &credential);
    assert!(output.starts_with("exit 3") && output.contains("upstream.unreachable"), "{output}");
    assert_eq!(folder.exit(&["pins", "accept", "stuff"]), 2, "no such connection");
}

#[test]
fn completions_know_the_commands() {
    for shell in ["bash", "zsh", "fish"] {
        assert!(Folder::new().run(&["completions", shell]).contains("policy"), "{shell}");
    }
}

#[test]
fn the_schema_beside_the_examples_is_current() {
    let file = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/lockgate.schema.json");
    let output = Folder::new().command().args(["config", "schema"]).output().unwrap();
    let now = String::from_utf8(output.stdout).unwrap();
    let committed = std::fs::read_to_string(file).unwrap_or_default();
    assert!(now == committed, "run: lockgate config schema > examples/lockgate.schema.json");
}
