//! Connections are registered, shown and removed by the command line; what can't be served is refused
//! before anything is changed.

use std::{fs, os::unix::fs::symlink};

use serde_json::Value;

use crate::{folder::Folder, vault::same};

const CONFIG: &str = "public_url: https://mcp.example.com\n\
     issuers: [{ name: corp, issuer: 'https://login.example.com' }]\n\
     connections:\n\
     \x20 - name: staff\n\
     \x20   issuers: [corp]\n\
     \x20   upstream: { http: { url: https://staff.example.com/mcp } }\n";
const POLICY: &str =
    r#"@id("a") permit (principal in Group::"corp/x", action in Action::"call_tool", resource);"#;
const SECRET: &str = "sk-proj-Zk93mQx7Lb2TfVw8RpYs4NdHc6JgUa1E";

pub(crate) fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("lockgate.yaml", CONFIG);
    folder.write("policies/a.cedar", POLICY);
    folder
}

/// Each command with what it says; times and the user's name taken out.
pub(crate) fn story(folder: &Folder, commands: &[&[&str]]) -> String {
    let told = commands.iter().map(|arguments| {
        let said = folder.run(arguments);
        format!("$ lockgate {}\n{said}\n", arguments.join(" "))
    });
    same(&told.collect::<String>())
}

#[test]
fn a_connection_comes_and_goes() {
    let folder = folder();
    let add = ["connection", "add", "files", "--command", "/bin/false", "--arg=--root=/srv"];
    let add = [&add[..], &["--env", "TOKEN=sealed:files-token"]].concat();
    insta::assert_snapshot!(story(
        &folder,
        &[
            &["connection", "list"],
            &add,
            &add,
            &["connection", "list"],
            &["connection", "list", "--json"],
            &["connection", "show", "files"],
            &["connection", "show", "fiels"],
            &["secret", "set", "t", "--connection", "fiels"],
            &["pins", "list", "files"],
            &["connection", "remove", "files"],
            &["connection", "remove", "files", "--yes"],
            &["connection", "remove", "files", "--yes"],
            &["connection", "add", "files", "--url", "https://files.example.com/mcp", "--json"],
            &["connection", "show", "files", "--json"],
            &["check"],
        ],
    ));
}

