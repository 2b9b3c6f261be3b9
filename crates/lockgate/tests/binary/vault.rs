//! Secrets go in by the command line and never come out; keys are rotated under a kill at any moment.

use std::{
    fs,
    path::Path,
    process::{Output, Stdio},
    time::Instant,
};

use lockgate_model::Timestamp;
use lockgate_store::{
    db::DbPlace,
    secrets::{GrantOf, NewGrant, NewSecret, Secrets},
};
use lockgate_vault::{About, KeySource, Purpose, Secret};
use serde_json::Value;

use crate::folder::{Folder, fed};

const CONFIG: &str = "public_url: https://mcp.example.com\n\
     issuers: [{ name: corp, issuer: 'https://login.example.com' }]\n\
     connections:\n\
     \x20 - name: staff\n\
     \x20   issuers: [corp]\n\
     \x20   upstream:\n\
     \x20     http:\n\
     \x20       url: https://staff.example.com/mcp\n\
     \x20       headers: { Authorization: 'sealed:staff-token' }\n\
     \x20 - name: files\n\
     \x20   issuers: [corp]\n\
     \x20   upstream: { stdio: { command: /bin/false, env: { TOKEN: 'sealed:files-token' } } }\n";

pub(crate) fn folder() -> Folder {
    let folder = Folder::new();
    folder.write("lockgate.yaml", CONFIG);
    folder.write(
        "policies/all.cedar",
        r#"permit (principal, action == Action::"subscribe", resource);"#,
    );
    folder
}

/// Both streams and the exit code, with what differs from run to run taken out.
fn shown(folder: &Folder, output: &Output) -> String {
    let text = |bytes: &[u8]| String::from_utf8(bytes.to_vec()).unwrap();
    let (code, out) = (output.status.code().unwrap(), text(&output.stdout));
    let all = format!("exit {code}\n--- stdout\n{out}--- stderr\n{}", text(&output.stderr));
    let all = all.replace(&folder.file("").display().to_string(), "[folder]/");
    same(&all)
}

/// Times, key ids and the user's name differ from run to run.
pub(crate) fn same(text: &str) -> String {
    let mut keys: Vec<&str> = Vec::new();
    let words = text.split_inclusive(|c: char| !(c.is_ascii_alphanumeric() || "-:.".contains(c)));
    let words = words.map(|word| {
        let bare = word.trim_end_matches(|c: char| !c.is_ascii_alphanumeric());
        let hex = |c: char| matches!(c, '0'..='9' | 'a'..='f');
        if bare.len() == 16 && bare.chars().all(hex) {
            let known = keys.iter().position(|key| *key == bare);
            let number = known.unwrap_or_else(|| {
                keys.push(bare);
                keys.len() - 1
            });
            return word.replace(bare, &format!("[key {}]", number + 1));
        }
        if bare.len() == 24 && bare.starts_with("20") && bare.ends_with('Z') {
            return word.replace(bare, "[time]");
        }
        if bare.starts_with("local:") {
            return word.replace(bare, "local:[user]");
        }
        word.to_owned()
    });
    words.collect::<String>().lines().map(str::trim_end).collect::<Vec<_>>().join("\n")
}

pub(crate) fn set(folder: &Folder, arguments: &[&str], value: &str) -> String {
    shown(folder, &fed(folder, &[&["secret"], arguments].concat(), value))
}

pub(crate) fn run(folder: &Folder, arguments: &[&str]) -> String {
    shown(folder, &fed(folder, arguments, ""))
}

#[test]
fn secrets_go_in_and_are_told_of() {
    let folder = folder();
    insta::assert_snapshot!("vault-check-missing", run(&folder, &["check"]));
    insta::assert_snapshot!("vault-status-missing", run(&folder, &["vault", "status"]));
    assert!(!folder.file("lockgate-data/vault.sqlite").exists(), "a look made something");
    let arguments = ["set", "staff-token", "--connection", "staff", "--description", "until May"];
    insta::assert_snapshot!("secret-set", set(&folder, &arguments, "hunter2\n"));
    insta::assert_snapshot!("secret-set-twice", set(&folder, &["set", "staff-token"], "hunter3"));
    insta::assert_snapshot!("secret-rotate", set(&folder, &["rotate", "staff-token"], "hunter3"));
    insta::assert_snapshot!("secret-rotate-none", set(&folder, &["rotate", "other"], "hunter3"));
    folder.write("value", "hunter4\n");
    let arguments =
        ["secret", "set", "files-token", "--from-file", "value", "--connection", "staff"];
    assert!(run(&folder, &arguments).starts_with("exit 0"));
    insta::assert_snapshot!("secret-list", run(&folder, &["secret", "list"]));
    insta::assert_snapshot!("vault-status-foreign", run(&folder, &["vault", "status"]));
    insta::assert_snapshot!(
        "secret-remove",
        run(&folder, &["secret", "remove", "files-token", "--yes"])
    );
    insta::assert_snapshot!(
        "secret-remove-none",
        run(&folder, &["secret", "remove", "files-token", "--yes"])
    );
    insta::assert_snapshot!(
        "secret-remove-unasked",
        run(&folder, &["secret", "remove", "staff-token"])
    );
    insta::assert_snapshot!("vault-journal", run(&folder, &["journal", "show"]));
    assert_eq!(hits(&folder.file("lockgate-data"), "hunter"), 0);
}

