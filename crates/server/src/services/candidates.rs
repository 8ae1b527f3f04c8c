//! Candidates for binding: accounts that a pending reference may mean.
//!
//! Apart from the queue because these are looked up one by one, by keys alone, and because here is decided
//! who may be shown which: an account is named to the operator, and to an institution that may act, as
//! things stand now, for one that the account has to do with. So that nobody finds out by submitting
//! records who carries a document or a number elsewhere. Nothing is bound by a candidate.

use std::sync::Arc;

use api::v1;
use ledger::registry::Registry;
use ledger::words::{DocumentIdentity, LearnerReference, ProvisionalReference, StudentNumber};
use ledger::{Account, Actor, Body, Event, Handle, InstitutionId, Key};
use store::EventStore;
use tonic::Status;
use views::History;

use super::as_of::Moment;
use super::learners::{profile, students};
use super::{Context, event};
use crate::identity::Identity;
use crate::status;
use crate::to_proto;

/// Most candidates of one reference; the proto files promise it.
const CANDIDATES_MAX: usize = 10;
/// Most institutions at which a student number is looked up.
const LOOK_UPS_MAX: usize = 32;

/// For whom candidates are looked up, and as of when.
pub(super) struct Seeker<'a> {
    pub(super) caller: &'a Identity,
    pub(super) moment: Moment,
    /// As of that moment, for who stands above and below whom.
    pub(super) registry: Arc<Registry>,
}

impl<S: EventStore> Context<S> {
    /// Accounts that a pending reference may mean, most likely first.
    pub(super) async fn candidates(
        &self,
        seeker: &Seeker<'_>,
        pending: Handle,
        reference: &ProvisionalReference,
    ) -> Result<Vec<v1::BindingCandidate>, Status> {
        match reference {
            ProvisionalReference::Document(identity, _) => {
                let found = self.by_document(seeker, pending, identity).await?;
                Ok(found.into_iter().collect())
            }
            ProvisionalReference::Student(student) => {
                self.by_number(seeker, pending, student).await
            }
        }
    }

    /// The account that carries the document.
    async fn by_document(
        &self,
        seeker: &Seeker<'_>,
        pending: Handle,
        identity: &DocumentIdentity,
    ) -> Result<Option<v1::BindingCandidate>, Status> {
        let key = self.engine.secret().document(&identity.document);
        let Some(event) = self.latest(key, seeker.moment).await? else {
            return Ok(None);
        };
        let found = self.bound(seeker.moment, pending, event.learner).await?;
        let (Some((history, account)), Some(carrier)) = (found, event.learner) else {
            return Ok(None);
        };
        let profile = profile(&history, carrier);
        let carries = profile.is_some_and(|it| it.documents.contains(&identity.document));
        if !carries || !self.concerns(seeker, &history, &account) {
            return Ok(None);
        }
        let differing = profile.map_or_else(Vec::new, |profile| {
            let named = profile.names.iter().any(|name| name.value == identity.name);
            let born = profile.birth_date == Some(identity.birth_date);
            let differing = [("name", named), ("birth_date", born)].into_iter();
            let differing = differing.filter(|(_, same)| !same);
            differing.map(|(field, _)| field.to_owned()).collect()
        });
        Ok(Some(v1::BindingCandidate {
            learner_handle: account.learner().to_string(),
            reason: v1::CandidateReason::SameDocument.into(),
            differing,
            student: None,
        }))
    }

