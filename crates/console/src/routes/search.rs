//! What can be asked of the lists, and the shape in which each answers.

use axum::response::Response;
use http::{HeaderMap, Uri};
use lockgate_model::Reason;
use lockgate_store::index::{self, VerdictKind};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use crate::{
    page,
    problem::{Code, Problem},
    query::{Limit, Time},
};

/// Parameters of a list; every list is paged the same way.
macro_rules! search {
    ($(#[doc = $doc:literal])+ $name:ident { $($(#[$meta:meta])+ $field:ident: $type:ty,)+ }) => {
        $(#[doc = $doc])+
        #[derive(Deserialize, IntoParams)]
        #[into_params(parameter_in = Query)]
        #[serde(deny_unknown_fields)]
        pub(crate) struct $name {
            $($(#[$meta])+ pub(super) $field: $type,)+
            /// Not before this point.
            #[param(inline)]
            pub(super) from: Option<Time>,
            /// Before this point.
            #[param(inline)]
            pub(super) to: Option<Time>,
            /// Where to go on: `next` of the page before.
            #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
            pub(super) cursor: Option<String>,
            /// Rows of the answer.
            #[serde(default)]
            #[param(inline)]
            pub(super) limit: Limit,
        }
    };
}

search! {
    /// Which sessions are looked for: all that is given must hold.
    SessionSearch {
        /// Issuer's short name.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        issuer: Option<String>,
        /// The token's subject.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        subject: Option<String>,
        /// A qualified group name, `issuer/name`.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        group: Option<String>,
        /// The OAuth client.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        client: Option<String>,
        /// The connection.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        connection: Option<String>,
        /// Tool, resource, prompt or task.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        tool: Option<String>,
        /// What was decided: `allow`, `ask` or `deny`.
        #[param(value_type = Option<String>, pattern = "^(allow|ask|deny)$")]
        verdict: Option<VerdictKind>,
        /// Id of a deciding policy.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        policy: Option<String>,
        /// A fact, or one above it: `sql` finds `sql.write`.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        fact: Option<String>,
        /// W3C trace id.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        trace: Option<String>,
        /// Words of arguments and answers: all must occur; `"in a row"`, and `begin*`.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        text: Option<String>,
        /// Only those that are still open, or only those that are not.
        open: Option<bool>,
    }
}

search! {
    /// Which calls are looked for: all that is given must hold.
    CallSearch {
        /// Issuer's short name.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        issuer: Option<String>,
        /// The token's subject.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        subject: Option<String>,
        /// A qualified group name, `issuer/name`.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        group: Option<String>,
        /// The OAuth client.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        client: Option<String>,
        /// The connection.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        connection: Option<String>,
        /// The session.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        session: Option<String>,
        /// Tool, resource, prompt or task.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        tool: Option<String>,
        /// What was decided: `allow`, `ask` or `deny`.
        #[param(value_type = Option<String>, pattern = "^(allow|ask|deny)$")]
        verdict: Option<VerdictKind>,
        /// Why it was denied, or did not end well: a stable code.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        reason: Option<String>,
        /// Id of a deciding policy.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        policy: Option<String>,
        /// A fact, or one above it: `sql` finds `sql.write`.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        fact: Option<String>,
        /// W3C trace id.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        trace: Option<String>,
        /// Words of arguments and answers: all must occur; `"in a row"`, and `begin*`.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        text: Option<String>,
    }
}

search! {
    /// Which refused requests are looked for: all that is given must hold.
    RefusalSearch {
        /// The stable code.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        reason: Option<String>,
        /// The connection.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        connection: Option<String>,
        /// Issuer and subject, `issuer/subject`.
        #[param(max_length = 512, pattern = r"^[^\x00\ufffd]+$")]
        identity: Option<String>,
    }
}

/// One page of a list.
#[derive(Serialize, ToSchema)]
pub(crate) struct Listing<T> {
    /// Newest first.
    rows: Vec<T>,
    /// What to give as `cursor` for the next page; absent where there is no more.
    #[serde(skip_serializing_if = "Option::is_none")]
    next: Option<String>,
}

impl<T: Serialize> Listing<T> {
    /// The answer, with its link to the next page.
    ///
    /// # Errors
    /// [`Code::Internal`]
    pub(super) fn answer<R: Into<T>>(
        found: index::Listing<R>,
        headers: &HeaderMap,
        uri: &Uri,
    ) -> Result<Response, Problem> {
        let rows = found.rows.into_iter().map(Into::into).collect();
        let listing = Self { rows, next: found.next.map(|cursor| cursor.to_string()) };
        let mut response = page::json(headers, &listing)?;
        if let Some(next) = &listing.next {
            page::link_next(&mut response, uri, "cursor", next);
        }
        Ok(response)
    }
}

/// The reason with this code.
///
/// # Errors
/// [`Code::QueryInvalid`]
pub(super) fn reason(code: &str) -> Result<Reason, Problem> {
    let known = Reason::ALL.iter().find(|reason| reason.code() == code);
    known.copied().ok_or_else(|| Problem::new(Code::QueryInvalid, "`reason` is no known code"))
}
