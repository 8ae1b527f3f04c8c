//! Who may call what: one table of every call and the roles that may make it, and the guard that stands
//! before every service (see `transport`).
//!
//! Apart from the services so that none can forget it: a call that is not in the table, or not for the
//! caller's role, is refused before its message is read. What an institution may do to *which* record or
//! learner is decided further in, by the ledger and by `services::sight`.

use std::convert::Infallible;

use tonic::body::Body;
use tonic::codegen::{BoxFuture, Service, http};
use tonic::{Code, Status};

use crate::identity::{Identity, Role};
use crate::status::Explanation;

const OPERATOR: &[Role] = &[Role::Operator];
const AUDITOR: &[Role] = &[Role::Auditor];
const INSTITUTION: &[Role] = &[Role::Institution];
const REGISTRARS: &[Role] = &[Role::Operator, Role::Institution];
const ACCOUNT: &[Role] = &[Role::Operator, Role::Institution, Role::Learner];
const ALL: &[Role] = &Role::ALL;

/// Every call, sorted by its path, with the roles that may make it. What is not here is not implemented.
const TABLE: [(&str, &[Role]); 43] = [
    ("creditbank.v1.AccountService/GetBalance", ACCOUNT),
    ("creditbank.v1.AccountService/GetStatement", ACCOUNT),
    ("creditbank.v1.AccountService/Watch", ACCOUNT),
    ("creditbank.v1.AuditService/GetHead", ALL),
    ("creditbank.v1.AuditService/ReadRecords", AUDITOR),
    ("creditbank.v1.AuditService/Subscribe", AUDITOR),
    ("creditbank.v1.LearnerService/EraseLearner", OPERATOR),
    ("creditbank.v1.LearnerService/GetLearner", REGISTRARS),
    ("creditbank.v1.LearnerService/LinkIdentity", REGISTRARS),
    (
        "creditbank.v1.LearnerService/ListPendingLearners",
        REGISTRARS,
    ),
    ("creditbank.v1.LearnerService/MergeLearners", REGISTRARS),
    ("creditbank.v1.LearnerService/RegisterLearner", REGISTRARS),
    ("creditbank.v1.LearnerService/SeparateLearners", REGISTRARS),
    ("creditbank.v1.LearnerService/UnlinkIdentity", REGISTRARS),
    ("creditbank.v1.LearnerService/UpdateLearner", REGISTRARS),
    (
        "creditbank.v1.RecordService/BatchSubmitRecords",
        INSTITUTION,
    ),
    ("creditbank.v1.RecordService/GetRecord", INSTITUTION),
    ("creditbank.v1.RecordService/ListRecords", INSTITUTION),
    ("creditbank.v1.RecordService/ReassignRecord", INSTITUTION),
    ("creditbank.v1.RecordService/ReinstateRecords", INSTITUTION),
    ("creditbank.v1.RecordService/RevokeRecords", INSTITUTION),
    (
        "creditbank.v1.RecordService/StreamSubmitRecords",
        INSTITUTION,
    ),
    ("creditbank.v1.RecordService/SubmitRecord", INSTITUTION),
    ("creditbank.v1.RecordService/SupersedeRecord", INSTITUTION),
    ("creditbank.v1.RecordService/SuspendRecords", INSTITUTION),
    (
        "creditbank.v1.RegistryService/AddInstitutionKey",
        REGISTRARS,
    ),
    (
        "creditbank.v1.RegistryService/ChangeInstitutionState",
        OPERATOR,
    ),
    (
        "creditbank.v1.RegistryService/DelegateInstitution",
        REGISTRARS,
    ),
    ("creditbank.v1.RegistryService/GetCodeList", ALL),
    ("creditbank.v1.RegistryService/GetInstitution", ALL),
    ("creditbank.v1.RegistryService/ListCourses", ALL),
    ("creditbank.v1.RegistryService/ListCreditUnits", ALL),
    ("creditbank.v1.RegistryService/ListFrameworks", ALL),
    ("creditbank.v1.RegistryService/ListInstitutions", ALL),
    ("creditbank.v1.RegistryService/ListIntakeWindows", ALL),
    ("creditbank.v1.RegistryService/PublishCodeList", OPERATOR),
    ("creditbank.v1.RegistryService/PublishCourse", REGISTRARS),
    ("creditbank.v1.RegistryService/PublishCreditUnit", OPERATOR),
    ("creditbank.v1.RegistryService/PublishFramework", OPERATOR),
    (
        "creditbank.v1.RegistryService/PublishIntakeWindow",
        OPERATOR,
    ),
    (
        "creditbank.v1.RegistryService/RegisterInstitution",
        OPERATOR,
    ),
    (
        "creditbank.v1.RegistryService/RevokeInstitutionKey",
        REGISTRARS,
    ),
    ("creditbank.v1.RegistryService/UpdateInstitution", OPERATOR),
];

