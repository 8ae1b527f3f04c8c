//! Guessing ahead which facts a command needs, so that they are loaded in one go and not one by one.
//!
//! Apart from the rules because it is no rule: what it misses, deciding reports as
//! [`Refusal::Unloaded`](crate::Refusal), and what it names in vain costs a look-up. It follows what is
//! known already, so asking again after loading gets one step further.

use crate::command::{Action, Command};
use crate::ids::{Handle, InstitutionId, Key};
use crate::keys::KeySecret;
use crate::state::{Fact, Need, RecordFact, Standing, State, document_keys};
use crate::words::{Achievement, LearnerProfile, LearnerReference, RecordName, StudentNumber};

/// The facts that deciding on the command will most likely ask for and that the state lacks, sorted.
/// Empty when it knows of none: then the command can be decided, as far as can be told.
#[must_use]
pub fn likely_needs(state: &State, command: &Command) -> Vec<Need> {
    // Until the ledger is open nothing has a key, and the registry is whole in memory.
    let Ok(secret) = state.secret() else {
        return Vec::new();
    };
    likely_needs_of(&secret, command, &mut |need| state.fact(need))
}

/// The same, as far as `find` finds facts: it is asked for each as soon as the one before leads to it.
pub fn likely_needs_of(
    secret: &KeySecret,
    command: &Command,
    find: &mut dyn FnMut(Need) -> Option<Fact>,
) -> Vec<Need> {
    let mut guess = Guess {
        find,
        secret,
        lacking: Vec::new(),
    };
    guess.command(command);
    guess.lacking.sort_unstable();
    guess.lacking.dedup();
    guess.lacking
}

struct Guess<'a> {
    find: &'a mut dyn FnMut(Need) -> Option<Fact>,
    secret: &'a KeySecret,
    lacking: Vec<Need>,
}

