//! Refusals that say nothing: the event may have been admitted on facts that have been erased since.
//!
//! Apart from admission because it is where a forger would hide. So each refusal is excused only when a
//! record of the very kind that is wanting has been erased where it may have stood.

use std::collections::HashSet;

use ledger::EventKind::{
    AchievementReassigned, AchievementReceived, AchievementRecorded, AchievementReinstated,
    AchievementRevoked, AchievementSuperseded, AchievementSuspended, IdentityLinked,
    IdentityUnlinked, LearnerRegistered, LearnerUpdated,
};
use ledger::event::Opening;
use ledger::rejection::Rejection;
use ledger::state::{Awaited, Record, RecordFact, Refusal};
use ledger::words::{LearnerReference, ProvisionalReference, StudentNumber};
use ledger::{Body, Event, Handle, InstitutionId, Key, State, Timestamp};

use crate::missing::Missing;

/// What is left to judge an event by.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Left<'a> {
    pub(crate) state: &'a State,
    pub(crate) missing: &'a Missing,
}

impl Left<'_> {
    /// Whether the rules may say no only because what the event rests on has been erased since.
    pub(crate) fn excuses(&self, event: &Event, refusal: &Refusal, at: Timestamp) -> bool {
        let (Refusal::Rejected(rejection), Some(learner)) = (refusal, event.learner) else {
            return false;
        };
        let own = chain::Handle(learner.0);
        let of_identity = |kinds| self.missing.of_merged(own, kinds, 0);
        let of_records = |kinds, after| self.missing.of_tied(own, kinds, after);
        match (rejection, &event.body) {
            (Rejection::StudentNumberTaken, Body::IdentityLinked(student)) => {
                self.may_be_unlinked(student)
            }
            (Rejection::NotLinked, _) => of_identity(&[IdentityLinked, LearnerRegistered]),
            (Rejection::IntoProvisional, _) => of_identity(&[LearnerRegistered]),
            // An institution may merge the provisional account that it opened; who opened it is erased.
            (Rejection::NotAllowed { .. }, Body::LearnerMerged(_)) => {
                of_identity(&[LearnerRegistered]) && self.admits_by_operator(event, at)
            }
            (Rejection::UnknownRecord { .. }, _) => {
                of_records(&[AchievementRecorded, AchievementReceived], 0)
            }
            (Rejection::RecordNotSuspended { .. }, _) => {
                of_records(&[AchievementSuspended, AchievementReceived], 0)
            }
            (Rejection::RecordSuspended { position, .. }, _) => {
                of_records(&[AchievementReinstated], position.0)
            }
            (Rejection::DuplicateResult { position }, _) => {
                let freeing = [
                    AchievementSuperseded,
                    AchievementRevoked,
                    AchievementReassigned,
                ];
                of_records(&freeing, position.0)
            }
            // The window of the version before, which is not the one that is known.
            (Rejection::WindowFrozen { .. }, Body::AchievementSuperseded(new)) => {
                let (registry, awarded) = (self.state.registry(), new.achievement.awarded);
                let is_open = registry.in_window(&event.issuer, awarded, at.date());
                of_records(&[AchievementSuperseded, AchievementReceived], 0) && is_open.is_ok()
            }
            (Rejection::SignatureMismatch { field: "learner" }, body) => {
                self.may_have_named(own, body)
            }
            (Rejection::OutOfPlace { problem }, _) => self.is_elsewhere(event, learner, problem),
            _ => false,
        }
    }

    /// Whether the signed statement may name the learner by what has been erased since: by the number or the
    /// document, or as the one for whom the record was made first.
    fn may_have_named(&self, own: chain::Handle, body: &Body) -> bool {
        let said = body.signature().map(|signature| signature.statement());
        let of_identity = match said.map(|said| &said.learner) {
            Some(LearnerReference::Student(_)) => [IdentityLinked, LearnerRegistered].as_slice(),
            Some(LearnerReference::Document(_)) => [LearnerRegistered, LearnerUpdated].as_slice(),
            Some(LearnerReference::Handle(_)) | None => &[],
        };
        let of_first = match body {
            Body::AchievementSuperseded(_) => [AchievementRecorded, AchievementReceived].as_slice(),
            _ => &[],
        };
        [of_identity, of_first]
            .iter()
            .any(|kinds| self.missing.of_tied(own, kinds, 0))
    }

    /// Whether the event may stand where it stands, for all that is left to say so.
    fn is_elsewhere(&self, event: &Event, learner: Handle, problem: &str) -> bool {
        let own = chain::Handle(learner.0);
        match &event.body {
            Body::LearnerRegistered(registered) => match &registered.opening {
                Opening::Provisional(ProvisionalReference::Student(student)) => {
                    problem.starts_with("the reference has an account")
                        && self.may_be_unlinked(student)
                }
                _ => false,
            },
            Body::IdentityUnlinked(student) => {
                let linking = [IdentityLinked, LearnerRegistered];
                problem.starts_with("the student number is unlinked on another")
                    && self.missing.of_merged(own, &linking, 0)
                    && self.may_be_unlinked(student)
            }
            Body::AchievementReceived(_) => {
                let changing = [
                    AchievementRecorded,
                    AchievementSuperseded,
                    AchievementSuspended,
                    AchievementReinstated,
                    AchievementReceived,
                ];
                matches!(self.state.awaited(), Some(Awaited::Received { .. }))
                    && problem.starts_with("a record arrives")
                    && self.missing.of_tied(own, &changing, 0)
            }
            Body::LearnerErased(erased) => {
                problem.starts_with("an erasure suppresses a record of another")
                    && !erased.suppressed.iter().any(self.foreign(learner))
            }
            body => {
                let may_have_left = || {
                    let record = self.state.secret().ok().zip(record_id(body));
                    let key = record.map(|(secret, id)| secret.record(&event.issuer, id));
                    let held = key.and_then(|key| self.held(key));
                    held.is_some_and(|record| self.may_be_with(record, learner))
                };
                problem.starts_with("the record is changed on another") && may_have_left()
            }
        }
    }

    /// Whether an unlink may have freed the student number that is linked as far as one can see.
    fn may_be_unlinked(&self, student: &StudentNumber) -> bool {
        let link = self.state.secret().ok().and_then(|secret| {
            let known = self.state.linked(secret.student(student));
            known.ok().flatten()
        });
        link.is_some_and(|link| {
            let holder = chain::Handle(link.handle.0);
            self.missing
                .of_merged(holder, &[IdentityUnlinked], link.position.0)
        })
    }

    fn admits_by_operator(&self, event: &Event, at: Timestamp) -> bool {
        let operator = InstitutionId::operator();
        let by_operator = Event {
            issuer: operator.clone(),
            submitter: operator,
            ..event.clone()
        };
        ledger::admit(self.state, &by_operator, at).is_ok()
    }

    fn held(&self, key: Key) -> Option<&Record> {
        match self.state.record(key) {
            Ok(Some(RecordFact::Held(record))) => Some(record),
            _ => None,
        }
    }

    /// Whether the record may have come from the one who has it, as far as one can see, to the learner.
    fn may_be_with(&self, record: &Record, learner: Handle) -> bool {
        let (holder, own) = (chain::Handle(record.learner.0), chain::Handle(learner.0));
        let since = record.versions.last().map_or(0, |last| last.position.0);
        self.missing.are_tied(holder, own)
            && self
                .missing
                .of_merged(holder, &[AchievementReassigned], since)
    }

    /// Says which keys the learner's erasure must not suppress: those of records that are with somebody
    /// else for certain.
    pub(crate) fn foreign(&self, learner: Handle) -> impl Fn(&Key) -> bool {
        let group: HashSet<Handle> = self
            .state
            .group(learner)
            .unwrap_or_default()
            .into_iter()
            .collect();
        move |key| {
            self.held(*key).is_some_and(|record| {
                !group.contains(&record.learner) && !self.may_be_with(record, learner)
            })
        }
    }
}

/// The record that the event changes.
fn record_id(body: &Body) -> Option<&str> {
    match body {
        Body::AchievementSuperseded(new) => Some(&new.achievement.record_id),
        Body::AchievementSuspended(status)
        | Body::AchievementReinstated(status)
        | Body::AchievementRevoked(status) => Some(&status.record_id),
        Body::AchievementReassigned(moved) => Some(&moved.record_id),
        _ => None,
    }
}
