//! Taking events in: total, because an event is a fact.
//!
//! A partial state changes what it knows and what the event itself says; a fact that it neither knew nor
//! is told stays unknown.

use std::sync::Arc;

use super::{
    Awaited, Learner, Link, Map, Record, RecordFact, RecordStanding, Request, Standing, State,
    Version, awaited_by,
};
use crate::codec;
use crate::event::{Body, Event, EventKind, LearnerErased, LearnerRegistered, Opening};
use crate::ids::{Handle, InstitutionId, Key, Position, Revision};
use crate::keys::KeySecret;
use crate::words::{
    Achievement, DocumentIdentity, LearnerProfile, PendingReason, ProvisionalReference,
    StudentNumber,
};

impl State {
    /// Takes in the next event, at position [`State::size`].
    pub fn apply(&mut self, event: &Event) {
        self.apply_at(Position(self.size), event);
        self.size += 1;
    }

    /// Takes in an event of a known position: for a history that is only one learner's.
    pub fn apply_at(&mut self, position: Position, event: &Event) {
        let awaited = self.awaited.take();
        self.awaiting = None;
        if let Body::LedgerOpened(opened) = &event.body {
            self.opened = Some(Arc::new(opened.clone()));
        }
        let Some(handle) = event.learner else {
            Arc::make_mut(&mut self.registry).apply(position, event);
            return;
        };
        // An unopened ledger has no learners: `admit` sees to it, and a history starts with its opening.
        let Ok(secret) = self.secret() else { return };
        self.apply_to_learner(&secret, position, handle, event);
        let statement = || (event.issuer.clone(), event.submitter.clone());
        self.awaiting = self.awaited.is_some().then(statement);
        // Of an erased arrival the leaf still tells where the record is now.
        let arrived = matches!(event.body, Body::Erased(EventKind::AchievementReceived));
        if let Some(Awaited::Received {
            record: Some(key), ..
        }) = awaited.filter(|_| arrived)
        {
            self.with_record(key, |record| record.learner = handle);
        }
        self.with_learner(handle, |learner| {
            learner.revision = Revision(learner.revision.0.saturating_add(1));
        });
    }

