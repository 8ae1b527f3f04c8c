//! Who calls: the one type for it, and how it is read from a request.
//!
//! Apart from `access`, which says what each may do, because how an identity is *proved* will change:
//! today the caller says it in the metadata, on a loopback address only; later a certificate or a token
//! does. Nothing but this file and the guard that calls it will notice.

use ledger::{Actor, Handle, InstitutionId};
use tonic::codegen::http::HeaderMap;
use tonic::{Code, Status};

use crate::status::Explanation;

/// The metadata key.
pub const IDENTITY_KEY: &str = "creditbank-identity";

/// Who calls.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Identity {
    /// The operator of the credit bank.
    Operator,
    /// An auditor.
    Auditor,
    /// An institution; registered or not is the ledger's to say.
    Institution(InstitutionId),
    /// A learner.
    Learner(Handle),
}

/// What the table of access is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// See [`Identity::Operator`].
    Operator,
    /// See [`Identity::Auditor`].
    Auditor,
    /// See [`Identity::Institution`].
    Institution,
    /// See [`Identity::Learner`].
    Learner,
}

impl Role {
    /// Every role.
    pub const ALL: [Role; 4] = [
        Role::Operator,
        Role::Auditor,
        Role::Institution,
        Role::Learner,
    ];

    /// The word for it.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Operator => "operator",
            Self::Auditor => "auditor",
            Self::Institution => "institution",
            Self::Learner => "learner",
        }
    }
}

impl Identity {
    /// The role it acts in.
    #[must_use]
    pub fn role(&self) -> Role {
        match self {
            Self::Operator => Role::Operator,
            Self::Auditor => Role::Auditor,
            Self::Institution(_) => Role::Institution,
            Self::Learner(_) => Role::Learner,
        }
    }

    /// Who acts towards the ledger; auditors and learners change nothing.
    #[must_use]
    pub fn actor(&self) -> Option<Actor> {
        match self {
            Self::Operator => Some(Actor::Operator),
            Self::Institution(id) => Some(Actor::Institution(id.clone())),
            Self::Auditor | Self::Learner(_) => None,
        }
    }

    /// The institution that a message means when it names none; the operator's empty id otherwise.
    #[must_use]
    pub fn acting(&self) -> InstitutionId {
        match self {
            Self::Institution(id) => id.clone(),
            _ => InstitutionId::operator(),
        }
    }

    /// Who calls, from the metadata of a request.
    ///
    /// # Errors
    /// UNAUTHENTICATED with what to send, when the entry is missing, repeated or malformed.
    pub fn of(headers: &HeaderMap) -> Result<Self, Status> {
        let mut values = headers.get_all(IDENTITY_KEY).iter();
        let (first, more) = (values.next(), values.next());
        let Some(first) = first else {
            return Err(unauthenticated("IDENTITY_MISSING"));
        };
        let text = first.to_str().ok().filter(|_| more.is_none());
        text.and_then(Self::parse)
            .ok_or_else(|| unauthenticated("IDENTITY_MALFORMED"))
    }

    fn parse(text: &str) -> Option<Self> {
        match text.split_once(':') {
            None if text == "operator" => Some(Self::Operator),
            None if text == "auditor" => Some(Self::Auditor),
            // The empty id is the operator's, who is not to be had this way.
            Some(("institution", id)) if !id.is_empty() => id.parse().ok().map(Self::Institution),
            Some(("learner", handle)) => handle.parse().ok().map(Self::Learner),
            _ => None,
        }
    }
}

fn unauthenticated(reason: &'static str) -> Status {
    let problem = match reason {
        "IDENTITY_MISSING" => "the call does not say who acts",
        _ => "the call does not say clearly who acts",
    };
    let sentence = format!(
        "{problem}: send the metadata {IDENTITY_KEY} once, as operator, auditor, institution:ID or \
         learner:HANDLE"
    );
    Explanation::new(Code::Unauthenticated, reason, sentence).status()
}

#[cfg(test)]
mod tests {
    use tonic::codegen::http::HeaderValue;

    use super::*;

    fn read(values: &[&str]) -> Result<Identity, String> {
        let mut headers = HeaderMap::new();
        for value in values {
            headers.append(
                IDENTITY_KEY,
                HeaderValue::from_bytes(value.as_bytes()).unwrap(),
            );
        }
        Identity::of(&headers).map_err(|status| status.message().to_owned())
    }

    #[test]
    fn each_role_is_said_in_one_way() {
        assert_eq!(read(&["operator"]), Ok(Identity::Operator));
        assert_eq!(read(&["auditor"]), Ok(Identity::Auditor));
        let id = "open.university-1".parse().unwrap();
        assert_eq!(
            read(&["institution:open.university-1"]),
            Ok(Identity::Institution(id))
        );
        let handle = Handle([0xab; 16]);
        assert_eq!(
            read(&[&format!("learner:{handle}")]),
            Ok(Identity::Learner(handle))
        );
    }

    #[test]
    fn anything_else_is_told_what_to_send() {
        for values in [
            &["Operator"][..],
            &["institution:"],
            &["institution:no spaces"],
            &["institution:ü"],
            &["learner:00000000000000000000000000000000"],
            &["learner:ab"],
            &["operator:"],
            &["auditor", "operator"],
            &[""],
        ] {
            let said = read(values).unwrap_err();
            assert!(
                said.contains("institution:ID or learner:HANDLE"),
                "{values:?}: {said}"
            );
        }
        assert!(
            read(&[])
                .unwrap_err()
                .starts_with("the call does not say who acts: send")
        );
    }
}
