//! Credentials in AWS Secrets Manager and keys wrapped under KMS, through the real binary: who may read
//! them, as whom the gateway asks, and what is refused. AWS is moto, which checks each signature and
//! permission, run by AWS's own SDK.

use std::{
    fs,
    path::Path,
    time::{Duration, Instant},
};

use lockgate_e2e::{
    rig::aws::{Aws, REGION, policy},
    say,
};
use lockgate_model::Reason;
use serde_json::{Value, json};
use tempfile::TempDir;

use crate::custody::{Custody, EFFECT};

const FIRST: &str = "canary-aws-5be8d02c7f41a963";
const SECOND: &str = "canary-aws-9a3c61f0d8e2b754";
const CHILD: &str = "canary-aws-c07f2be4915ad836";
/// A field beside a wanted one.
const BESIDE: &str = "canary-aws-41d7ea0b6c92f583";
const READS: &str = "secretsmanager:GetSecretValue";

struct House {
    custody: Custody,
    aws: Aws,
    /// What is signed with.
    keys: TempDir,
}

#[test]
fn secrets_of_aws_reach_the_upstream_and_nothing_else() {
    let mut house = House::start(true, None);
    house.aws.allow(&[READS]).unwrap();
    house.custody.serve();
    assert_eq!(house.custody.heard(), Some(FIRST.to_owned()));
    assert_eq!(house.custody.ask("child").status, 200);
    let log = |custody: &mut Custody| custody.room.gateway.log().contains("my secret is ***");
    house.custody.waits("the child's log", log);

    house.put(SECOND);
    let begun = Instant::now();
    house.custody.waits("the new value", |custody| custody.heard().as_deref() == Some(SECOND));
    say(&format!("aws: a new value after {} ms", begun.elapsed().as_millis()));

    house.aws.allow(&[]).unwrap();
    house.custody.refuses("main", Reason::CredentialRefused, EFFECT);
    house.aws.allow(&[READS]).unwrap();
    house.custody.works();
    house.sign_with("somebody else's");
    house.custody.refuses("main", Reason::CredentialRefused, EFFECT);
    house.sign_with(&house.aws.known.lockgate.secret);
    house.custody.works();
    house.aws.stop().unwrap();
    house.custody.refuses("main", Reason::CredentialUnreachable, EFFECT);
    house.aws.back().unwrap();
    house.custody.works();
    let gone = json!({ "SecretId": "prod/staff", "ForceDeleteWithoutRecovery": true });
    house.aws.operate("secretsmanager", "delete_secret", &gone).unwrap();
    house.custody.refuses("main", Reason::CredentialMissing, EFFECT);
    let secret = house.aws.known.lockgate.secret.clone();
    house.custody.nowhere(&[FIRST, SECOND, CHILD, BESIDE, &secret]);
}

#[test]
fn keys_that_kms_wraps_open_what_they_sealed() {
    let mut house = House::start(true, Some("kms:alias/lockgate"));
    house.seal();
    house.custody.serve();
    assert_eq!(house.custody.heard(), Some(FIRST.to_owned()));

    // The key is rotated while the gateway runs, and the old one goes.
    let first = house.key();
    house.custody.run(&["vault", "rotate"], 0);
    house.custody.run(&["vault", "forget", &first, "--yes"], 0);
    assert_ne!(house.key(), first);
    house.custody.works();

    // Without KMS nothing opens, and the words say so; with it, everything does again.
    house.aws.stop().unwrap();
    let (_, text) = house.custody.room.gateway.command(&["vault", "status"]).unwrap();
    let named = "the vault's keys at `kms:alias/lockgate` can't be had";
    assert!(text.contains(named), "{text}");
    house.custody.room.gateway.kill().unwrap();
    house.custody.room.gateway.run().unwrap();
    while house.custody.room.gateway.ready().is_err() {
        std::thread::sleep(Duration::from_millis(50));
    }
    house.custody.refuses("main", Reason::CredentialUnreachable, EFFECT);
    let ready = house.custody.room.gateway.ready().unwrap().1;
    assert!(ready.contains(named), "{ready}");
    house.aws.back().unwrap();
    house.custody.works();

    house.aws.allow(&["kms:Encrypt"]).unwrap();
    let (code, text) = house.custody.room.gateway.command(&["vault", "status"]).unwrap();
    assert!(code != 0 && text.contains("AWS refuses it"), "{code}: {text}");
    house.aws.allow(&["kms:Encrypt", "kms:Decrypt", READS]).unwrap();
    let secret = house.aws.known.lockgate.secret.clone();
    house.custody.nowhere(&[FIRST, CHILD, &secret]);
}

