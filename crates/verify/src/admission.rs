//! Re-admission: every event once more before the rules, on a state that is built from the events alone.
//!
//! Apart from the other checks because it is the only one that knows what an event means. It stops when
//! the state can no longer be known (records that cannot be read, a registry event that is damaged); what
//! it did not judge is counted apart, never as admitted.
//!
//! An event that the rules refuse is a finding. It is taken in all the same, so that what follows is not
//! blamed for it, but only when its kind cannot lead the state into a circle: the rules rely on merges
//! and parents having none.

use ledger::event::LedgerOpened;
use ledger::rejection::Rejection;
use ledger::state::{Awaited, Refusal};
use ledger::{Body, Event, EventKind, Handle, InstitutionId, State, Timestamp};

use crate::examine::{Examined, Held, Said};
use crate::finding::Place;
use crate::gathered::Gathered;
use crate::invariants as must;
use crate::learners::Dimness;

/// The state, and whether it can still be trusted.
#[derive(Debug)]
pub(crate) struct Admission {
    state: State,
    /// Since which position events are no longer judged.
    stopped: Option<u64>,
    /// Whether an erased record may have freed a student number.
    unlinks_erased: bool,
    /// An event that changes nothing but the size: it lies on a chain that no learner has.
    nothing: Event,
}

impl Admission {
    pub(crate) fn new() -> Admission {
        let nothing = Event {
            issuer: InstitutionId::operator(),
            submitter: InstitutionId::operator(),
            learner: Some(Handle([0; 16])),
            body: Body::Erased(EventKind::AchievementRecorded),
        };
        Admission {
            state: State::new(),
            stopped: None,
            unlinks_erased: false,
            nothing,
        }
    }

    /// Stops judging: the record at this position cannot be taken in.
    pub(crate) fn stop(&mut self, position: u64, why: &'static str, out: &mut Gathered) {
        if self.stopped.is_none() && out.limit.is_none_or(|limit| position <= limit) {
            out.stop(position, why);
        }
        self.stopped.get_or_insert(position);
    }

    /// What every record's leaf tells, whoever's it is.
    pub(crate) fn see(&mut self, record: &Examined) {
        let unlinks = must::kind_of(record.leaf.kind) == Some(EventKind::IdentityUnlinked);
        self.unlinks_erased |= unlinks && record.held == Held::Zeros;
    }

    /// The first event of a pair was not followed by the second.
    pub(crate) fn await_nothing(&mut self) {
        let size = ledger::Position(self.state.size());
        self.state.apply_at(size, &self.nothing);
    }

    /// Passes over a record that is not this share's, or that must not be taken in.
    pub(crate) fn skip(&mut self) {
        if self.stopped.is_none() {
            self.state.apply(&self.nothing);
        }
    }

    /// Judges a record and takes it in.
    pub(crate) fn take(
        &mut self,
        record: &Examined,
        dimness: Option<Dimness>,
        place: Place,
        out: &mut Gathered,
    ) {
        let leaf = &record.leaf;
        let is_registry = leaf.learner.is_none();
        if self.stopped.is_none() && self.state.size() != leaf.position.0 {
            self.stop(leaf.position.0, "records before it are missing", out);
        }
        if self.stopped.is_some() {
            return out.admissions.after_stop += 1;
        }
        match &record.said {
            Said::Event(event) if record.held == Held::Body => {
                self.judge(event, record, dimness, place, out);
            }
            Said::Event(_) | Said::Nothing { .. } if is_registry => {
                self.report_nonsense(record, place, out);
                self.stop(
                    leaf.position.0,
                    "its body is damaged and the rules rest on it",
                    out,
                );
                out.admissions.damaged += 1;
            }
            Said::Event(event) => {
                // It may be the event all the same, as when only the salt was hit.
                let at = Timestamp(leaf.recorded_at.0);
                if ledger::admit(&self.state, event, at).is_ok() {
                    self.state.apply(event);
                } else {
                    let body = Body::Erased(event.body.kind());
                    self.take_in_erased(
                        record,
                        &Event {
                            body,
                            ..event.clone()
                        },
                    );
                }
                out.admissions.damaged += 1;
            }
            Said::Nothing { left, .. } => {
                self.report_nonsense(record, place, out);
                match left {
                    Some(event) => self.take_in_erased(record, event),
                    None => self.skip(),
                }
                out.admissions.damaged += 1;
            }
            Said::Erased(event) => {
                self.take_in_erased(record, event);
                out.admissions.erased += 1;
            }
            Said::Unasked => self.skip(),
        }
    }

