//! Events of every kind, well-formed enough to be encoded, drawn from bytes.
//!
//! One generator serves random tests (bytes from `proptest`, which shrink to plain events), pinned
//! encodings (bytes from a counter) and fuzzing (bytes from the fuzzer). Other crates' tests may include
//! this file by its path.

#![allow(
    dead_code,
    reason = "each test binary that includes this file uses a part of it"
)]

use std::sync::Arc;

use ledger::event::{
    AchievementReassigned, AchievementReceived, AchievementStatus, AchievementSuperseded,
    Counterpart, InstitutionStatus, KeyRevocation, LearnerErased, LearnerRegistered, LedgerOpened,
    Opening,
};
use ledger::words::{
    Achievement, AchievementResult, CodeList, Course, CreditUnit, Delegation, Document,
    DocumentIdentity, Evidence, Framework, InstitutionKey, InstitutionProfile, IntakeWindow,
    LearnerProfile, LearnerReference, Level, Origin, PendingReason, ProvisionalReference,
    RecordName, Scope, Size, Span, StudentNumber, Text, UnitKind,
};
use ledger::{
    Body, Credits, Date, Event, Handle, InstitutionId, IssuerSignature, IssuerStatement, Key,
};
use proptest::prelude::{Strategy, any};

/// Number of kinds of events.
pub(crate) const KINDS: u64 = 31;
/// Number of kinds, the first of them, that were there before issuers signed: their pinned encodings stay.
const KINDS_UNSIGNED: u64 = 29;

/// Random events.
pub(crate) fn events() -> impl Strategy<Value = Event> {
    let bytes = proptest::collection::vec(any::<u8>(), 0..600);
    bytes.prop_map(|bytes| event(&mut Draw::new(bytes)))
}

