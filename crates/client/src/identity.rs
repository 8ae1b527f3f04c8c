//! Who acts, as the request metadata `creditbank-identity` says it.
//!
//! Apart from the connection because how an identity is proved will change, and nothing else here will.

use std::fmt;
use std::str::FromStr;

/// Who acts.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum Identity {
    /// The operator of the credit bank.
    Operator,
    /// An auditor.
    Auditor,
    /// An institution, by id.
    Institution(String),
    /// A learner, by handle.
    Learner(String),
}

impl Identity {
    /// The value of the request metadata.
    #[must_use]
    pub fn metadata(&self) -> String {
        self.to_string()
    }
}

impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Operator => f.write_str("operator"),
            Self::Auditor => f.write_str("auditor"),
            Self::Institution(id) => write!(f, "institution:{id}"),
            Self::Learner(handle) => write!(f, "learner:{handle}"),
        }
    }
}

/// A text that names nobody; the message shows the right form.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct IdentityError(&'static str);

impl FromStr for Identity {
    type Err = IdentityError;

    fn from_str(text: &str) -> Result<Self, IdentityError> {
        match text.split_once(':') {
            None if text == "operator" => Ok(Self::Operator),
            None if text == "auditor" => Ok(Self::Auditor),
            Some(("institution", id)) => institution_id(id).map(Self::Institution),
            Some(("learner", handle)) => handle_text(handle).map(Self::Learner),
            _ => Err(IdentityError(
                "say operator, auditor, institution:ID or learner:HANDLE",
            )),
        }
    }
}

/// Checks an institution's id: 1 to 64 of `A-Z a-z 0-9 . _ -`.
///
/// # Errors
/// [`IdentityError`] for any other text.
pub fn institution_id(text: &str) -> Result<String, IdentityError> {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"._-".contains(&byte);
    if (1..=64).contains(&text.len()) && text.bytes().all(allowed) {
        return Ok(text.to_owned());
    }
    Err(IdentityError(
        "an institution id has 1 to 64 letters, digits, dots, hyphens and underscores",
    ))
}

/// Checks a learner's handle, 32 hexadecimal digits, and writes it as the server does.
///
/// # Errors
/// [`IdentityError`] for any other text.
pub fn handle_text(text: &str) -> Result<String, IdentityError> {
    if text.len() == 32 && text.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        return Ok(text.to_ascii_lowercase());
    }
    Err(IdentityError("a handle has 32 hexadecimal digits"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identities_are_four_forms_and_nothing_else() {
        let id = |text: &str| text.parse::<Identity>().map(|identity| identity.metadata());
        assert_eq!(id("operator").unwrap(), "operator");
        assert_eq!(id("auditor").unwrap(), "auditor");
        assert_eq!(id("institution:a.b-c_1").unwrap(), "institution:a.b-c_1");
        let handle = "0123456789ABCDEF0123456789abcdef";
        assert_eq!(
            id(&format!("learner:{handle}")).unwrap(),
            "learner:0123456789abcdef0123456789abcdef"
        );
        for wrong in [
            "",
            "root",
            "institution:",
            "institution:样",
            "learner:12",
            "operator:",
        ] {
            assert!(id(wrong).is_err(), "{wrong}");
        }
    }
}
