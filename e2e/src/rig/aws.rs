//! AWS's Secrets Manager, KMS and IAM as moto has them, with an operator's SDK: `e2e/python/aws.py`.

use serde::Deserialize;
use serde_json::{Value, json};

use crate::tools::{Tool, python};

/// Where it is, for all that it does.
pub const REGION: &str = "eu-central-1";

/// The stand-in. It can be taken away and put back; what it knows stays. It ends when dropped.
pub struct Aws {
    tool: Tool,
    /// Who runs what, and where.
    pub known: Known,
}

/// What it says first.
#[derive(Deserialize)]
pub struct Known {
    /// Where every service of it is.
    pub url: String,
    /// The gateway's user, who may do nothing yet.
    pub lockgate: AccessKey,
}

/// What a user signs with.
#[derive(Deserialize)]
pub struct AccessKey {
    /// The access key.
    pub access: String,
    /// The secret key.
    pub secret: String,
}

impl Aws {
    /// Starts it.
    ///
    /// # Errors
    /// Where the parts can't be installed, or it ends at once.
    pub fn start() -> anyhow::Result<Self> {
        let (tool, known) = Tool::start_asked(python("aws.py")?)?;
        Ok(Self { tool, known: serde_json::from_str(&known)? })
    }

    /// Does this as an operator who may do everything; gives what it is answered.
    ///
    /// # Errors
    /// Where AWS refuses it.
    pub fn operate(&mut self, service: &str, call: &str, with: &Value) -> anyhow::Result<Value> {
        let asked = json!({ "service": service, "call": call, "with": with });
        let answer: Value = serde_json::from_str(&self.tool.ask(&asked.to_string())?)?;
        Ok(answer["done"].clone())
    }

    /// Says what the gateway's user may do from now on: a list of actions.
    ///
    /// # Errors
    /// As [`Aws::operate`].
    pub fn allow(&mut self, actions: &[&str]) -> anyhow::Result<()> {
        let document = policy(actions);
        let with = json!({ "UserName": "lockgate", "PolicyName": "own",
            "PolicyDocument": document });
        self.operate("iam", "put_user_policy", &with).map(drop)
    }

    /// Takes it away.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn stop(&mut self) -> anyhow::Result<()> {
        self.operate("stop", "", &json!({})).map(drop)
    }

    /// Puts it back.
    ///
    /// # Errors
    /// Where it has ended.
    pub fn back(&mut self) -> anyhow::Result<()> {
        self.operate("start", "", &json!({})).map(drop)
    }
}

/// A policy that allows these actions alone.
pub fn policy(actions: &[&str]) -> String {
    // A statement without actions is none.
    let actions = if actions.is_empty() { &["sts:GetCallerIdentity"] } else { actions };
    let allow = json!({ "Effect": "Allow", "Action": actions, "Resource": "*" });
    json!({ "Version": "2012-10-17", "Statement": [allow] }).to_string()
}