/// The roles that may make this call; `None` for a call that is unknown.
#[must_use]
pub fn allowed(call: &str) -> Option<&'static [Role]> {
    TABLE
        .binary_search_by_key(&call, |(known, _)| known)
        .ok()
        .map(|found| TABLE[found].1)
}

/// A call by the name that the table has for it; `None` for a call that is unknown.
pub(crate) fn known(call: &str) -> Option<&'static str> {
    let found = TABLE.binary_search_by_key(&call, |(known, _)| known);
    found.ok().map(|found| TABLE[found].0)
}

/// Who calls, if they may make this call. `path` is that of the request, `/package.Service/Method`.
///
/// # Errors
/// UNIMPLEMENTED for a call that is unknown, UNAUTHENTICATED without an identity, PERMISSION_DENIED for
/// another role.
pub fn admit(path: &str, headers: &http::HeaderMap) -> Result<Identity, Status> {
    let call = path.strip_prefix('/').unwrap_or(path);
    let Some(roles) = allowed(call) else {
        let sentence =
            format!("there is no call {call} here; reflection lists those that there are");
        return Err(Explanation::new(Code::Unimplemented, "UNKNOWN_CALL", sentence).status());
    };
    let identity = Identity::of(headers)?;
    if roles.contains(&identity.role()) {
        return Ok(identity);
    }
    tracing::warn!(call, role = identity.role().word(), "denied");
    let words: Vec<&str> = roles.iter().map(|role| role.word()).collect();
    let who = words.join(" or ");
    let sentence = format!("{call} is for {who}, not for {}", identity.role().word());
    let explanation = Explanation::new(Code::PermissionDenied, "ROLE_NOT_ALLOWED", sentence)
        .with("role", identity.role().word())
        .with("allowed", who);
    Err(explanation.status())
}

/// What a service answers, if the caller may ask it: what gets through carries its [`Identity`] as an
/// extension. The service refuses messages of more than `message_bytes_max` bytes.
pub fn guarded<S>(
    service: &mut S,
    mut request: http::Request<Body>,
    message_bytes_max: usize,
) -> Answer
where
    S: Service<http::Request<Body>, Response = http::Response<Body>, Error = Infallible>,
    S::Future: Send + 'static,
{
    let identity = match admit(request.uri().path(), request.headers()) {
        Ok(identity) => identity,
        Err(status) => return refused(status),
    };
    request.extensions_mut().insert(identity);
    let answered = service.call(request);
    Box::pin(async move {
        answered
            .await
            .map(|answer| explained_answer(answer, message_bytes_max))
    })
}

/// A response in the making.
pub type Answer = BoxFuture<http::Response<Body>, Infallible>;

/// A "no" as the answer.
pub fn refused(status: Status) -> Answer {
    Box::pin(std::future::ready(Ok(status.into_http())))
}

