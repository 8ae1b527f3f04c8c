//! Taking events in: total, because an event is a fact.
//!
//! A partial state changes what it knows and what the event itself says; a fact that it neither knew nor
//! is told stays unknown.

use std::sync::Arc;

use smallvec::{SmallVec, smallvec};

use super::{
    Awaited, Fact, Learner, Link, Record, RecordFact, RecordStanding, Request, Seed, Standing,
    State, Table, Version, awaited_by,
};
use crate::event::{Body, Event, EventKind, LearnerErased, LearnerRegistered, Opening};
use crate::ids::{Date, Handle, InstitutionId, Key, Position, Revision};
use crate::keyed::{Keyed, Names};
use crate::keys::KeySecret;
use crate::words::{
    DocumentIdentity, LearnerProfile, PendingReason, ProvisionalReference, StudentNumber,
};

/// Where an event stands, and on whose chain.
#[derive(Clone, Copy)]
struct At {
    position: Position,
    learner: Handle,
}

impl State {
    /// Takes in the next event, at position [`State::size`].
    pub fn apply(&mut self, event: &Event) {
        self.apply_at(Position(self.base.size), event);
        self.base.size += 1;
    }

    /// The same, without hashing its keys again.
    pub fn apply_keyed(&mut self, keyed: &Keyed) {
        self.take_in(Position(self.base.size), keyed.event(), keyed.names());
        self.base.size += 1;
    }

    /// Takes in an event of a known position: for a history that is only one learner's.
    pub fn apply_at(&mut self, position: Position, event: &Event) {
        let names = match self.secret() {
            Ok(secret) => Names::of_event(&secret, event),
            Err(_) => Names::default(),
        };
        self.take_in(position, event, &names);
    }

    fn take_in(&mut self, position: Position, event: &Event, names: &Names) {
        let awaited = self.base.awaited.take();
        self.base.awaiting = None;
        if let Body::LedgerOpened(opened) = &event.body {
            self.base.opened = Some(Arc::new(opened.clone()));
            self.spread(Seed(KeySecret(opened.suppression_key).seed()));
        }
        let Some(learner) = event.learner else {
            Arc::make_mut(&mut self.base.registry).apply(position, event);
            return;
        };
        // An unopened ledger has no learners: `admit` sees to it, and a history starts with its opening.
        let Ok(secret) = self.secret() else { return };
        self.apply_to_learner(&secret, At { position, learner }, event, names);
        let statement = || (event.issuer.clone(), event.submitter.clone());
        self.base.awaiting = self.base.awaited.is_some().then(statement);
        // Of an erased arrival the leaf still tells where the record is now.
        let arrived = matches!(event.body, Body::Erased(EventKind::AchievementReceived));
        if let Some(Awaited::Received {
            record: Some(key), ..
        }) = awaited.filter(|_| arrived)
        {
            self.with_record(key, |record| record.learner = learner);
        }
        self.count(learner);
    }

    /// From the opening on, keys are spread by the ledger's secret.
    fn spread(&mut self, seed: Seed) {
        if self.facts_len() == 0 {
            self.seed = seed;
            self.learners = Table::new(seed);
            self.records = Table::new(seed);
            self.students = Table::new(seed);
            self.documents = Table::new(seed);
            self.references = Table::new(seed);
            self.results = Table::new(seed);
            self.requests = Table::new(seed);
        }
    }

