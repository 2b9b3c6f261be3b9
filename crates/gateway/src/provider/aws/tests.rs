//! What AWS's answers mean. That it understands what is asked is tested from outside.

use http::StatusCode;

use super::{ProviderFault, judge};

#[test]
fn what_an_answer_means_is_told_by_its_name() {
    let rows = [
        (400, r#"{"__type":"ResourceNotFoundException","Message":"canary"}"#, "missing"),
        (400, r#"{"__type":"com.amazonaws.kms#NotFoundException"}"#, "missing"),
        (400, r#"{"__type":"AccessDeniedException:http://internal/"}"#, "refused"),
        (400, r#"{"__type":"UnrecognizedClientException"}"#, "refused"),
        (403, r#"{"__type":"InvalidSignatureException"}"#, "refused"),
        (400, r#"{"__type":"ThrottlingException"}"#, "later"),
        (400, r#"{"__type":"LimitExceededException"}"#, "later"),
        (500, r#"{"__type":"InternalServiceError"}"#, "later"),
        (500, r#"{"__type":"AccessDeniedException"}"#, "later"),
        (403, "", "refused"),
        // Whatever else may answer there is not believed.
        (400, "<html>canary</html>", "later"),
        (400, r#"{"__type":"a canary, with words"}"#, "later"),
        (302, "", "later"),
        (204, "", "later"),
    ];
    for (status, answer, meant) in rows {
        let fault = judge(StatusCode::from_u16(status).unwrap(), answer.as_bytes()).unwrap_err();
        let heard = match &fault {
            ProviderFault::Missing(_) => "missing",
            ProviderFault::Refused(_) => "refused",
            ProviderFault::Unreachable(_) => "later",
        };
        assert_eq!(heard, meant, "{status} {answer}");
        assert!(!fault.to_string().contains("canary"), "{fault}");
    }
    judge(StatusCode::OK, b"").unwrap();
}