/// The event with this number: always the same one, and every kind in turn.
pub(crate) fn nth_event(n: u64) -> Event {
    let mut bytes = vec![0; 1_024];
    blake3::Hasher::new()
        .update(&n.to_be_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    let mut draw = Draw::new(bytes);
    event_of(&mut draw, n % KINDS_UNSIGNED)
}

/// The same of what came with signatures: keys, and signed contents.
pub(crate) fn nth_signed(n: u64) -> Event {
    let mut bytes = vec![0; 2_048];
    blake3::Hasher::new()
        .update(b"signed")
        .update(&n.to_be_bytes())
        .finalize_xof()
        .fill(&mut bytes);
    let mut draw = Draw::new(bytes);
    let kind = draw.pick(&[1, 2, 22, 23, 28, 29, 30]);
    let mut event = event_of(&mut draw, kind);
    sign(&mut draw, &mut event.body);
    event
}

/// One of each kind, by the generator's own number.
pub(crate) fn event_of_kind(kind: u64) -> Event {
    event_of(&mut Draw::new(vec![]), kind)
}

/// Choices read from bytes; once they are used up, the first choice is always taken.
pub(crate) struct Draw {
    bytes: std::vec::IntoIter<u8>,
}

impl Draw {
    pub(crate) fn new(bytes: Vec<u8>) -> Draw {
        Draw {
            bytes: bytes.into_iter(),
        }
    }

    fn byte(&mut self) -> u8 {
        self.bytes.next().unwrap_or(0)
    }

    pub(crate) fn below(&mut self, n: u64) -> u64 {
        (u64::from(self.byte()) * 256 + u64::from(self.byte())) % n
    }

    fn flag(&mut self) -> bool {
        self.byte() % 2 == 1
    }

    fn pick<T: Clone>(&mut self, choices: &[T]) -> T {
        let n = u64::try_from(choices.len()).unwrap();
        choices[usize::try_from(self.below(n)).unwrap()].clone()
    }

    fn option<T>(&mut self, draw: impl FnOnce(&mut Draw) -> T) -> Option<T> {
        self.flag().then(|| draw(self))
    }

    fn list<T>(&mut self, mut draw: impl FnMut(&mut Draw) -> T) -> Vec<T> {
        (0..self.below(4)).map(|_| draw(self)).collect()
    }

    fn array<const N: usize>(&mut self) -> [u8; N] {
        std::array::from_fn(|_| self.byte())
    }
}

pub(crate) fn event(draw: &mut Draw) -> Event {
    let kind = draw.below(KINDS);
    let mut event = event_of(draw, kind);
    if draw.flag() {
        sign(draw, &mut event.body);
    }
    event
}

/// Signs what can be signed; drawn last, so that it changes nothing of what is drawn before.
fn sign(draw: &mut Draw, body: &mut Body) {
    match body {
        Body::InstitutionRegistered(profile) | Body::InstitutionUpdated(profile) => {
            profile.signatures_required = true;
        }
        Body::AchievementRecorded(new) => new.signature = Some(signature(draw)),
        Body::AchievementSuperseded(new) => new.signature = Some(signature(draw)),
        Body::AchievementReceived(received) => received.signature = Some(signature(draw)),
        _ => {}
    }
}

/// Of any statement, by nobody.
fn signature(draw: &mut Draw) -> Arc<IssuerSignature> {
    let statement = statement(draw);
    let bytes = ledger::codec::encode_statement(&statement);
    let signature: [u8; 64] = draw.array();
    Arc::new(IssuerSignature::read(text(draw), bytes, signature).unwrap())
}

pub(crate) fn statement(draw: &mut Draw) -> IssuerStatement {
    let learner = match draw.below(3) {
        0 => LearnerReference::Handle(handle(draw)),
        1 => LearnerReference::Student(student(draw)),
        _ => LearnerReference::Document(identity(draw)),
    };
    IssuerStatement {
        issuer: institution_id(draw),
        learner,
        achievement: achievement(draw),
    }
}

fn event_of(draw: &mut Draw, kind: u64) -> Event {
    let body = if !(12..KINDS_UNSIGNED).contains(&kind) {
        registry_body(draw, kind)
    } else {
        learner_body(draw, kind)
    };
    let about_learner = ledger::codec::is_about_learner(body.kind());
    Event {
        issuer: draw
            .option(institution_id)
            .unwrap_or_else(InstitutionId::operator),
        submitter: draw
            .option(institution_id)
            .unwrap_or_else(InstitutionId::operator),
        learner: about_learner.then(|| handle(draw)),
        body,
    }
}

fn registry_body(draw: &mut Draw, kind: u64) -> Body {
    match kind {
        0 => Body::LedgerOpened(LedgerOpened {
            ledger_id: draw.array(),
            format_version: u32::from(draw.byte()),
            rules_version: u32::from(draw.byte()),
            suppression_key: draw.array(),
        }),
        1 => Body::InstitutionRegistered(institution(draw)),
        2 => Body::InstitutionUpdated(institution(draw)),
        3 => Body::InstitutionSuspended(institution_status(draw, false)),
        4 => Body::InstitutionReinstated(institution_status(draw, false)),
        5 => Body::InstitutionClosed(institution_status(draw, true)),
        6 => Body::InstitutionDelegated(Delegation {
            delegate: institution_id(draw),
            during: span(draw),
        }),
        7 => Body::FrameworkPublished(Framework {
            code: text(draw),
            title: text(draw),
            levels: draw.list(text),
            source: text(draw),
        }),
        8 => Body::CreditUnitPublished(CreditUnit {
            code: text(draw),
            title: text(draw),
            kind: draw.pick(&[UnitKind::Credits, UnitKind::Hours, UnitKind::Points]),
            source: text(draw),
        }),
        9 => Body::CodeListPublished(CodeList {
            code: text(draw),
            title: text(draw),
            entries: draw.list(|draw| (text(draw), text(draw))),
            source: text(draw),
        }),
        10 => Body::CoursePublished(Course {
            code: text(draw),
            titles: draw.list(titled),
            size: draw.option(size),
            level: draw.option(level),
            field: text(draw),
        }),
        11 => Body::IntakeWindowPublished(IntakeWindow {
            id: text(draw),
            institutions: draw.list(institution_id),
            awarded: span(draw),
            intake: span(draw),
        }),
        29 => Body::InstitutionKeyAdded(InstitutionKey {
            key_id: text(draw),
            public_key: draw.array(),
            during: span(draw),
        }),
        _ => Body::InstitutionKeyRevoked(KeyRevocation {
            key_id: text(draw),
            reason: text(draw),
        }),
    }
}

fn learner_body(draw: &mut Draw, kind: u64) -> Body {
    match kind {
        12 => Body::LearnerRegistered(LearnerRegistered {
            opening: opening(draw),
            request_id: text(draw),
        }),
        13 => Body::LearnerUpdated(profile(draw)),
        14 => Body::IdentityLinked(student(draw)),
        15 => Body::IdentityUnlinked(student(draw)),
        16 => Body::LearnerMerged(counterpart(draw)),
        17 => Body::LearnerAbsorbed(counterpart(draw)),
        18 => Body::LearnersSeparated(counterpart(draw)),
        19 => Body::LearnerReopened(counterpart(draw)),
        20 => Body::LearnerErased(LearnerErased {
            suppressed: draw.list(|draw| Key(draw.array())),
        }),
        21 => Body::LearnerIdentityErased,
        22 => Body::AchievementRecorded(achievement(draw).into()),
        23 => Body::AchievementSuperseded(AchievementSuperseded {
            achievement: achievement(draw).into(),
            reason: text(draw),
            signature: None,
        }),
        24 => Body::AchievementSuspended(achievement_status(draw)),
        25 => Body::AchievementReinstated(achievement_status(draw)),
        26 => Body::AchievementRevoked(achievement_status(draw)),
        27 => Body::AchievementReassigned(AchievementReassigned {
            record_id: text(draw),
            to: handle(draw),
            reason: text(draw),
        }),
        _ => Body::AchievementReceived(AchievementReceived {
            achievement: achievement(draw).into(),
            from: handle(draw),
            suspended: draw.flag(),
            signature: None,
        }),
    }
}

pub(crate) fn achievement(draw: &mut Draw) -> Achievement {
    Achievement {
        record_id: text(draw),
        achievement_type: text(draw),
        code: text(draw),
        titles: draw.list(titled),
        size: draw.option(size),
        level: draw.option(level),
        field: text(draw),
        source_kind: text(draw),
        delivery: text(draw),
        origin: draw.pick(&[
            Origin::Earned,
            Origin::Assessed,
            Origin::Transferred,
            Origin::Exempted,
        ]),
        source: draw.option(record_name),
        part_of: draw.option(record_name),
        offering: text(draw),
        attempt: u32::from(draw.byte()),
        results: draw.list(|draw| AchievementResult {
            value: text(draw),
            scale: text(draw),
            subject: text(draw),
        }),
        study_from: draw.option(date),
        study_until: draw.option(date),
        awarded: date(draw),
        expires: draw.option(date),
        tier: text(draw),
        outcomes: draw.list(text),
        evidence: draw.list(|draw| Evidence {
            uri: text(draw),
            digest: text(draw),
        }),
        replaces: draw.option(record_name),
    }
}

fn achievement_status(draw: &mut Draw) -> AchievementStatus {
    AchievementStatus {
        record_id: text(draw),
        reason: text(draw),
    }
}

fn institution(draw: &mut Draw) -> InstitutionProfile {
    InstitutionProfile {
        id: institution_id(draw),
        names: draw.list(titled),
        kind: text(draw),
        region: text(draw),
        parent: draw.option(institution_id),
        scopes: draw.list(|draw| Scope {
            types: draw.list(text),
            code_prefixes: draw.list(text),
            fields: draw.list(text),
            source_kinds: draw.list(text),
            level_max: draw.option(level),
            awarded: span(draw),
        }),
        signatures_required: false,
    }
}

fn institution_status(draw: &mut Draw, closed: bool) -> InstitutionStatus {
    let institution = institution_id(draw);
    let reason = text(draw);
    let successor = draw.option(institution_id).filter(|_| closed);
    InstitutionStatus {
        institution,
        reason,
        successor,
    }
}

fn opening(draw: &mut Draw) -> Opening {
    match draw.below(3) {
        0 => Opening::Person(profile(draw)),
        1 => Opening::Provisional(ProvisionalReference::Student(student(draw))),
        _ => {
            let identity = identity(draw);
            let reason = draw.pick(&[PendingReason::Unlinked, PendingReason::IdentityMismatch]);
            Opening::Provisional(ProvisionalReference::Document(identity, reason))
        }
    }
}

fn identity(draw: &mut Draw) -> DocumentIdentity {
    DocumentIdentity {
        document: document(draw),
        name: text(draw),
        birth_date: date(draw),
    }
}

fn profile(draw: &mut Draw) -> LearnerProfile {
    LearnerProfile {
        names: draw.list(titled),
        documents: draw.list(document),
        birth_date: draw.option(date),
        region: text(draw),
    }
}

fn counterpart(draw: &mut Draw) -> Counterpart {
    Counterpart {
        learner: handle(draw),
        reason: text(draw),
    }
}

fn student(draw: &mut Draw) -> StudentNumber {
    StudentNumber {
        institution: institution_id(draw),
        number: text(draw),
    }
}

fn document(draw: &mut Draw) -> Document {
    Document {
        kind: text(draw),
        number: text(draw),
    }
}

fn record_name(draw: &mut Draw) -> RecordName {
    RecordName {
        issuer: institution_id(draw),
        record_id: text(draw),
    }
}

fn size(draw: &mut Draw) -> Size {
    let thousandths = draw.pick(&[0, 1, 2_500, 3_000, 65_536, 100_000_000]);
    Size {
        amount: Credits::from_thousandths(thousandths),
        unit: text(draw),
    }
}

fn level(draw: &mut Draw) -> Level {
    Level {
        framework: text(draw),
        code: text(draw),
    }
}

fn titled(draw: &mut Draw) -> Text {
    Text {
        value: text(draw),
        language: draw.pick(&["", "en", "zh-CN"]).to_owned(),
    }
}

fn span(draw: &mut Draw) -> Span {
    Span {
        from: draw.option(date),
        until: draw.option(date),
    }
}

fn date(draw: &mut Draw) -> Date {
    let year = draw.pick(&[2_024, 1, 1_999, 9_999]);
    let day = u32::try_from(draw.below(365)).unwrap() + 1;
    Date::from_yo_opt(year, day).unwrap()
}

pub(crate) fn handle(draw: &mut Draw) -> Handle {
    let mut handle = draw.array();
    handle[15] |= 1;
    Handle(handle)
}

fn institution_id(draw: &mut Draw) -> InstitutionId {
    draw.pick(&["a", "open-university", "X.y_z-9", "0"])
        .parse()
        .unwrap()
}

/// From empty to long enough that its length takes two bytes.
fn text(draw: &mut Draw) -> String {
    let short = draw.pick(&["", "x", "CS-101", "书法入门", "é", " a b ", "\u{1F393}"]);
    if draw.below(64) == 63 {
        short.repeat(70)
    } else {
        short.to_owned()
    }
}