    fn apply_to_learner(&mut self, secret: &KeySecret, at: At, event: &Event, names: &Names) {
        let (position, handle) = (at.position, at.learner);
        match &event.body {
            Body::LearnerRegistered(registered) => {
                self.register(secret, at, event, registered, names);
            }
            Body::LearnerUpdated(profile) => self.set_profile(secret, handle, profile),
            Body::IdentityLinked(student) => self.set_link(secret, at, student, true),
            Body::IdentityUnlinked(student) => self.set_link(secret, at, student, false),
            Body::LearnerMerged(counterpart) => {
                self.with_learner(handle, |l| {
                    l.standing = Standing::Merged(counterpart.learner)
                });
                self.base.awaited = Some(awaited_by(true, handle, counterpart));
            }
            Body::LearnerAbsorbed(counterpart) => {
                self.with_learner(handle, |l| l.absorbed.push(counterpart.learner));
            }
            Body::LearnersSeparated(counterpart) => {
                self.with_learner(handle, |l| l.absorbed.retain(|h| *h != counterpart.learner));
                self.base.awaited = Some(awaited_by(false, handle, counterpart));
            }
            Body::LearnerReopened(_) => self.with_learner(handle, |l| l.standing = Standing::Open),
            Body::LearnerErased(erased) => self.erase(at, Some(erased)),
            Body::LearnerIdentityErased => self.erase(at, None),
            Body::AchievementRecorded(new) => {
                self.record_first(at, names, new.achievement.awarded);
            }
            Body::AchievementSuperseded(new) => {
                self.supersede(at, names, new.achievement.awarded);
            }
            Body::AchievementSuspended(_) => {
                self.set_standing(names, RecordStanding::Suspended(position));
            }
            Body::AchievementReinstated(_) => self.set_standing(names, RecordStanding::InForce),
            Body::AchievementRevoked(_) => {
                self.set_standing(names, RecordStanding::Revoked(position));
            }
            Body::AchievementReassigned(reassigned) => {
                self.base.awaited = Some(Awaited::Received {
                    from: handle,
                    by: Some(reassigned.to),
                    record: names.record().ok(),
                });
            }
            Body::AchievementReceived(received) => {
                self.receive(at, names, received.achievement.awarded, received.suspended);
            }
            Body::Erased(kind) => self.apply_erased(handle, *kind),
            _ => {}
        }
    }

    /// What an erased event still tells: that the account exists, or that a record left it.
    fn apply_erased(&mut self, handle: Handle, kind: EventKind) {
        match kind {
            EventKind::LearnerRegistered => self.open(handle, None),
            EventKind::LearnerUpdated => self.with_learner(handle, |l| l.forget_identity()),
            EventKind::AchievementReassigned => {
                self.base.awaited = Some(Awaited::Received {
                    from: handle,
                    by: None,
                    record: None,
                });
            }
            _ => {}
        }
    }

    fn register(
        &mut self,
        secret: &KeySecret,
        at: At,
        event: &Event,
        registered: &LearnerRegistered,
        names: &Names,
    ) {
        let (position, learner) = (at.position, at.learner);
        match &registered.opening {
            Opening::Person(profile) => {
                self.open(learner, None);
                self.set_profile(secret, learner, profile);
            }
            Opening::Provisional(reference) => {
                // A delegate may have sent it: a student number is its institution's all the same.
                let whose = match reference {
                    ProvisionalReference::Student(student) => &student.institution,
                    ProvisionalReference::Document(..) => &event.issuer,
                };
                let provisional = (reference.reason(), whose.clone());
                self.open(learner, Some(provisional));
                match reference {
                    ProvisionalReference::Student(student) => {
                        self.set_link(secret, at, student, true);
                    }
                    ProvisionalReference::Document(identity, _) => {
                        let key = secret.reference(identity);
                        self.put(Fact::Reference(key, Some(learner)));
                    }
                }
            }
        }
        if let Ok(content) = names.content() {
            let key = secret.request(&event.submitter, &registered.request_id);
            let request = Request {
                position,
                learner,
                content,
            };
            self.put(Fact::Request(key, Some(request)));
        }
    }

    fn open(&mut self, handle: Handle, provisional: Option<(PendingReason, InstitutionId)>) {
        let learner = Learner {
            standing: Standing::Open,
            provisional,
            revision: Revision(0),
            absorbed: Vec::new(),
            documents: Arc::default(),
            identities: Arc::default(),
            links_erased: None,
        };
        self.put(Fact::Learner(handle, Some(learner)));
    }

    fn set_profile(&mut self, secret: &KeySecret, handle: Handle, profile: &LearnerProfile) {
        let (documents, identities) = (document_keys(secret, profile), identities(secret, profile));
        for key in &documents {
            self.put(Fact::Document(*key, Some(handle)));
        }
        self.with_learner(handle, |learner| {
            learner.documents = documents.into();
            learner.identities = identities.into();
            learner.provisional = None;
        });
    }