/// Without keys of its own, the gateway asks as whom its machine is for AWS.
#[test]
fn a_machine_has_an_identity_of_its_own() {
    let mut house = House::start(false, None);
    house.aws.allow(&[READS]).unwrap();
    let (access, secret) = {
        let key = &house.aws.known.lockgate;
        (key.access.clone(), key.secret.clone())
    };
    let gateway = &mut house.custody.room.gateway;
    gateway.variable("AWS_ACCESS_KEY_ID", Path::new(&access));
    gateway.variable("AWS_SECRET_ACCESS_KEY", Path::new(&secret));
    house.custody.serve();
    assert_eq!(house.custody.heard(), Some(FIRST.to_owned()));
    house.custody.nowhere(&[FIRST, CHILD, &secret]);

    // A pod has a token of its cluster instead, and the rights of a role.
    let mut house = House::start(false, None);
    let arn = house.role();
    let token = house.keys.path().join("token");
    fs::write(&token, "canary-account.eyJhbGciOiJSUzI1NiJ9.x").unwrap();
    let gateway = &mut house.custody.room.gateway;
    gateway.variable("AWS_WEB_IDENTITY_TOKEN_FILE", &token);
    gateway.variable("AWS_ROLE_ARN", Path::new(&arn));
    gateway.variable("AWS_ENDPOINT_URL_STS", Path::new(&house.aws.known.url));
    house.custody.serve();
    assert_eq!(house.custody.heard(), Some(FIRST.to_owned()));
    house.custody.nowhere(&[FIRST, CHILD, "canary-account.eyJhbGciOiJSUzI1NiJ9.x"]);
}

impl House {
    /// With two secrets in AWS, and by its own keys or as its machine; no gateway runs yet.
    fn start(own_keys: bool, vault_keys: Option<&str>) -> Self {
        let (mut aws, keys) = (Aws::start().unwrap(), tempfile::tempdir().unwrap());
        let child = json!({ "token": CHILD, "beside": BESIDE }).to_string();
        for (name, text) in [("prod/staff", FIRST), ("prod/child", &child)] {
            let secret = json!({ "Name": name, "SecretString": text });
            aws.operate("secretsmanager", "create_secret", &secret).unwrap();
        }
        let mut account = json!({ "region": REGION, "secrets_manager": aws.known.url,
            "kms": aws.known.url, "allow_private": true });
        if own_keys {
            for (name, text) in
                [("access", &aws.known.lockgate.access), ("secret", &aws.known.lockgate.secret)]
            {
                let file = keys.path().join(name);
                fs::write(&file, text).unwrap();
                account[format!("{name}_key")] = json!(format!("file:{}", file.display()));
            }
        }
        let mut vault = json!({ "aws": account });
        let mut main = "aws-sm:prod/staff";
        if let Some(place) = vault_keys {
            let made = aws.operate("kms", "create_key", &json!({})).unwrap();
            let alias = json!({ "AliasName": "alias/lockgate",
                "TargetKeyId": made["KeyMetadata"]["KeyId"] });
            aws.operate("kms", "create_alias", &alias).unwrap();
            aws.allow(&["kms:Encrypt", "kms:Decrypt", READS]).unwrap();
            vault["keys"] = json!(place);
            main = "sealed:main-token";
        }
        let custody = Custody::outside(main, "aws-sm:prod/child#token", &vault);
        Self { custody, aws, keys }
    }

    /// A role that may read secrets.
    fn role(&mut self) -> String {
        let trust = json!({ "Version": "2012-10-17", "Statement": [] }).to_string();
        let role = json!({ "RoleName": "gateways", "AssumeRolePolicyDocument": trust });
        let role = self.aws.operate("iam", "create_role", &role).unwrap();
        let reads = json!({ "RoleName": "gateways", "PolicyName": "reads",
            "PolicyDocument": policy(&[READS]) });
        self.aws.operate("iam", "put_role_policy", &reads).unwrap();
        role["Role"]["Arn"].as_str().unwrap().to_owned()
    }

    fn put(&mut self, value: &str) {
        let secret = json!({ "SecretId": "prod/staff", "SecretString": value });
        self.aws.operate("secretsmanager", "put_secret_value", &secret).unwrap();
    }

    /// From now on this is the secret key.
    fn sign_with(&self, secret: &str) {
        fs::write(self.keys.path().join("secret"), secret).unwrap();
    }

    /// Puts `main`'s credential into the vault.
    fn seal(&mut self) {
        let file = self.keys.path().join("value");
        fs::write(&file, FIRST).unwrap();
        let file = file.display().to_string();
        self.custody.run(&["secret", "set", "main-token", "--from-file", &file], 0);
    }

    /// The id of the only key.
    fn key(&mut self) -> String {
        let report: Value =
            serde_json::from_str(&self.custody.run(&["vault", "status", "--json"], 0)).unwrap();
        let keys = report["keys"].as_array().unwrap();
        assert!(keys.len() == 1 && report["to_rewrap"] == json!(0), "{report}");
        keys[0]["id"].as_str().unwrap().to_owned()
    }
}
