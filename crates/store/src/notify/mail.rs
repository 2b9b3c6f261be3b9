//! Mail: plain text with a link to the page on which the question is answered. The link only opens
//! the page, so that a scanner that follows it changes nothing.
//!
//! A question's mail has the same `Message-ID` each time it is sent, so that a receiver can drop what
//! it has already. Nothing is read but the server's replies.

use std::time::Duration;

use lettre::{
    Message,
    address::Envelope,
    message::{
        Mailbox,
        header::{ContentType, HeaderName, HeaderValue},
    },
    transport::smtp::{
        authentication::{Credentials, DEFAULT_MECHANISMS},
        client::{AsyncSmtpConnection, Certificate, CertificateStore, TlsParameters},
        extension::ClientId,
    },
};
use lockgate_model::Approval;
use tokio::time::timeout;

use super::{
    question::Question,
    settings::{MailSettings, Smtp},
};
use crate::{
    client::{Reach, root},
    deliver::DeliverFault,
};

/// A connection to one address must stand within this time, TLS aside.
const CONNECT_WAIT_MAX: Duration = Duration::from_secs(10);
/// A mail must have been taken within this time.
const SEND_WAIT_MAX: Duration = Duration::from_secs(60);

/// People who get mail.
pub struct Mail {
    smtp: Smtp,
    /// `None` where the operator allows cleartext.
    tls: Option<TlsParameters>,
    credentials: Option<Credentials>,
    from: Mailbox,
    to: Vec<Mailbox>,
}

impl Mail {
    /// Dials nothing yet. `password` is that of the settings, resolved.
    ///
    /// # Errors
    /// [`DeliverFault::Setting`].
    pub fn new(settings: &MailSettings, password: Option<String>) -> Result<Self, DeliverFault> {
        let fault = |why: String| DeliverFault::Setting { what: settings.server.to_string(), why };
        if let Some((key, why)) = settings.refusal() {
            return Err(fault(format!("`{key}`: {why}")));
        }
        let smtp = settings.smtp().map_err(|why| fault(why.to_owned()))?;
        let clear = settings.allow_cleartext && !smtp.wrapped;
        let tls = if clear { None } else { Some(tls(&smtp.host, settings).map_err(fault)?) };
        let pair = settings.user.clone().zip(password);
        Ok(Self {
            smtp,
            tls,
            credentials: pair.map(|(user, password)| Credentials::new(user, password)),
            from: settings.from.mailbox(),
            to: settings.to.iter().map(super::MailboxText::mailbox).collect(),
        })
    }

    /// Sends one mail to everybody.
    pub(super) async fn send(
        &self,
        approval: &Approval,
        link: Option<&str>,
    ) -> Result<(), DeliverFault> {
        let never = |fault: &dyn std::fmt::Display| DeliverFault::Never(fault.to_string());
        let mail = self.mail(approval, link).map_err(|fault| never(&fault))?;
        let (envelope, text) = (mail.envelope().clone(), mail.formatted());
        match timeout(SEND_WAIT_MAX, self.hand_over(&envelope, &text)).await {
            Ok(sent) => sent,
            Err(_) => Err(DeliverFault::Later("the server took too long".to_owned())),
        }
    }

    async fn hand_over(&self, envelope: &Envelope, text: &[u8]) -> Result<(), DeliverFault> {
        let later = |fault: std::io::Error| DeliverFault::Later(fault.to_string());
        let found = Reach::Servers.resolve(&self.smtp.host, self.smtp.port).await.map_err(later)?;
        let (hello, wait) = (ClientId::default(), Some(CONNECT_WAIT_MAX));
        let wrapped = self.tls.clone().filter(|_| self.smtp.wrapped);
        let connected = AsyncSmtpConnection::connect_tokio1(&*found, wait, &hello, wrapped, None);
        let mut connection = connected.await.map_err(|fault| judge(&fault))?;
        let sent = async {
            if let Some(tls) = self.tls.clone().filter(|_| !self.smtp.wrapped) {
                connection.starttls(tls, &hello).await?;
            }
            if let Some(credentials) = &self.credentials {
                connection.auth(DEFAULT_MECHANISMS, credentials).await?;
            }
            connection.send(envelope, text).await
        };
        let sent = sent.await.map(drop).map_err(|fault| judge(&fault));
        connection.abort().await;
        sent
    }

