//! The same client under the object store library, which then needs no HTTP client of its own.

use std::{error::Error, future::Future, pin::Pin};

use http_body_util::BodyExt as _;
use object_store::{
    ClientOptions,
    client::{
        HttpClient, HttpConnector, HttpError, HttpErrorKind, HttpRequest, HttpResponse,
        HttpResponseBody, HttpService,
    },
};

use super::{Client, ClientFault};

type Answer<'a> = Pin<Box<dyn Future<Output = Result<HttpResponse, HttpError>> + Send + 'a>>;

impl HttpService for Client {
    // As the library's `async_trait` spells it.
    fn call<'s, 'a>(&'s self, request: HttpRequest) -> Answer<'a>
    where
        's: 'a,
        Self: 'a,
    {
        Box::pin(async move {
            let answer = self.send(request).await.map_err(fault)?;
            let (head, body) = answer.into_parts();
            let body = body.map_err(|error| HttpError::new(HttpErrorKind::Interrupted, error));
            Ok(HttpResponse::from_parts(head, HttpResponseBody::new(body)))
        })
    }
}

impl HttpConnector for Client {
    fn connect(&self, _: &ClientOptions) -> object_store::Result<HttpClient> {
        Ok(HttpClient::new(self.clone()))
    }
}

/// The kind decides what the library sends again: everything here is idempotent, an object under
/// its own name.
fn fault(fault: ClientFault) -> HttpError {
    let kind = match &fault {
        ClientFault::Slow => HttpErrorKind::Timeout,
        ClientFault::Broken(error) if error.is_connect() => HttpErrorKind::Connect,
        ClientFault::Broken(error) if was_cut(error) => HttpErrorKind::Interrupted,
        ClientFault::Broken(_) => HttpErrorKind::Unknown,
    };
    HttpError::new(kind, fault)
}

fn was_cut(error: &(dyn Error + 'static)) -> bool {
    let mut cause = Some(error);
    while let Some(error) = cause {
        if let Some(error) = error.downcast_ref::<hyper::Error>()
            && (error.is_closed() || error.is_incomplete_message() || error.is_body_write_aborted())
        {
            return true;
        }
        if error.is::<std::io::Error>() {
            return true;
        }
        cause = error.source();
    }
    false
}