    fn take_in_erased(&mut self, record: &Examined, event: &Event) {
        // A second registration would open an account again that a merge had closed.
        let reopens = event.body.kind() == EventKind::LearnerRegistered
            && record.leaf.learner.is_some_and(|link| link.revision > 0);
        self.state
            .apply(if reopens { &self.nothing } else { event });
    }

    /// A body that is what the leaf commits to, and yet no event.
    fn report_nonsense(&self, record: &Examined, place: Place, out: &mut Gathered) {
        if let (Said::Nothing { error, .. }, Held::Body) = (&record.said, record.held) {
            out.check(
                place,
                must::a_body_is_the_one_encoding_of_its_event(Some(error.clone())),
            );
        }
    }

    fn judge(
        &mut self,
        event: &Event,
        record: &Examined,
        dimness: Option<Dimness>,
        place: Place,
        out: &mut Gathered,
    ) {
        if let Body::LedgerOpened(opened) = &event.body
            && !self.knows(opened, record, place, out)
        {
            return;
        }
        let at = Timestamp(record.leaf.recorded_at.0);
        let refusal = match ledger::admit(&self.state, event, at) {
            Ok(()) => {
                out.admissions.admitted += 1;
                return self.state.apply(event);
            }
            Err(refusal) => refusal,
        };
        let is_excused = self.is_excused(event, &refusal, dimness, at);
        if is_excused || dimness == Some(Dimness::Damaged) {
            out.admissions.resting_on_erased += 1;
        } else {
            out.admissions.refused += 1;
            let refused = Some(sentence(&refusal));
            let kind = record.leaf.kind;
            out.check(
                place,
                must::every_event_is_admitted_by_the_rules_of_its_day(kind, refused),
            );
        }
        let takes_in = is_excused || cannot_form_a_circle(&event.body);
        self.state
            .apply(if takes_in { event } else { &self.nothing });
    }

    /// Whether this program knows the format and the rules.
    fn knows(
        &mut self,
        opened: &LedgerOpened,
        record: &Examined,
        place: Place,
        out: &mut Gathered,
    ) -> bool {
        let (format, rules) = (opened.format_version, opened.rules_version);
        let known = must::the_format_and_the_rules_are_known(format, rules);
        let is_known = known.is_ok();
        out.check(place, known);
        if !is_known {
            self.stop(
                record.leaf.position.0,
                "this program does not know its rules",
                out,
            );
            out.admissions.after_stop += 1;
        }
        is_known
    }

    /// Whether the rules may say no only because what the event rests on has been erased since.
    fn is_excused(
        &self,
        event: &Event,
        refusal: &Refusal,
        dimness: Option<Dimness>,
        at: Timestamp,
    ) -> bool {
        let Refusal::Rejected(rejection) = refusal else {
            return false;
        };
        if matches!(rejection, Rejection::StudentNumberTaken) {
            return self.unlinks_erased;
        }
        if dimness != Some(Dimness::Erased) {
            return false;
        }
        match (rejection, &event.body) {
            (
                Rejection::UnknownRecord { .. }
                | Rejection::RecordNotSuspended { .. }
                | Rejection::NotLinked
                | Rejection::IntoProvisional,
                _,
            ) => true,
            (Rejection::OutOfPlace { problem }, Body::AchievementReceived(_)) => {
                let is_awaited = matches!(self.state.awaited(), Some(Awaited::Received { .. }));
                is_awaited && problem.starts_with("a record arrives")
            }
            // An institution may merge the provisional account that it opened; who opened it is erased.
            (Rejection::NotAllowed { .. }, Body::LearnerMerged(_)) => {
                let operator = InstitutionId::operator();
                let by_operator = Event {
                    issuer: operator.clone(),
                    submitter: operator,
                    ..event.clone()
                };
                ledger::admit(&self.state, &by_operator, at).is_ok()
            }
            _ => false,
        }
    }
}

fn cannot_form_a_circle(body: &Body) -> bool {
    !matches!(
        body.kind(),
        EventKind::LedgerOpened
            | EventKind::InstitutionRegistered
            | EventKind::InstitutionUpdated
            | EventKind::LearnerRegistered
            | EventKind::LearnerMerged
            | EventKind::LearnerAbsorbed
            | EventKind::LearnersSeparated
            | EventKind::LearnerReopened
            | EventKind::AchievementReassigned
            | EventKind::AchievementReceived
    )
}

fn sentence(refusal: &Refusal) -> String {
    match refusal {
        Refusal::Rejected(rejection) => format!("{}: {rejection}", rejection.reason()),
        Refusal::Unloaded(need) => format!("the state lacks {need:?}"),
    }
}