    fn mail(&self, approval: &Approval, link: Option<&str>) -> Result<Message, MailFault> {
        let asked = Question::of(approval);
        let id = format!("<{}@{}>", approval.id, self.from.email.domain());
        // No answer of a machine is wanted (RFC 3834 §5).
        let automatic = HeaderName::new_from_ascii("Auto-Submitted".to_owned())?;
        let mut mail = Message::builder()
            .from(self.from.clone())
            .subject(format!("Lockgate: {} waits for you", asked.what))
            .message_id(Some(id))
            .raw_header(HeaderValue::new(automatic, "auto-generated".to_owned()))
            .header(ContentType::TEXT_PLAIN);
        for to in &self.to {
            mail = mail.to(to.clone());
        }
        Ok(mail.body(words(&asked, &approval.subject.action, link))?)
    }
}

/// Why a mail can't be written.
#[derive(Debug, thiserror::Error)]
enum MailFault {
    #[error("the mail can't be written: {0}")]
    Message(#[from] lettre::error::Error),
    #[error("the mail can't be written: {0}")]
    Header(#[from] lettre::message::header::InvalidHeaderName),
}

fn words(asked: &Question, action: &str, link: Option<&str>) -> String {
    let Question { who, client, what, why, groups, answer_by } = asked;
    let link = link.unwrap_or("the page of Lockgate");
    format!(
        "A call waits for a person.\n\n\
         Caller:    {who} (client {client})\n\
         Call:      {action} of {what}\n\
         Why:       {why}\n\
         Asked:     {groups}\n\
         Answer by: {answer_by}\n\n\
         Read its arguments, and answer, on the page:\n{link}\n\n\
         The link opens the page and decides nothing. Answers to this mail are not read.\n"
    )
}

fn tls(host: &str, settings: &MailSettings) -> Result<TlsParameters, String> {
    let mut tls = TlsParameters::builder(host.to_owned());
    if let Some(path) = &settings.ca {
        let fault = |error: &dyn std::fmt::Display| format!("`{}`: {error}", path.display());
        let pem = std::fs::read(path).map_err(|error| fault(&error))?;
        let trusted = Certificate::from_pem(&pem).map_err(|error| fault(&error))?;
        tls = tls.certificate_store(CertificateStore::None).add_root_certificate(trusted);
    }
    tls.build_rustls().map_err(|error| root(&error))
}

/// What a fault means for the mail (RFC 5321 §4.2.1). The server's own words are left out: they may
/// quote what it was sent.
fn judge(fault: &lettre::transport::smtp::Error) -> DeliverFault {
    match fault.status() {
        Some(code) if fault.is_permanent() => {
            DeliverFault::Never(format!("the server said {code}"))
        }
        Some(code) => DeliverFault::Later(format!("the server said {code}")),
        None => DeliverFault::Later(root(fault)),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::{super::question::tests::hostile, Mail};

    #[test]
    fn a_mail_has_the_headers_that_it_should_and_no_others() {
        let settings = json!({ "name": "ops", "server": "smtps://mail.example.com",
            "from": "Lockgate <lockgate@example.com>", "to": ["ann@example.com", "Bo <bo@example.com>"] });
        let mail = Mail::new(&serde_json::from_value(settings).unwrap(), None).unwrap();
        let link = "https://review.example/approvals/a1";
        let text = mail.mail(&hostile(), Some(link)).unwrap().formatted();
        let text = String::from_utf8(text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        let names: Vec<_> = head
            .lines()
            .filter(|line| !line.starts_with(' '))
            .filter_map(|line| line.split_once(':'))
            .map(|(name, _)| name)
            .collect();
        let mut sorted = names.clone();
        sorted.sort_unstable();
        let expected = [
            "Auto-Submitted",
            "Content-Transfer-Encoding",
            "Content-Type",
            "Date",
            "From",
            "Message-ID",
            "Subject",
            "To",
        ];
        assert_eq!(sorted, expected, "{head}");
        assert!(head.contains("Message-ID: <a1@example.com>"), "{head}");
        assert!(!text.contains("\nBcc:"), "{text}");
        assert!(body.replace("=\r\n", "").contains("review.example/approvals/a1"), "{body}");
    }
}
