//! LearnerService: who is who.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::v1;
use api::v1::learner_service_server::LearnerService;
use ledger::event::Opening;
use ledger::words::{LearnerProfile, StudentNumber};
use ledger::{Account, Action, Body, EventKind, Handle, InstitutionId};
use store::EventStore;
use tonic::{Request, Response, Status};
use views::History;

use super::accounts::{MERGES_MAX, being_merged};
use super::{Caller, Context, done, opened, opened_by_actor, refuse};
use crate::engine::Engine;
use crate::from_proto;
use crate::identity::Identity;
use crate::status;
use crate::to_proto;

/// The service.
pub struct Learners<S>(pub Arc<Context<S>>);

impl<S: EventStore> Learners<S> {
    async fn change(
        &self,
        caller: Caller,
        action: Action,
    ) -> Result<Option<v1::AccountChange>, Status> {
        let done = self.0.carry_out(caller.actor, action).await?;
        Ok(Some(to_proto::change(&done)))
    }

    async fn learner(
        &self,
        caller: &Identity,
        wire: v1::GetLearnerRequest,
    ) -> Result<v1::GetLearnerResponse, Status> {
        let context = &self.0;
        let asked = context.moment(wire.as_of).await?;
        for _ in 0..MERGES_MAX {
            let (handle, moment) = context.visible(caller, wire.learner.clone(), asked).await?;
            let history = context.history(handle, moment.size).await?;
            let account = history.fold(context.engine.secret(), handle);
            if account.is_closed() {
                continue;
            }
            let sees = |student: &StudentNumber| match caller {
                Identity::Operator => true,
                Identity::Institution(id) => student.institution == *id,
                Identity::Auditor | Identity::Learner(_) => false,
            };
            let students = students(&history, &account);
            let students = students.iter().filter(|student| sees(student));
            return Ok(v1::GetLearnerResponse {
                learner_handle: handle.to_string(),
                revision: account.revision().0,
                profile: profile(&history, handle).map(to_proto::learner_profile),
                provisional: account.is_provisional(),
                students: students.map(to_proto::student_number).collect(),
                as_of_size: moment.size,
            });
        }
        Err(being_merged())
    }
}

/// The attributes in force; `None` of a provisional account and after erasure.
pub(super) fn profile(history: &History, handle: Handle) -> Option<&LearnerProfile> {
    let own = history.records.iter().rev().map(|(_, event)| event);
    let mut of_profile = own.filter(|event| event.learner == Some(handle));
    let last = of_profile.find(|event| {
        let kind = event.body.kind();
        matches!(
            kind,
            EventKind::LearnerUpdated | EventKind::LearnerRegistered
        )
    });
    match &last?.body {
        Body::LearnerUpdated(profile) => Some(profile),
        Body::LearnerRegistered(registered) => match &registered.opening {
            Opening::Person(profile) => Some(profile),
            Opening::Provisional(_) => None,
        },
        _ => None,
    }
}

/// The student numbers that lead to the account, in order.
pub(super) fn students(history: &History, account: &Account) -> Vec<StudentNumber> {
    // The last word on each number, on whichever chain of the history it was said.
    let mut latest: BTreeMap<(&InstitutionId, &str), bool> = BTreeMap::new();
    for (_, event) in &history.records {
        let with_account = event
            .learner
            .is_some_and(|on| account.members().any(|member| member == on));
        let (student, linked) = match &event.body {
            Body::IdentityLinked(student) => (student, with_account),
            Body::IdentityUnlinked(student) => (student, false),
            _ => continue,
        };
        latest.insert((&student.institution, &student.number), linked);
    }
    let linked = latest.into_iter().filter(|(_, linked)| *linked);
    let student = |((institution, number), _): ((&InstitutionId, &str), bool)| StudentNumber {
        institution: institution.clone(),
        number: number.to_owned(),
    };
    linked.map(student).collect()
}