    fn apply_to_learner(
        &mut self,
        secret: &KeySecret,
        position: Position,
        handle: Handle,
        event: &Event,
    ) {
        let at = (position, handle, &event.issuer);
        match &event.body {
            Body::LearnerRegistered(registered) => {
                self.register(secret, position, handle, event, registered);
            }
            Body::LearnerUpdated(profile) => self.set_profile(secret, handle, profile),
            Body::IdentityLinked(student) => self.set_link(secret, position, handle, student, true),
            Body::IdentityUnlinked(student) => {
                self.set_link(secret, position, handle, student, false);
            }
            Body::LearnerMerged(counterpart) => {
                self.with_learner(handle, |l| {
                    l.standing = Standing::Merged(counterpart.learner)
                });
                self.awaited = Some(awaited_by(true, handle, counterpart));
            }
            Body::LearnerAbsorbed(counterpart) => {
                self.with_learner(handle, |l| l.absorbed.push(counterpart.learner));
            }
            Body::LearnersSeparated(counterpart) => {
                self.with_learner(handle, |l| l.absorbed.retain(|h| *h != counterpart.learner));
                self.awaited = Some(awaited_by(false, handle, counterpart));
            }
            Body::LearnerReopened(_) => self.with_learner(handle, |l| l.standing = Standing::Open),
            Body::LearnerErased(erased) => self.erase(position, handle, Some(erased)),
            Body::LearnerIdentityErased => self.erase(position, handle, None),
            Body::AchievementRecorded(content) => self.add_version(secret, at, content, true),
            Body::AchievementSuperseded(new) => {
                self.add_version(secret, at, &new.achievement, false);
            }
            Body::AchievementSuspended(status) => self
                .with_record(secret.record(&event.issuer, &status.record_id), |record| {
                    record.standing = RecordStanding::Suspended(position)
                }),
            Body::AchievementReinstated(status) => self
                .with_record(secret.record(&event.issuer, &status.record_id), |record| {
                    record.standing = RecordStanding::InForce
                }),
            Body::AchievementRevoked(status) => self
                .with_record(secret.record(&event.issuer, &status.record_id), |record| {
                    record.standing = RecordStanding::Revoked(position)
                }),
            Body::AchievementReassigned(reassigned) => {
                let record = Some(secret.record(&event.issuer, &reassigned.record_id));
                let (from, by) = (handle, Some(reassigned.to));
                self.awaited = Some(Awaited::Received { from, by, record });
            }
            Body::AchievementReceived(received) => {
                self.receive(secret, at, &received.achievement, received.suspended);
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
                self.awaited = Some(Awaited::Received {
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
        position: Position,
        handle: Handle,
        event: &Event,
        registered: &LearnerRegistered,
    ) {
        match &registered.opening {
            Opening::Person(profile) => {
                self.open(handle, None);
                self.set_profile(secret, handle, profile);
            }
            Opening::Provisional(reference) => {
                // A delegate may have sent it: a student number is its institution's all the same.
                let whose = match reference {
                    ProvisionalReference::Student(student) => &student.institution,
                    ProvisionalReference::Document(..) => &event.issuer,
                };
                let provisional = (reference.reason(), whose.clone());
                self.open(handle, Some(provisional));
                match reference {
                    ProvisionalReference::Student(student) => {
                        self.set_link(secret, position, handle, student, true);
                    }
                    ProvisionalReference::Document(identity, _) => {
                        self.references
                            .insert_mut(secret.reference(identity), Some(handle));
                    }
                }
            }
        }
        if !registered.request_id.is_empty() {
            let key = secret.request(&event.submitter, &registered.request_id);
            let content = secret.content(&codec::encode(&event.body));
            self.requests.insert_mut(
                key,
                Some(Request {
                    position,
                    learner: handle,
                    content,
                }),
            );
        }
    }

    fn open(&mut self, handle: Handle, provisional: Option<(PendingReason, InstitutionId)>) {
        let learner = Learner {
            standing: Standing::Open,
            provisional,
            revision: Revision(0),
            absorbed: Vec::new(),
            documents: Vec::new(),
            identities: Vec::new(),
            links_erased: None,
        };
        self.learners.insert_mut(handle, Some(learner));
    }

    fn set_profile(&mut self, secret: &KeySecret, handle: Handle, profile: &LearnerProfile) {
        for key in document_keys(secret, profile) {
            self.documents.insert_mut(key, Some(handle));
        }
        let (documents, identities) = (document_keys(secret, profile), identities(secret, profile));
        self.with_learner(handle, |learner| {
            learner.documents = documents;
            learner.identities = identities;
            learner.provisional = None;
        });
    }

    fn set_link(
        &mut self,
        secret: &KeySecret,
        position: Position,
        handle: Handle,
        student: &StudentNumber,
        linked: bool,
    ) {
        let link = Link {
            handle,
            linked,
            position,
        };
        self.students
            .insert_mut(secret.student(student), Some(link));
    }

    /// Without a list of suppressed records only the identity goes.
    fn erase(&mut self, position: Position, handle: Handle, erased: Option<&LearnerErased>) {
        for member in self.known_group(handle) {
            self.with_learner(member, |learner| {
                learner.forget_identity();
                learner.links_erased = Some(position);
            });
        }
        if let Some(erased) = erased {
            self.with_learner(handle, |learner| learner.standing = Standing::Erased);
            for key in &erased.suppressed {
                self.records.insert_mut(*key, Some(RecordFact::Suppressed));
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

    fn add_version(
        &mut self,
        secret: &KeySecret,
        (position, handle, issuer): (Position, Handle, &InstitutionId),
        content: &Achievement,
        first: bool,
    ) {
        let key = secret.record(issuer, &content.record_id);
        let version = version(secret, position, handle, issuer, content);
        if let Some(result) = version.result {
            self.results.insert_mut(result, Some(key));
        }
        if first {
            self.records
                .insert_mut(key, Some(RecordFact::Held(new_record(handle, version))));
        } else {
            self.with_record(key, |record| record.versions.push(version));
        }
    }

    fn receive(
        &mut self,
        secret: &KeySecret,
        (position, handle, issuer): (Position, Handle, &InstitutionId),
        content: &Achievement,
        suspended: bool,
    ) {
        let key = secret.record(issuer, &content.record_id);
        let version = version(secret, position, handle, issuer, content);
        if let Some(result) = version.result {
            self.results.insert_mut(result, Some(key));
        }
        let mut record = match self.records.get(&key) {
            Some(Some(RecordFact::Held(record))) => record.clone(),
            // What went before has been erased with the learner it left.
            _ => Record {
                versions: Vec::new(),
                ..new_record(handle, version)
            },
        };
        record.learner = handle;
        record.versions.push(version);
        if suspended && !matches!(record.standing, RecordStanding::Suspended(_)) {
            record.standing = RecordStanding::Suspended(position);
        }
        self.records.insert_mut(key, Some(RecordFact::Held(record)));
    }

    fn with_learner(&mut self, handle: Handle, change: impl FnOnce(&mut Learner)) {
        if let Some(Some(learner)) = get_mut(&mut self.learners, &handle) {
            change(learner);
        }
    }

    fn with_record(&mut self, key: Key, change: impl FnOnce(&mut Record)) {
        if let Some(Some(RecordFact::Held(record))) = get_mut(&mut self.records, &key) {
            change(record);
        }
    }
}

fn get_mut<'a, K: Ord + Clone, V: Clone>(map: &'a mut Map<K, V>, key: &K) -> Option<&'a mut V> {
    map.get_mut(key)
}

fn new_record(handle: Handle, version: Version) -> Record {
    Record {
        learner: handle,
        first_learner: handle,
        versions: vec![version],
        standing: RecordStanding::InForce,
    }
}

fn version(
    secret: &KeySecret,
    position: Position,
    handle: Handle,
    issuer: &InstitutionId,
    content: &Achievement,
) -> Version {
    Version {
        position,
        content: secret.content(&codec::encode_achievement(content)),
        result: secret.result(issuer, handle, content),
        awarded: content.awarded,
    }
}

impl Learner {
    fn forget_identity(&mut self) {
        self.documents.clear();
        self.identities.clear();
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