fn explained_answer(
    answer: http::Response<Body>,
    message_bytes_max: usize,
) -> http::Response<Body> {
    match answer.extensions().get::<Status>() {
        Some(status) => match in_words_of_ours(status, message_bytes_max) {
            Some(status) => status.into_http(),
            None => answer,
        },
        None => answer,
    }
}

/// The status of a message that could not be read from a stream.
#[must_use]
pub fn explained(status: &Status, message_bytes_max: usize) -> Status {
    in_words_of_ours(status, message_bytes_max).unwrap_or_else(|| status.clone())
}

/// The transport refuses long and unreadable messages in words of its own; clients get a reason as from
/// any other "no".
fn in_words_of_ours(status: &Status, message_bytes_max: usize) -> Option<Status> {
    let said = status.message();
    if status.code() == Code::OutOfRange && said.contains("message length too large") {
        let sentence = format!(
            "the message has more than {message_bytes_max} bytes: send several smaller batches"
        );
        let long = Explanation::new(Code::ResourceExhausted, "MESSAGE_TOO_LARGE", sentence);
        return Some(long.with("limit", message_bytes_max).status());
    }
    let unreadable = ["failed to decode Protobuf message", "tonic-web: "];
    let unreadable = unreadable.iter().any(|words| said.starts_with(words));
    if status.code() == Code::Internal && unreadable {
        let sentence = format!("the message is not of the API: {said}");
        let unreadable = Explanation::new(Code::InvalidArgument, "MALFORMED", sentence);
        return Some(unreadable.status());
    }
    None
}

#[cfg(test)]
mod tests {
    use std::fmt::Write;

    use expect_test::expect_file;
    use prost::Message;

    use super::*;

    #[test]
    fn the_table_is_sorted_and_names_every_call_of_the_api() {
        let known: Vec<&str> = TABLE.iter().map(|(call, _)| *call).collect();
        assert!(known.is_sorted(), "binary search needs an order");
        let files = prost_types::FileDescriptorSet::decode(api::FILE_DESCRIPTOR_SET).unwrap();
        let mut calls = Vec::new();
        for file in files
            .file
            .iter()
            .filter(|file| file.package() == "creditbank.v1")
        {
            for service in &file.service {
                let name = service.name();
                let call = |method: &prost_types::MethodDescriptorProto| {
                    format!("creditbank.v1.{name}/{}", method.name())
                };
                calls.extend(service.method.iter().map(call));
            }
        }
        calls.sort();
        assert_eq!(known, calls);
    }

    #[test]
    fn the_table_reads() {
        let mut table = format!("{:<56}", "call");
        for role in Role::ALL {
            write!(table, "{:<12}", role.word()).unwrap();
        }
        for (call, roles) in TABLE {
            write!(table, "\n{call:<56}").unwrap();
            for role in Role::ALL {
                write!(
                    table,
                    "{:<12}",
                    if roles.contains(&role) { "yes" } else { "-" }
                )
                .unwrap();
            }
        }
        let lines: Vec<&str> = table.lines().map(str::trim_end).collect();
        expect_file!["snapshots/access.txt"].assert_eq(&(lines.join("\n") + "\n"));
    }

    #[test]
    fn what_is_not_in_the_table_is_refused() {
        let mut headers = http::HeaderMap::new();
        headers.insert(
            "creditbank-identity",
            http::HeaderValue::from_static("operator"),
        );
        let unknown = admit("/creditbank.v1.RecordService/DropEverything", &headers).unwrap_err();
        assert_eq!(unknown.code(), Code::Unimplemented);
        let unknown = admit("/creditbank.v1.RecordService/", &http::HeaderMap::new()).unwrap_err();
        assert_eq!(unknown.code(), Code::Unimplemented);
        let denied = admit("/creditbank.v1.RecordService/SubmitRecord", &headers).unwrap_err();
        let said = "creditbank.v1.RecordService/SubmitRecord is for institution, not for operator";
        assert_eq!(denied.message(), said);
        assert!(admit("/creditbank.v1.LearnerService/EraseLearner", &headers).is_ok());
    }
}