#[tonic::async_trait]
impl<S: EventStore> LearnerService for Learners<S> {
    async fn register_learner(
        &self,
        request: Request<v1::RegisterLearnerRequest>,
    ) -> Result<Response<v1::RegisterLearnerResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let fresh = self
            .0
            .engine
            .fresh_handle()
            .map_err(|fault| status::faulted(&fault))?;
        let action = from_proto::registration(wire, &caller.acting, fresh).map_err(refuse)?;
        let change = self.change(caller, action).await?;
        Ok(Response::new(v1::RegisterLearnerResponse { change }))
    }

    async fn update_learner(
        &self,
        request: Request<v1::UpdateLearnerRequest>,
    ) -> Result<Response<v1::UpdateLearnerResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let action = from_proto::update(wire, &caller.acting).map_err(refuse)?;
        let change = self.change(caller, action).await?;
        Ok(Response::new(v1::UpdateLearnerResponse { change }))
    }

    async fn get_learner(
        &self,
        request: Request<v1::GetLearnerRequest>,
    ) -> Result<Response<v1::GetLearnerResponse>, Status> {
        let (caller, wire) = opened(request)?;
        self.learner(&caller, wire).await.map(Response::new)
    }

    async fn link_identity(
        &self,
        request: Request<v1::LinkIdentityRequest>,
    ) -> Result<Response<v1::LinkIdentityResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let action = from_proto::link(wire, &caller.acting).map_err(refuse)?;
        let change = self.change(caller, action).await?;
        Ok(Response::new(v1::LinkIdentityResponse { change }))
    }

    async fn unlink_identity(
        &self,
        request: Request<v1::UnlinkIdentityRequest>,
    ) -> Result<Response<v1::UnlinkIdentityResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let action = from_proto::unlink(wire, &caller.acting).map_err(refuse)?;
        let change = self.change(caller, action).await?;
        Ok(Response::new(v1::UnlinkIdentityResponse { change }))
    }

    async fn list_pending_learners(
        &self,
        request: Request<v1::ListPendingLearnersRequest>,
    ) -> Result<Response<v1::ListPendingLearnersResponse>, Status> {
        let (caller, wire) = opened(request)?;
        self.0.waiting(&caller, &wire).await.map(Response::new)
    }

    async fn merge_learners(
        &self,
        request: Request<v1::MergeLearnersRequest>,
    ) -> Result<Response<v1::MergeLearnersResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let action = from_proto::merge(wire).map_err(refuse)?;
        let change = self.change(caller, action).await?;
        Ok(Response::new(v1::MergeLearnersResponse { change }))
    }

    async fn separate_learners(
        &self,
        request: Request<v1::SeparateLearnersRequest>,
    ) -> Result<Response<v1::SeparateLearnersResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let action = from_proto::separation(wire).map_err(refuse)?;
        let change = self.change(caller, action).await?;
        Ok(Response::new(v1::SeparateLearnersResponse { change }))
    }

    async fn erase_learner(
        &self,
        request: Request<v1::EraseLearnerRequest>,
    ) -> Result<Response<v1::EraseLearnerResponse>, Status> {
        let (_, wire) = opened_by_actor(request)?;
        let (handle, scope) = from_proto::erasure(&wire).map_err(refuse)?;
        let erase = |engine: Arc<Engine<S>>| async move { engine.erase(handle, scope).await };
        let (outcome, erased_count) = self.0.carry_through(1, erase).await?;
        let done = done(Some(outcome))?;
        let handles: Vec<Handle> = std::iter::once(handle).chain(done.learner).collect();
        // What the views made of the bodies goes before the answer says that they are gone.
        let store = &**self.0.engine.store();
        let forgotten = self.0.views.forget(store, &handles).await;
        forgotten.map_err(|fault| status::views_faulted(&fault))?;
        tracing::info!(learner = %handle, erased_count, "erased");
        let change = Some(to_proto::change(&done));
        Ok(Response::new(v1::EraseLearnerResponse {
            change,
            erased_count,
        }))
    }
}