impl Guess<'_> {
    fn command(&mut self, command: &Command) {
        match &command.action {
            Action::Submit { .. } => self.submit(&command.action),
            Action::Supersede {
                issuer,
                learner,
                achievement,
                ..
            } => {
                if let Some(learner) = learner {
                    self.reference(learner);
                }
                let key = self.secret.record(issuer, &achievement.record_id);
                if let Some(holder) = self.record(key) {
                    self.results(issuer, holder, achievement);
                }
            }
            Action::Suspend { name, .. }
            | Action::Reinstate { name, .. }
            | Action::Revoke { name, .. } => {
                self.record(self.secret.record_name(name));
            }
            Action::Reassign {
                name,
                achievement,
                to,
                ..
            } => self.reassign(name, achievement, to),
            Action::RegisterLearner { request_id, .. } if !request_id.is_empty() => {
                let submitter = command.actor.institution();
                let request = self.secret.request(&submitter, request_id);
                match self.fact(Need::Request(request)) {
                    // A repetition: the account that it made, and who has the numbers now.
                    Some(Fact::Request(_, Some(before))) => {
                        self.account(before.learner);
                        self.students(&command.action);
                    }
                    _ => self.learner_command(&command.action),
                }
            }
            other => self.learner_command(other),
        }
    }

    fn learner_command(&mut self, action: &Action) {
        match action {
            Action::RegisterLearner { fresh, profile, .. } => {
                self.account(*fresh);
                self.documents(profile);
                self.students(action);
            }
            Action::UpdateLearner {
                learner, profile, ..
            } => {
                self.reference(learner);
                self.documents(profile);
            }
            Action::LinkIdentity { learner, student } => {
                self.reference(learner);
                self.student(student);
            }
            Action::UnlinkIdentity { student } => {
                self.student(student);
            }
            Action::MergeLearners { from, into, .. } => {
                self.account(*from);
                self.account(*into);
            }
            Action::SeparateLearners { from, .. } => {
                self.account(*from);
            }
            Action::EraseLearner {
                learner,
                suppressed,
                ..
            } => {
                self.group(*learner);
                suppressed.iter().for_each(|key| {
                    self.record(*key);
                });
            }
            Action::EraseIdentity { learner, .. } => {
                self.group(*learner);
            }
            _ => {}
        }
    }

    fn submit(&mut self, action: &Action) {
        let Action::Submit {
            issuer,
            learner,
            achievement,
            fresh,
            register,
            ..
        } = action
        else {
            return;
        };
        let key = self.secret.record(issuer, &achievement.record_id);
        let before = self.fact(Need::Record(key));
        let named = self.reference(learner);
        if let Some(Fact::Record(_, Some(_))) = before {
            // A repetition, or refused: compared with whom it was for.
            self.record(key);
        } else if let Named::Account(handle) = named {
            self.results(issuer, handle, achievement);
        }
        let registers = register.is_some() && self.is_provisional(&named);
        if matches!(named, Named::Nobody) || registers {
            self.results(issuer, *fresh, achievement);
            register.iter().for_each(|profile| self.documents(profile));
        }
    }

    fn is_provisional(&mut self, named: &Named) -> bool {
        match named {
            Named::Account(handle) => {
                let known = (self.find)(Need::Learner(*handle));
                matches!(known, Some(Fact::Learner(_, Some(learner))) if learner.provisional.is_some())
            }
            Named::Nobody | Named::Unknown => false,
        }
    }

    fn reassign(&mut self, name: &RecordName, achievement: &Achievement, to: &LearnerReference) {
        self.record(self.secret.record_name(name));
        if let Named::Account(to) = self.reference(to) {
            self.results(&name.issuer, to, achievement);
        }
    }

    /// A record and the accounts that it was first for and is with; the latter, after merges.
    fn record(&mut self, key: Key) -> Option<Handle> {
        let Some(Fact::Record(_, Some(RecordFact::Held(record)))) = self.fact(Need::Record(key))
        else {
            return None;
        };
        self.account(record.first_learner);
        Some(self.account(record.learner))
    }

    /// Whether these accounts hold the achievement's result, and under which record.
    fn results(&mut self, issuer: &InstitutionId, learner: Handle, achievement: &Achievement) {
        for member in self.group(learner) {
            let Some(key) = self.secret.result(issuer, member, achievement) else {
                return;
            };
            if let Some(Fact::Result(_, Some(claimer))) = self.fact(Need::Result(key)) {
                self.fact(Need::Record(claimer));
            }
        }
    }

    /// Where a reference leads, as far as known.
    fn reference(&mut self, reference: &LearnerReference) -> Named {
        match reference {
            LearnerReference::Handle(handle) => self.named(Some(*handle)),
            LearnerReference::Student(student) => self.student(student),
            LearnerReference::Document(identity) => {
                let document = self.secret.document(&identity.document);
                let reference = self.secret.reference(identity);
                let bound = self.fact(Need::Document(document));
                let pending = self.fact(Need::Reference(reference));
                match (bound, pending) {
                    (Some(Fact::Document(_, bound)), Some(Fact::Reference(_, pending))) => {
                        let bound = bound.map(|handle| self.account(handle));
                        let pending = pending.map(|handle| self.account(handle));
                        bound.or(pending).map_or(Named::Nobody, Named::Account)
                    }
                    _ => Named::Unknown,
                }
            }
        }
    }

    fn students(&mut self, action: &Action) {
        if let Action::RegisterLearner { students, .. } = action {
            for student in students {
                self.student(student);
            }
        }
    }

    fn student(&mut self, student: &StudentNumber) -> Named {
        match self.fact(Need::Student(self.secret.student(student))) {
            Some(Fact::Student(_, link)) => self.named(link.map(|link| link.handle)),
            _ => Named::Unknown,
        }
    }

    fn named(&mut self, handle: Option<Handle>) -> Named {
        handle.map_or(Named::Nobody, |handle| Named::Account(self.account(handle)))
    }

    fn documents(&mut self, profile: &LearnerProfile) {
        for key in document_keys(self.secret, profile) {
            if let Some(Fact::Document(_, Some(carrier))) = self.fact(Need::Document(key)) {
                self.account(carrier);
            }
        }
    }

    /// The account and all that it has taken in, as far as known.
    fn group(&mut self, handle: Handle) -> Vec<Handle> {
        let mut group = vec![self.account(handle)];
        let mut next = 0;
        while let Some(member) = group.get(next).copied() {
            if let Some(Fact::Learner(_, Some(learner))) = self.fact(Need::Learner(member)) {
                group.extend(learner.absorbed);
            }
            next += 1;
        }
        group
    }

    /// The account that this one is now: merges followed as far as they are known.
    fn account(&mut self, handle: Handle) -> Handle {
        let mut current = handle;
        while let Some(Fact::Learner(_, Some(learner))) = self.fact(Need::Learner(current))
            && let Standing::Merged(into) = learner.standing
        {
            current = into;
        }
        current
    }

    /// The fact; when it is not known, it is lacking.
    fn fact(&mut self, need: Need) -> Option<Fact> {
        let known = (self.find)(need);
        if known.is_none() {
            self.lacking.push(need);
        }
        known
    }
}

/// Whom a reference names.
enum Named {
    Account(Handle),
    Nobody,
    /// Something must be loaded first.
    Unknown,
}