#[test]
fn values_that_can_not_be_are_refused_unseen() {
    let folder = folder();
    insta::assert_snapshot!("secret-empty", set(&folder, &["set", "a"], "\n"));
    insta::assert_snapshot!("secret-binary", set(&folder, &["set", "a"], "hun\0ter2"));
    insta::assert_snapshot!("secret-long", set(&folder, &["set", "a"], &"hunter2".repeat(20_000)));
    insta::assert_snapshot!("secret-as-argument", set(&folder, &["set", "a", "hunter2"], ""));
    insta::assert_snapshot!("secret-name", set(&folder, &["set", "a/b"], "hunter2"));
    insta::assert_snapshot!(
        "secret-nowhere",
        set(&folder, &["set", "a", "--connection", "stuff"], "hunter2")
    );
    assert!(!folder.file("lockgate-data").exists());
}

#[test]
fn keys_are_rotated_and_forgotten() {
    let folder = folder();
    insta::assert_snapshot!("vault-rotate-nothing", run(&folder, &["vault", "rotate"]));
    set(&folder, &["set", "staff-token"], "hunter2");
    set(&folder, &["set", "files-token"], "hunter3");
    insta::assert_snapshot!("vault-rotate", run(&folder, &["vault", "rotate"]));
    insta::assert_snapshot!("vault-status", run(&folder, &["vault", "status"]));
    let keys = keys(&folder);
    insta::assert_snapshot!(
        "vault-forget-needed",
        run(&folder, &["vault", "forget", &keys[1], "--yes"])
    );
    insta::assert_snapshot!("vault-forget", run(&folder, &["vault", "forget", &keys[0], "--yes"]));
    insta::assert_snapshot!(
        "vault-forget-unknown",
        run(&folder, &["vault", "forget", &keys[0], "--yes"])
    );
    assert!(run(&folder, &["vault", "status"]).starts_with("exit 0"));

    let file = folder.file("lockgate-data/keys/vault.key");
    let text = fs::read_to_string(&file).unwrap();
    fs::remove_file(&file).unwrap();
    insta::assert_snapshot!("vault-keys-missing", set(&folder, &["set", "a"], "hunter2"));
    assert!(!file.exists(), "a new key hides that nothing can be opened");
    let other = self::folder();
    set(&other, &["set", "a"], "hunter2");
    fs::copy(other.file("lockgate-data/keys/vault.key"), &file).unwrap();
    insta::assert_snapshot!("vault-keys-wrong", set(&folder, &["set", "a"], "hunter2"));
    insta::assert_snapshot!("vault-status-wrong", run(&folder, &["vault", "status"]));
    fs::write(&file, text).unwrap();
    assert!(run(&folder, &["vault", "status"]).starts_with("exit 0"));
}

#[test]
fn keys_of_a_variable_are_their_operators() {
    let folder = folder();
    folder.write("lockgate.yaml", &format!("vault: {{ keys: 'env:VAULT_KEYS' }}\n{CONFIG}"));
    let (one, two) = ("11".repeat(32), "22".repeat(32));
    let run =
        |keys: &str, arguments: &[&str]| same(&folder.run_with(arguments, &[("VAULT_KEYS", keys)]));
    folder.write("value", "hunter2");
    let arguments = ["secret", "set", "staff-token", "--from-file", "value"];
    assert!(run(&one, &arguments).starts_with("exit 0"));
    insta::assert_snapshot!("vault-env-rotate-alone", run(&one, &["vault", "rotate"]));
    insta::assert_snapshot!("vault-env-rotate", run(&format!("{one},{two}"), &["vault", "rotate"]));
    insta::assert_snapshot!("vault-env-status", run(&two, &["vault", "status"]));
    insta::assert_snapshot!("vault-env-unset", folder.run(&["vault", "status"]));
    insta::assert_snapshot!("vault-env-malformed", run("hunter2", &["vault", "status"]));
}