#[test]
fn what_can_not_be_served_is_refused() {
    let folder = folder();
    let url = format!("https://x.example.com/mcp?api_key={SECRET}");
    let header = format!("Authorization=Bearer {SECRET}");
    let add = |more: &[&'static str]| [&["connection", "add", "new"][..], more].concat();
    let good = ["--url", "https://x.example.com/mcp"];
    let said = [
        story(
            &folder,
            &[
                &add(&[]),
                &add(&["--url", "http://x.example.com/mcp"]),
                &add(&["--url", "https://x.example.com/mcp", "--issuer", "crop"]),
                &add(&["--url", "https://x.example.com/mcp", "--ca", "ca.pem"]),
                &add(&["--url", "https://x.example.com/mcp", "--header", "Authorization"]),
                &add(&["--command", "false"]),
                &["connection", "add", "New", "--command", "/bin/false"],
                &["connection", "add", "staff", "--command", "/bin/false"],
                &["connection", "remove", "staff", "--yes"],
            ],
        ),
        folder.run(&add(&["--command", "/bin/false", "--arg", "--token", "--arg", SECRET])),
        folder.run(&["connection", "add", "new", "--url", &url]),
        folder.run(&[&["connection", "add", "new"][..], &good, &["--header", &header]].concat()),
    ]
    .concat();
    assert!(!said.contains(SECRET), "{said}");
    insta::assert_snapshot!(said);
    assert_eq!(folder.exit(&["journal", "show"]), 3, "something is on record");
}

#[test]
fn policies_must_compile_before_and_after() {
    let folder = folder();
    let add = ["connection", "add", "files", "--url", "https://files.example.com/mcp"];
    assert_eq!(folder.exit(&add), 0);
    // Once it was there, policies may speak of it; one that was never there is a slip.
    let policy = r#"@id("b") forbid (principal, action == Action::"files/delete", resource);"#;
    folder.write("policies/b.cedar", policy);
    assert_eq!(folder.exit(&["check"]), 0);
    assert_eq!(folder.exit(&["connection", "remove", "files", "--yes"]), 0);
    assert_eq!(folder.exit(&["check"]), 0);
    folder.write("policies/b.cedar", &policy.replace("files/", "flies/"));
    assert_eq!(folder.exit(&["check"]), 2);
    let refused = folder.run(&add);
    assert!(refused.contains("unknown connection `flies`"), "{refused}");
    let listed: Value = {
        let said = folder.run(&["connection", "list", "--json"]);
        let (_, json) = said.split_once("--- stdout\n").unwrap();
        serde_json::from_str(json.split("--- stderr").next().unwrap()).unwrap()
    };
    assert_eq!(listed.as_array().unwrap().len(), 1);
}

#[test]
fn help_begins_with_two_examples() {
    let folder = Folder::new();
    for command in [
        "connection",
        "connection add",
        "connection list",
        "connection show",
        "connection test",
        "connection remove",
        "apply",
    ] {
        let name = format!("help-{}", command.replace(' ', "-"));
        let mut arguments: Vec<&str> = command.split_whitespace().collect();
        arguments.push("--help");
        insta::assert_snapshot!(name, folder.run(&arguments));
    }
}

#[test]
fn documents_are_planned_applied_and_drift() {
    let folder = folder();
    let document = |url: &str, more: &str| {
        let text = format!(
            "connections:\n\
             \x20 - name: tickets\n\
             \x20   issuers: [corp]\n\
             \x20   upstream: {{ http: {{ url: '{url}' }} }}\n{more}"
        );
        folder.write("docs/tickets.yaml", &text);
    };
    let files = "connections:\n\
         \x20 - name: files\n\
         \x20   issuers: [corp]\n\
         \x20   upstream: { stdio: { command: /bin/false, cwd: work } }\n";
    document("https://tickets.example.com/mcp", "");
    folder.write("docs/files.yml", files);
    let apply = |more: &[&'static str]| [&["apply", "-f", "docs"][..], more].concat();
    let mut said = story(
        &folder,
        &[&apply(&["--dry-run"]), &apply(&[]), &apply(&["--yes"]), &apply(&["--yes"])],
    );
    // Somebody else comes in between.
    let add = ["connection", "add", "files", "--command", "/bin/true"];
    said += &story(
        &folder,
        &[
            &["connection", "remove", "files", "--yes"],
            &add,
            &["connection", "add", "mine", "--command", "/bin/true"],
        ],
    );
    document("https://new.example.com/mcp", "    labels: { env: production }\n");
    said += &story(
        &folder,
        &[
            &apply(&["--dry-run"]),
            &apply(&["--yes"]),
            &apply(&["--dry-run", "--json"]),
            &apply(&["--prune", "--yes"]),
            &["connection", "list"],
        ],
    );
    let said = said.replace(&folder.file("").display().to_string(), "[folder]/");
    insta::assert_snapshot!(said);
}

#[test]
fn documents_are_applied_all_or_not_at_all() {
    let folder = folder();
    let good = "connections: [{ name: good, issuers: [corp], upstream: { stdio: { command: /bin/true } } }]";
    folder.write("docs/a.yaml", good);
    let mut said = String::new();
    for (what, text) in [
        ("the file's", good.replace("good", "staff")),
        ("unfit", good.replace("good", "bad").replace("corp", "crop")),
        ("twice", good.to_owned()),
        ("a slip", good.replace("good", "bad").replace("stdio", "studio")),
        ("more than connections", format!("public_url: https://x.example.com\n{good}")),
        (
            "a secret",
            format!(
                "connections: [{{ name: bad, issuers: [corp], upstream: {{ http: {{ \
                 url: 'https://x.example.com', headers: {{ Authorization: Bearer {SECRET} }} }} }} }}]"
            ),
        ),
    ] {
        folder.write("docs/b.yaml", &text);
        said += &format!("{what}: {}\n", folder.run(&["apply", "-f", "docs", "--yes"]));
    }
    assert!(!said.contains(SECRET), "{said}");
    said += &story(&folder, &[&["apply", "-f", "nowhere"], &["connection", "list"]]);
    insta::assert_snapshot!(said);
    assert_eq!(folder.exit(&["journal", "show"]), 3, "something is on record");
}

#[test]
fn servers_of_clients_are_found_and_their_secrets_unseen() {
    let folder = folder();
    let secret = |text: &str| text.replace("SECRET", SECRET);
    folder.write("a/.mcp.json", &secret(
        r#"{ "mcpServers": {
            "staff": { "url": "https://a.example.com/mcp?api_key=SECRET" },
            "wiki": { "type": "http", "url": "https://wiki.example.com/mcp",
                      "headers": { "Authorization": "Bearer SECRET", "X-Team": "blue" } },
            "later": { "url": "https://l.example.com/mcp", "headers": { "Authorization": "Bearer ${T}" } } } }"#,
    ));
    folder.write("a/.vscode/mcp.json", &secret(
        "{ // servers\n \"servers\": { \"My Files\": { \"command\": \"npx\", \"args\": [\"--token\", \"hunter2\", \"--root=/srv\"], }, }, }",
    ));
    folder.write("a/.cursor/mcp.json", "{ \"mcpServers\": { \"x\": hunter2 } }");
    folder.write("a/.codex/config.toml", &secret(
        "model = 'm'\n[mcp_servers.db]\ncommand = '/usr/bin/db'\n[mcp_servers.db.env]\nDB_PASSWORD = 'hunter2'\nNOTE = 'SECRET'\nLEVEL = 'info'\n",
    ));
    folder.write(
        "a/claude_desktop_config.json",
        r#"{ "mcpServers": { "odd": {}, "\u001b[2J": { "command": "/bin/x" } } }"#,
    );
    folder.write("b.toml", "a = 1\nb = hunter2\n");
    folder.write("long.json", &"/".repeat((1 << 20) + 1));
    let kept = folder.read("a/.mcp.json");
    let at = |name: &str| folder.file(name).display().to_string();
    let (all, toml, long) = (at("a"), at("b.toml"), at("long.json"));
    let said = [
        folder.run(&["connection", "discover", &all, &all, &toml, &long]),
        folder.run(&["connection", "discover", &all, "--json"]),
        folder.run(&["connection", "discover", &at("none")]),
    ]
    .join("\n");
    assert!(!said.contains(SECRET) && !said.contains("hunter2"), "{said}");
    assert_eq!(folder.read("a/.mcp.json"), kept);
    insta::assert_snapshot!(said);
}