    fn set_link(&mut self, secret: &KeySecret, at: At, student: &StudentNumber, linked: bool) {
        let link = Link {
            handle: at.learner,
            linked,
            position: at.position,
        };
        self.put(Fact::Student(secret.student(student), Some(link)));
    }

    /// Without a list of suppressed records only the identity goes.
    fn erase(&mut self, at: At, erased: Option<&LearnerErased>) {
        for member in self.known_group(at.learner) {
            self.with_learner(member, |learner| {
                learner.forget_identity();
                learner.links_erased = Some(at.position);
            });
        }
        if let Some(erased) = erased {
            self.with_learner(at.learner, |learner| learner.standing = Standing::Erased);
            for key in &erased.suppressed {
                self.put(Fact::Record(*key, Some(RecordFact::Suppressed)));
            }
        }
    }

    fn known_group(&self, handle: Handle) -> Vec<Handle> {
        let mut group = vec![handle];
        let mut next = 0;
        while let Some(member) = group.get(next) {
            if let Some(Some(learner)) = self.learners.get(member) {
                group.extend(learner.absorbed.iter().copied());
            }
            next += 1;
        }
        group
    }

    fn record_first(&mut self, at: At, names: &Names, awarded: Date) {
        if let Some((key, version)) = self.claim(at, names, awarded) {
            let record = new_record(at.learner, version);
            self.put(Fact::Record(key, Some(RecordFact::Held(record))));
        }
    }

    fn supersede(&mut self, at: At, names: &Names, awarded: Date) {
        if let Some((key, version)) = self.claim(at, names, awarded) {
            self.with_record(key, |record| record.versions.push(version));
        }
    }

    fn receive(&mut self, at: At, names: &Names, awarded: Date, suspended: bool) {
        let Some((key, version)) = self.claim(at, names, awarded) else {
            return;
        };
        let mut record = match self.records.get(&key) {
            Some(Some(RecordFact::Held(record))) => record.clone(),
            // What went before has been erased with the learner it left.
            _ => Record {
                versions: SmallVec::new(),
                ..new_record(at.learner, version)
            },
        };
        record.learner = at.learner;
        record.versions.push(version);
        if suspended && !matches!(record.standing, RecordStanding::Suspended(_)) {
            record.standing = RecordStanding::Suspended(at.position);
        }
        self.put(Fact::Record(key, Some(RecordFact::Held(record))));
    }

    /// The record and its new version; from here on its result is this record's.
    fn claim(&mut self, at: At, names: &Names, awarded: Date) -> Option<(Key, Version)> {
        let (key, content) = (names.record().ok()?, names.content().ok()?);
        if let Some(result) = names.result() {
            self.put(Fact::Result(result, Some(key)));
        }
        let version = Version {
            position: at.position,
            content,
            result: names.result(),
            awarded,
            signature: names.signature(),
        };
        Some((key, version))
    }

    fn set_standing(&mut self, names: &Names, standing: RecordStanding) {
        if let Ok(key) = names.record() {
            self.with_record(key, |record| record.standing = standing);
        }
    }
}

fn new_record(handle: Handle, version: Version) -> Record {
    Record {
        learner: handle,
        first_learner: handle,
        versions: smallvec![version],
        standing: RecordStanding::InForce,
    }
}

impl Learner {
    fn forget_identity(&mut self) {
        self.documents = Arc::default();
        self.identities = Arc::default();
    }
}

/// The keys of a profile's documents.
#[must_use]
pub fn document_keys(secret: &KeySecret, profile: &LearnerProfile) -> Vec<Key> {
    profile
        .documents
        .iter()
        .map(|document| secret.document(document))
        .collect()
}

/// Every document with every name: a reference matches when it equals one of them.
#[must_use]
pub fn identities(secret: &KeySecret, profile: &LearnerProfile) -> Vec<Key> {
    let Some(birth_date) = profile.birth_date else {
        return Vec::new();
    };
    let mut keys = Vec::new();
    for document in &profile.documents {
        for name in &profile.names {
            let identity = DocumentIdentity {
                document: document.clone(),
                name: name.value.clone(),
                birth_date,
            };
            keys.push(secret.identity(&identity));
        }
    }
    keys
}
