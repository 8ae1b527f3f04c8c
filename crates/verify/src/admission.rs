//! Re-admission: every event once more before the rules, on a state that is built from the events alone.
//!
//! Apart from the other checks because it is the only one that knows what an event means. It stops when
//! the state can no longer be known (records that cannot be read, a registry event that is damaged); what
//! it did not judge is counted apart, never as admitted.
//!
//! An event that the rules refuse is a finding. It is taken in all the same, so that what follows is not
//! blamed for it, but only when its kind cannot lead the state into a circle: the rules rely on merges
//! and parents having none.

use ledger::event::{LearnerErased, LedgerOpened};
use ledger::registry::Registry;
use ledger::state::Refusal;
use ledger::{Body, Event, EventKind, Handle, InstitutionId, Keyed, State, Timestamp};

use crate::examine::{Examined, Held, Said};
use crate::excuse::Left;
use crate::finding::Place;
use crate::gathered::Gathered;
use crate::invariants as must;
use crate::missing::Missing;
use crate::signatures;

/// Why judging stops where records are missing from the log.
pub(crate) const LOST: &str = "records cannot be read from here on";

/// The state, and whether it can still be trusted.
#[derive(Debug)]
pub(crate) struct Admission {
    state: State,
    /// Since which position events are no longer judged.
    stopped: Option<u64>,
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
            nothing,
        }
    }

    /// Institutions and their keys, as far as records were taken in.
    pub(crate) fn registry(&self) -> &Registry {
        self.state.registry()
    }

    /// Stops judging: the record at this position cannot be taken in.
    pub(crate) fn stop(&mut self, position: u64, why: &'static str, out: &mut Gathered) {
        if self.stopped.is_none() && out.limit.is_none_or(|limit| position <= limit) {
            out.stop(position, why);
        }
        self.stopped.get_or_insert(position);
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
        record: &Examined<'_>,
        missing: &Missing,
        place: Place,
        out: &mut Gathered,
    ) {
        let leaf = record.leaf;
        let is_registry = leaf.learner.is_none();
        if self.stopped.is_none() && self.state.size() != leaf.position.0 {
            self.stop(leaf.position.0, "records before it are missing", out);
        }
        if self.stopped.is_some() {
            return out.admissions.after_stop += 1;
        }
        if let Said::Event(keyed) = record.said
            && keyed.event().body.signature().is_some()
        {
            let is_genuine = signatures::check_one(keyed.event(), self.state.registry());
            // Of a body that the leaf does not commit to, nobody knows that it is the one that was signed.
            let genuine = is_genuine && record.held == Held::Body;
            out.signatures.count(genuine);
        }
        match record.said {
            Said::Event(event) if record.held == Held::Body => {
                self.judge(event, record, missing, place, out);
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
            Said::Event(keyed) => {
                // It may be the event all the same, as when only the salt was hit.
                let at = Timestamp(leaf.recorded_at.0);
                if ledger::admit_keyed(&self.state, keyed, at).is_ok() {
                    self.state.apply_keyed(keyed);
                } else {
                    let event = keyed.event();
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
                self.judge_erased(event, record, missing, place, out);
                self.take_in_erased(record, event);
                out.admissions.erased += 1;
            }
            Said::Links(_) | Said::Unasked => self.skip(),
        }
    }

    fn take_in_erased(&mut self, record: &Examined<'_>, event: &Event) {
        // A second registration would open an account again that a merge had closed.
        let reopens = event.body.kind() == EventKind::LearnerRegistered
            && record.leaf.learner.is_some_and(|link| link.revision > 0);
        self.state
            .apply(if reopens { &self.nothing } else { event });
    }

    /// A body that is what the leaf commits to, and yet no event.
    fn report_nonsense(&self, record: &Examined<'_>, place: Place, out: &mut Gathered) {
        if let (Said::Nothing { error, .. }, Held::Body) = (record.said, record.held) {
            out.check(
                place,
                must::a_body_is_the_one_encoding_of_its_event(Some(error.clone())),
            );
        }
    }

    fn judge(
        &mut self,
        keyed: &Keyed,
        record: &Examined<'_>,
        missing: &Missing,
        place: Place,
        out: &mut Gathered,
    ) {
        let event = keyed.event();
        if let Body::LedgerOpened(opened) = &event.body
            && !self.knows(opened, record, place, out)
        {
            return;
        }
        let at = Timestamp(record.leaf.recorded_at.0);
        let refusal = match ledger::admit_keyed(&self.state, keyed, at) {
            Ok(()) => {
                out.admissions.admitted += 1;
                return self.state.apply_keyed(keyed);
            }
            Err(refusal) => refusal,
        };
        let left = Left {
            state: &self.state,
            missing,
        };
        let is_excused = left.excuses(event, &refusal, at);
        // Invariant: whose records a forged erasure does not touch is not blamed for having them.
        let without_foreign = match (&event.body, event.learner) {
            (Body::LearnerErased(erased), Some(learner)) if !is_excused => {
                let is_foreign = left.foreign(learner);
                let mut suppressed = erased.suppressed.clone();
                suppressed.retain(|key| !is_foreign(key));
                Some(Event {
                    body: Body::LearnerErased(LearnerErased { suppressed }),
                    ..event.clone()
                })
            }
            _ => None,
        };
        if is_excused || is_damaged(record, missing) {
            out.admissions.resting_on_erased += 1;
        } else {
            out.admissions.refused += 1;
            self.refuse(record, &refusal, place, out);
        }
        let event = without_foreign.as_ref().unwrap_or(event);
        let takes_in = is_excused || cannot_form_a_circle(&event.body);
        self.state
            .apply(if takes_in { event } else { &self.nothing });
    }

    /// What the leaf still shows is judged all the same.
    fn judge_erased(
        &self,
        event: &Event,
        record: &Examined<'_>,
        missing: &Missing,
        place: Place,
        out: &mut Gathered,
    ) {
        let at = Timestamp(record.leaf.recorded_at.0);
        if let Err(refusal) = ledger::admit(&self.state, event, at)
            && !is_damaged(record, missing)
        {
            self.refuse(record, &refusal, place, out);
        }
    }

    fn refuse(&self, record: &Examined<'_>, refusal: &Refusal, place: Place, out: &mut Gathered) {
        let refused = Some(sentence(refusal));
        let kind = record.leaf.kind;
        out.check(
            place,
            must::every_event_is_admitted_by_the_rules_of_its_day(kind, refused),
        );
    }

    /// Whether this program knows the format and the rules.
    fn knows(
        &mut self,
        opened: &LedgerOpened,
        record: &Examined<'_>,
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
}

fn is_damaged(record: &Examined<'_>, missing: &Missing) -> bool {
    let learner = record.leaf.learner;
    learner.is_some_and(|link| missing.is_damaged(link.handle))
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