    /// Accounts to which the same number is linked at an institution above, below or delegated to.
    async fn by_number(
        &self,
        seeker: &Seeker<'_>,
        pending: Handle,
        student: &StudentNumber,
    ) -> Result<Vec<v1::BindingCandidate>, Status> {
        let mut found: Vec<v1::BindingCandidate> = Vec::new();
        for institution in related(&seeker.registry, &student.institution) {
            if !self.acts_for(seeker.caller, &institution) {
                continue;
            }
            let student = StudentNumber {
                institution,
                number: student.number.clone(),
            };
            let key = self.engine.secret().student(&student);
            let linked = self.latest(key, seeker.moment).await?;
            let linked = linked.filter(|it| matches!(it.body, Body::IdentityLinked(_)));
            let carrier = linked.and_then(|event| event.learner);
            let Some((_, account)) = self.bound(seeker.moment, pending, carrier).await? else {
                continue;
            };
            let learner_handle = account.learner().to_string();
            let known = found.iter().any(|it| it.learner_handle == learner_handle);
            if !known && found.len() < CANDIDATES_MAX {
                found.push(v1::BindingCandidate {
                    learner_handle,
                    reason: v1::CandidateReason::SameNumber.into(),
                    differing: Vec::new(),
                    student: Some(to_proto::student_number(&student)),
                });
            }
        }
        Ok(found)
    }

    /// The latest event with a key as of a moment; of an erased one there is none.
    async fn latest(&self, key: Key, moment: Moment) -> Result<Option<Event>, Status> {
        let (key, below) = (store::Key(key.0), chain::Position(moment.size));
        let found = self.engine.store();
        let found = found.find_all(key, chain::Position(0), below).await;
        let found = found.map_err(|fault| status::faulted(&fault.into()))?;
        let records = self.records(found.last().copied().as_slice()).await?;
        let event = records.first().map(event).transpose()?;
        Ok(event.filter(|event| !matches!(event.body, Body::Erased(_))))
    }

    /// The open account that it has become by then, if it is another one and bound to a person.
    async fn bound(
        &self,
        moment: Moment,
        pending: Handle,
        handle: Option<Handle>,
    ) -> Result<Option<(History, Account)>, Status> {
        let Some(handle) = handle else {
            return Ok(None);
        };
        let reference = LearnerReference::Handle(handle);
        let below = Some(moment.size);
        let handle = self.found(&Actor::Operator, &reference, below).await?;
        let history = self.history(handle, moment.size).await?;
        let account = history.fold(self.engine.secret(), handle);
        let fits = handle != pending && !account.is_provisional();
        Ok(fits.then_some((history, account)))
    }

    /// Whether the caller may act for an institution that the account has to do with: one that linked a
    /// student number or issued a record.
    fn concerns(&self, seeker: &Seeker<'_>, history: &History, account: &Account) -> bool {
        if *seeker.caller == Identity::Operator {
            return true;
        }
        let students = students(history, account);
        let mut linked = students.iter().map(|student| &student.institution);
        let mut issued = account.holdings().filter_map(|held| held.name());
        linked.any(|id| self.acts_for(seeker.caller, id))
            || issued.any(|name| self.acts_for(seeker.caller, &name.issuer))
    }

    fn acts_for(&self, caller: &Identity, institution: &InstitutionId) -> bool {
        match caller {
            Identity::Operator => true,
            Identity::Institution(id) => {
                let today = self.engine.now().date();
                let registry = self.engine.registry();
                registry.acting_for(institution, id, today).is_ok()
            }
            Identity::Auditor | Identity::Learner(_) => false,
        }
    }
}

/// The institutions above and below one, those that it delegates to and those that delegate to it.
fn related(registry: &Registry, of: &InstitutionId) -> Vec<InstitutionId> {
    let own = registry.institutions.get(of);
    let above = own.and_then(|own| own.profile.parent.clone());
    let delegates = own.into_iter().flat_map(|own| own.delegations.keys());
    let others = registry.institutions.iter();
    let others = others.filter(|(_, other)| {
        other.profile.parent.as_ref() == Some(of) || other.delegations.contains_key(of)
    });
    let mut related: Vec<InstitutionId> = Vec::new();
    let all = above
        .into_iter()
        .chain(delegates.cloned())
        .chain(others.map(|(id, _)| id.clone()));
    for id in all {
        if id != *of && !related.contains(&id) {
            related.push(id);
        }
        if related.len() >= LOOK_UPS_MAX {
            break;
        }
    }
    related
}