#[test]
fn servers_of_clients_are_imported_whole_or_not_at_all() {
    let folder = folder();
    folder.write(
        "a/.mcp.json",
        &r#"{ "mcpServers": {
            "wiki": { "type": "http", "url": "https://wiki.example.com/mcp?team=blue",
                      "headers": { "Authorization": "Bearer SECRET", "X-Team": "blue" } },
            "Files": { "command": "/bin/false", "args": ["--root=/srv"], "env": { "FILES_TOKEN": "hunter2" } },
            "later": { "url": "https://l.example.com/mcp", "headers": { "Authorization": "Bearer ${T}" } },
            "here": { "command": "/bin/false", "args": ["${workspaceFolder}"] },
            "old": { "type": "sse", "url": "https://old.example.com/sse" } } }"#
        .replace("SECRET", SECRET),
    );
    let kept = folder.read("a/.mcp.json");
    let file = folder.file("a/.mcp.json").display().to_string();
    let import = |arguments: &[&str]| {
        folder.run(&[&["connection", "discover", &file, "--import"], arguments].concat())
    };
    let mut said = story(&folder, &[]);
    for (what, arguments) in [
        ("all", &["--yes"][..]),
        ("no such one", &["--only", "nobody"]),
        ("nobody to ask", &["--only", "wiki"]),
        ("an unfit name", &["--only", "Files", "--yes"]),
    ] {
        said += &format!("{what}: {}\n", import(arguments));
    }
    assert_eq!(folder.exit(&["journal", "show"]), 3, "something is on record");
    let two = ["--only", "wiki", "--only", "Files", "--as", "Files=files", "--yes"];
    said += &format!("two: {}\n", import(&two));
    said += &format!("again: {}\n", import(&two));
    // A secret of this name is there, and of two that come together neither stays.
    assert_eq!(folder.exit(&["connection", "remove", "files", "--yes"]), 0);
    said += &format!(
        "a secret is there: {}\n",
        import(&[
            "--only",
            "wiki",
            "--only",
            "Files",
            "--as",
            "wiki=a",
            "--as",
            "Files=files",
            "--yes"
        ])
    );
    said += &format!(
        "as JSON: {}\n",
        import(&["--only", "Files", "--as", "Files=b", "--yes", "--json"])
    );
    for arguments in [
        &["connection", "list"][..],
        &["connection", "show", "wiki"],
        &["secret", "list"],
        &["journal", "show"],
    ] {
        said += &format!("{}\n", folder.run(arguments));
    }
    assert!(!said.contains(SECRET) && !said.contains("hunter2"), "{said}");
    assert_eq!(folder.read("a/.mcp.json"), kept);
    insta::assert_snapshot!(same(&said));
}

#[test]
fn what_an_import_put_into_the_vault_goes_when_it_fails() {
    let folder = folder();
    folder.write(
        ".mcp.json",
        r#"{ "mcpServers": { "wiki": { "url": "https://wiki.example.com/mcp",
             "headers": { "Authorization": "Bearer hunter2", "X-Team": "blue" } } } }"#,
    );
    // The database of connections is looked for and not there, and can't be made.
    fs::create_dir(folder.file("lockgate-data")).unwrap();
    symlink("/nowhere/at/all", folder.file("lockgate-data/connections.sqlite")).unwrap();
    let import = ["connection", "discover", ".mcp.json", "--import", "--yes"];
    let said = story(&folder, &[&import, &["secret", "list"], &["journal", "show"]]);
    insta::assert_snapshot!(same(&said));
}
