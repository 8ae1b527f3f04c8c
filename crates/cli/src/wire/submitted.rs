//! What institutions send: achievements and learners, a line of JSON each.
//!
//! Apart from the registry's messages because these come in files of thousands of lines, and from the
//! answers because an unknown key here is somebody's mistake.

use api::v1;
use api::v1::learner_reference::Reference;
use serde::{Deserialize, Serialize};

use super::{FromWire, ToWire, mirror};

mirror! {
    /// A text in a language.
    Text = Text { value: String, language: String }
}

mirror! {
    /// A level in a framework.
    Level = Level { framework: String, code: String }
}

mirror! {
    /// How much an achievement is worth to its issuer.
    Size = Size { amount: String, unit: String }
}

mirror! {
    /// An identity document.
    Document = Document { kind: String, number: String }
}

mirror! {
    /// A student number at an institution.
    StudentNumber = StudentNumber { institution_id: String, number: String }
}

mirror! {
    /// A document and what must agree with it.
    DocumentIdentity = DocumentIdentity {
        document: Option<Document>,
        name: String,
        birth_date: String,
    }
}

mirror! {
    /// A result.
    Grade = Result { value: String, scale: String, subject: String }
}

mirror! {
    /// Evidence held elsewhere.
    Evidence = Evidence { uri: String, digest: String }
}

mirror! {
    /// A record by its issuer's name for it.
    RecordName = RecordName { issuer_id: String, record_id: String }
}

mirror! {
    /// What an institution says a learner achieved: a line of `submit`.
    Achievement = Achievement {
        issuer_id: String,
        record_id: String,
        learner: Option<LearnerReference>,
        r#type: String,
        code: String,
        titles: Vec<Text>,
        size: Option<Size>,
        level: Option<Level>,
        field: String,
        source_kind: String,
        delivery: String,
        origin: Origin,
        source: Option<RecordName>,
        part_of: Option<RecordName>,
        offering: String,
        attempt: u32,
        results: Vec<Grade>,
        study_from: String,
        study_until: String,
        awarded: String,
        expires: String,
        tier: String,
        outcomes: Vec<String>,
        evidence: Vec<Evidence>,
        replaces: Option<RecordName>,
        signature: Option<IssuerSignature>,
    }
}

mirror! {
    /// An issuer's signature: the bytes in hexadecimal.
    IssuerSignature = IssuerSignature {
        key_id: String,
        statement: HexBytes,
        signature: HexBytes,
    }
}

/// Bytes in lower-case hexadecimal, read and shown.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub(crate) struct HexBytes(String);

impl HexBytes {
    /// All digits.
    pub(crate) fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for HexBytes {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        match bytes_of_hex(&text) {
            Some(bytes) => Ok(FromWire::from_wire(bytes)),
            None => Err("bytes are an even number of hexadecimal digits"),
        }
    }
}

impl From<HexBytes> for String {
    fn from(bytes: HexBytes) -> String {
        bytes.0
    }
}

impl ToWire<Vec<u8>> for HexBytes {
    fn to_wire(self) -> Vec<u8> {
        bytes_of_hex(&self.0).unwrap_or_default()
    }
}

impl FromWire<Vec<u8>> for HexBytes {
    fn from_wire(wire: Vec<u8>) -> Self {
        Self(wire.iter().map(|byte| format!("{byte:02x}")).collect())
    }
}

/// The bytes that hexadecimal digits stand for.
pub(crate) fn bytes_of_hex(text: &str) -> Option<Vec<u8>> {
    let digits: Option<Vec<u32>> = text.chars().map(|digit| digit.to_digit(16)).collect();
    let pairs = digits.filter(|digits| digits.len().is_multiple_of(2))?;
    let byte = |pair: &[u32]| match pair {
        [high, low] => u8::try_from(high * 16 + low).ok(),
        _ => None,
    };
    pairs.chunks(2).map(byte).collect()
}

mirror! {
    /// A learner's attributes.
    Profile = LearnerProfile {
        names: Vec<Text>,
        documents: Vec<Document>,
        birth_date: String,
        region: String,
    }
}

mirror! {
    /// A learner to register: a line of `learner register`.
    RegisterLearner = RegisterLearnerRequest {
        profile: Option<Profile>,
        students: Vec<StudentNumber>,
        request_id: String,
    }
}

/// Who a record is about: exactly one of three.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case", try_from = "Given")]
pub(crate) enum LearnerReference {
    /// The learner's handle.
    Handle(String),
    /// A student number.
    Student(StudentNumber),
    /// A document.
    Document(DocumentIdentity),
}

/// The three as keys of an object, so that two of them, or none, is said in words of its own.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Given {
    handle: Option<String>,
    student: Option<StudentNumber>,
    document: Option<DocumentIdentity>,
}

impl TryFrom<Given> for LearnerReference {
    type Error = &'static str;

    fn try_from(given: Given) -> Result<Self, Self::Error> {
        match (given.handle, given.student, given.document) {
            (Some(handle), None, None) => Ok(Self::Handle(handle)),
            (None, Some(student), None) => Ok(Self::Student(student)),
            (None, None, Some(document)) => Ok(Self::Document(document)),
            _ => Err("a learner is named by exactly one of `handle`, `student` and `document`"),
        }
    }
}

impl ToWire<v1::LearnerReference> for LearnerReference {
    fn to_wire(self) -> v1::LearnerReference {
        let reference = match self {
            Self::Handle(handle) => Reference::Handle(handle),
            Self::Student(student) => Reference::Student(student.to_wire()),
            Self::Document(document) => Reference::Document(document.to_wire()),
        };
        v1::LearnerReference {
            reference: Some(reference),
        }
    }
}

impl FromWire<v1::LearnerReference> for LearnerReference {
    fn from_wire(wire: v1::LearnerReference) -> Self {
        match wire.reference {
            Some(Reference::Handle(handle)) => Self::Handle(handle),
            Some(Reference::Student(student)) => Self::Student(FromWire::from_wire(student)),
            Some(Reference::Document(document)) => Self::Document(FromWire::from_wire(document)),
            // A reference of none of these kinds is an empty handle, which names nobody.
            None => Self::Handle(String::new()),
        }
    }
}

/// How an achievement came about.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(crate) enum Origin {
    /// Not given: the same as earned.
    #[default]
    #[serde(skip)]
    Unspecified,
    /// Earned by study.
    Earned,
    /// Assessed prior learning.
    Assessed,
    /// Transferred from elsewhere.
    Transferred,
    /// Exempted.
    Exempted,
}

impl ToWire<i32> for Origin {
    fn to_wire(self) -> i32 {
        i32::from(match self {
            Self::Unspecified => v1::Origin::Unspecified,
            Self::Earned => v1::Origin::Earned,
            Self::Assessed => v1::Origin::Assessed,
            Self::Transferred => v1::Origin::Transferred,
            Self::Exempted => v1::Origin::Exempted,
        })
    }
}

impl FromWire<i32> for Origin {
    fn from_wire(wire: i32) -> Self {
        match v1::Origin::try_from(wire) {
            Ok(v1::Origin::Earned) => Self::Earned,
            Ok(v1::Origin::Assessed) => Self::Assessed,
            Ok(v1::Origin::Transferred) => Self::Transferred,
            Ok(v1::Origin::Exempted) => Self::Exempted,
            Ok(v1::Origin::Unspecified) | Err(_) => Self::Unspecified,
        }
    }
}