#[test]
fn the_vault_is_not_opened_with_what_is_in_it() {
    let folder = folder();
    folder.write("lockgate.yaml", &format!("vault: {{ keys: 'sealed:key' }}\n{CONFIG}"));
    insta::assert_snapshot!("vault-keys-sealed", folder.run(&["check"]));
    folder.write("lockgate.yaml", &format!("vault: {{ keys: 'transit:lockgate' }}\n{CONFIG}"));
    let nowhere = folder.run(&["check"]);
    assert!(nowhere.contains("`transit:lockgate` is nowhere"), "{nowhere}");
}

#[test]
fn references_to_a_server_lead_somewhere() {
    let folder = folder();
    let kept = CONFIG.replace("sealed:staff-token", "vault:kv/staff#token");
    folder.write("lockgate.yaml", &kept);
    insta::assert_snapshot!("vault-server-none", folder.run(&["check"]));
    let server = "vault: { server: { url: 'https://vault.example.com:8200', login: \
                  { token: 'env:VAULT_TOKEN' }, mounts: { kv: 1 } } }\n";
    folder.write("lockgate.yaml", &format!("{server}{kept}"));
    let good = folder.run(&["check"]);
    assert!(good.starts_with("exit 0"), "{good}");
    let wrong = server
        .replace("https:", "http:")
        .replace("env:VAULT_TOKEN", "vault:kv/own#token")
        .replace("kv: 1", "'secret/': 3");
    folder.write("lockgate.yaml", &format!("{wrong}{kept}"));
    insta::assert_snapshot!("vault-server-wrong", folder.run(&["check"]));
    folder.write("lockgate.yaml", &kept.replace("vault:kv/staff#token", "vault:kv/../sys#hunter2"));
    let malformed = folder.run(&["check"]);
    assert!(malformed.contains("`vault:PATH#FIELD`") && !malformed.contains("hunter2"));
}

#[test]
fn references_to_aws_lead_to_an_account() {
    let folder = folder();
    let kept = CONFIG.replace("sealed:staff-token", "aws-sm:prod/staff#token");
    folder.write("lockgate.yaml", &format!("vault: {{ keys: 'kms:alias/lockgate' }}\n{kept}"));
    insta::assert_snapshot!("vault-aws-none", folder.run(&["check"]));
    let account = "vault: { keys: 'kms:alias/lockgate', aws: { region: eu-central-1, access_key: \
                   'env:KEY', secret_key: 'file:/run/secrets/key' } }\n";
    folder.write("lockgate.yaml", &format!("{account}{kept}"));
    let good = folder.run(&["check"]);
    assert!(good.starts_with("exit 0"), "{good}");
    let arn = "aws-sm:arn:aws:secretsmanager:us-east-1:123456789012:secret:staff-a1B2c3";
    let wrong = account
        .replace("eu-central-1", "eu-central-1.evil.example")
        .replace("access_key: 'env:KEY', ", "kms: 'http://kms.example.com', ")
        .replace("file:/run/secrets/key", "aws-sm:own");
    let elsewhere = kept.replace("aws-sm:prod/staff#token", arn);
    folder.write("lockgate.yaml", &format!("{wrong}{elsewhere}"));
    insta::assert_snapshot!("vault-aws-wrong", folder.run(&["check"]));
}

