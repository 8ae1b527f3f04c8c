//! Guessing ahead which facts a command needs, so that they are loaded in one go and not one by one.
//!
//! Apart from the rules because it is no rule: what it misses, deciding reports as
//! [`Refusal::Unloaded`](crate::Refusal), and what it names in vain costs a look-up. It follows what is
//! known already, so asking again after loading gets one step further.

use crate::command::{Action, Command};
use crate::ids::{Handle, InstitutionId, Key};
use crate::keys::KeySecret;
use crate::state::{Lead, Need, Standing, State, document_keys};
use crate::words::{Achievement, LearnerProfile, LearnerReference, RecordName, StudentNumber};

/// The facts that deciding on the command will most likely ask for and that the state lacks, sorted.
/// Empty when it knows of none: then the command can be decided, as far as can be told.
#[must_use]
pub fn likely_needs(state: &State, command: &Command) -> Vec<Need> {
    // Until the ledger is open nothing has a key, and the registry is whole in memory.
    let Ok(secret) = state.secret() else {
        return Vec::new();
    };
    let mut lead = |need| state.fact(need).map(|fact| fact.lead());
    likely_needs_of(&secret, command, &mut lead)
}

/// The same, as far as `find` finds what facts lead to: it is asked for each as soon as the one before
/// leads to it.
pub fn likely_needs_of(
    secret: &KeySecret,
    command: &Command,
    find: &mut dyn FnMut(Need) -> Option<Lead>,
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
    find: &'a mut dyn FnMut(Need) -> Option<Lead>,
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
                match self.lead(Need::Request(request)) {
                    // A repetition: the account that it made, and who has the numbers now.
                    Some(Lead::Request(learner)) => {
                        self.account(learner);
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
        let before = self.lead(Need::Record(key));
        let named = self.reference(learner);
        if let Some(Lead::Record { .. } | Lead::Suppressed) = before {
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
                matches!(
                    known,
                    Some(Lead::Account {
                        provisional: true,
                        ..
                    })
                )
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
        let Some(Lead::Record { first, with }) = self.lead(Need::Record(key)) else {
            return None;
        };
        self.account(first);
        Some(self.account(with))
    }

    /// Whether these accounts hold the achievement's result, and under which record.
    fn results(&mut self, issuer: &InstitutionId, learner: Handle, achievement: &Achievement) {
        for member in self.group(learner) {
            let Some(key) = self.secret.result(issuer, member, achievement) else {
                return;
            };
            if let Some(Lead::Claimed(claimer)) = self.lead(Need::Result(key)) {
                self.lead(Need::Record(claimer));
            }
        }
    }

    /// Where a reference leads, as far as known.
    fn reference(&mut self, reference: &LearnerReference) -> Named {
        match reference {
            LearnerReference::Handle(handle) => Named::Account(self.account(*handle)),
            LearnerReference::Student(student) => self.student(student),
            LearnerReference::Document(identity) => {
                let document = self.secret.document(&identity.document);
                let reference = self.secret.reference(identity);
                let bound = self.lead(Need::Document(document));
                let pending = self.lead(Need::Reference(reference));
                let (Some(bound), Some(pending)) = (bound, pending) else {
                    return Named::Unknown;
                };
                let [bound, pending] = [bound, pending].map(|lead| self.led_to(&lead));
                bound.or(pending).map_or(Named::Nobody, Named::Account)
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
        match self.lead(Need::Student(self.secret.student(student))) {
            Some(lead) => self.led_to(&lead).map_or(Named::Nobody, Named::Account),
            None => Named::Unknown,
        }
    }

    fn documents(&mut self, profile: &LearnerProfile) {
        for key in document_keys(self.secret, profile) {
            if let Some(lead) = self.lead(Need::Document(key)) {
                self.led_to(&lead);
            }
        }
    }

    /// The account and all that it has taken in, as far as known.
    fn group(&mut self, handle: Handle) -> Vec<Handle> {
        let mut group = vec![self.account(handle)];
        let mut next = 0;
        while let Some(member) = group.get(next).copied() {
            if let Some(Lead::Account { absorbed, .. }) = self.lead(Need::Learner(member)) {
                group.extend(absorbed);
            }
            next += 1;
        }
        group
    }

    /// The account that this one is now: merges followed as far as they are known.
    fn account(&mut self, handle: Handle) -> Handle {
        let mut current = handle;
        while let Some(Lead::Account { standing, .. }) = self.lead(Need::Learner(current))
            && let Standing::Merged(into) = standing
        {
            current = into;
        }
        current
    }

    /// The account that a number or a document leads to.
    fn led_to(&mut self, lead: &Lead) -> Option<Handle> {
        match lead {
            Lead::To(handle) => Some(self.account(*handle)),
            _ => None,
        }
    }

    /// What the fact leads to; when it is not known, it is lacking.
    fn lead(&mut self, need: Need) -> Option<Lead> {
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