/// However often a rotation is killed, and wherever, everything opens; then it comes to its end.
#[test]
fn a_killed_rotation_loses_nothing() {
    let folder = folder();
    let secrets = 3_000;
    set(&folder, &["set", "staff-token"], "hunter2");
    set(&folder, &["set", "files-token"], "hunter2");
    fill(&folder, secrets);
    let began = Instant::now();
    assert!(run(&folder, &["vault", "rotate"]).starts_with("exit 0"));
    let whole = began.elapsed();
    let (rounds, mut cut, mut between) = (24, 0, 0);
    for round in 0..rounds {
        let mut rotate = folder.command();
        rotate.args(["vault", "rotate"]).stdout(Stdio::null()).stderr(Stdio::null());
        let mut rotate = rotate.spawn().unwrap();
        std::thread::sleep(whole * round / rounds);
        rotate.kill().unwrap();
        cut += u32::from(!rotate.wait().unwrap().success());
        let status = folder.command().args(["vault", "status", "--json"]).output().unwrap();
        let report: Value = serde_json::from_slice(&status.stdout).unwrap();
        assert_eq!((status.status.code(), &report["wrong"]), (Some(0), &Value::Array(vec![])));
        assert_eq!(report["secrets"], secrets + 2);
        between += u32::from(report["to_rewrap"] != 0);
    }
    println!(
        "{rounds} rotations over {secrets} secrets, {cut} killed, {between} with secrets between keys"
    );
    assert!(cut > rounds / 3, "nothing was cut off");
    let done = run(&folder, &["vault", "rotate"]);
    assert!(done.starts_with("exit 0"), "{done}");
    let status = run(&folder, &["vault", "status", "--json"]);
    assert!(status.contains(r#""to_rewrap": 0"#), "{status}");
}

#[test]
fn grants_that_do_not_open_are_named() {
    let folder = folder();
    assert!(set(&folder, &["set", "staff-token"], "hunter2").starts_with("exit 0"));
    assert!(set(&folder, &["set", "files-token"], "hunter2").starts_with("exit 0"));
    grant(&folder, ("ann", "staff", "here"), ("ann", "staff", "here"));
    let status = run(&folder, &["vault", "status"]);
    assert!(status.starts_with("exit 0"), "{status}");
    let hostile = [
        (("bob", "staff", "here"), ("ann", "staff", "here")),
        (("eve", "files", "here"), ("eve", "staff", "here")),
        (("kim", "staff", "there"), ("kim", "staff", "here")),
    ];
    for (told, (kept, sealed)) in hostile.into_iter().enumerate() {
        grant(&folder, kept, sealed);
        let status = run(&folder, &["vault", "status"]);
        assert!(status.starts_with("exit 1"), "{status}");
        let named = format!("the grant of `{}` for connection `{}` does not open", kept.0, kept.1);
        assert!(status.contains(&named), "{status}");
        assert_eq!(status.matches("does not open").count(), told + 1, "{status}");
    }
}

/// Puts a grant at one (holder, connection, place) with a text that was sealed for another.
fn grant(folder: &Folder, kept: (&str, &str, &str), sealed: (&str, &str, &str)) {
    let keys = KeySource::File(folder.file("lockgate-data/keys/vault.key")).read().unwrap();
    let place = DbPlace::Sqlite(folder.file("lockgate-data/vault.sqlite"));
    let of = |(holder, connection, _): (&str, &str, _)| GrantOf {
        holder: holder.to_owned(),
        connection: connection.to_owned(),
    };
    let (purpose, version) = (Purpose::Grant, 1);
    let name = of(sealed).name_at(sealed.2);
    let about = About { purpose, connection: Some(sealed.1), name: &name, version };
    let value = Secret::of_text("a refresh token".to_owned()).unwrap();
    let text = keys.seal(keys.newest(), &about, &value).unwrap();
    let new = NewGrant {
        of: &of(kept),
        place: kept.2,
        version,
        claimant: None,
        sealing_key: &keys.newest().to_string(),
        sealed: &text.to_text(),
        renew_at: Timestamp::from_millis(1),
        ends: Timestamp::from_millis(2),
        now: Timestamp::from_millis(0),
    };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let secrets = Secrets::open(&place).await.unwrap();
        secrets.put_grant(&new).await.unwrap();
        secrets.close().await;
    });
}

/// The ids of the keys, the oldest first.
pub(crate) fn keys(folder: &Folder) -> Vec<String> {
    let status = folder.command().args(["vault", "status", "--json"]).output().unwrap();
    let report: Value = serde_json::from_slice(&status.stdout).unwrap();
    let keys = report["keys"].as_array().unwrap();
    keys.iter().map(|key| key["id"].as_str().unwrap().to_owned()).collect()
}

/// Puts so many secrets beside those that are there.
fn fill(folder: &Folder, count: u32) {
    let keys = KeySource::File(folder.file("lockgate-data/keys/vault.key")).read().unwrap();
    let place = DbPlace::Sqlite(folder.file("lockgate-data/vault.sqlite"));
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let secrets = Secrets::open(&place).await.unwrap();
        for number in 0..count {
            let name = format!("s{number:05}");
            let about =
                About { purpose: Purpose::Credential, connection: None, name: &name, version: 1 };
            let value = Secret::of_text(format!("value {number}")).unwrap();
            let sealed = keys.seal(keys.newest(), &about, &value).unwrap();
            let new = NewSecret {
                name: &name,
                version: 1,
                connection: None,
                sealing_key: &keys.newest().to_string(),
                sealed: &sealed.to_text(),
                description: "",
                author: "local:test",
                now: Timestamp::from_millis(0),
            };
            secrets.put(&new).await.unwrap();
        }
        secrets.close().await;
    });
}

/// Files below `folder` that hold `text` in the clear.
fn hits(folder: &Path, text: &str) -> usize {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let found = entries.map(|path| {
        if path.is_dir() {
            return hits(&path, text);
        }
        let bytes = fs::read(&path).unwrap();
        usize::from(bytes.windows(text.len()).any(|part| part == text.as_bytes()))
    });
    found.sum()
}
