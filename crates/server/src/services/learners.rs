//! LearnerService: who is who.

use std::collections::BTreeMap;
use std::sync::Arc;

use api::v1;
use api::v1::learner_service_server::LearnerService;
use ledger::event::Opening;
use ledger::words::{LearnerProfile, ProvisionalReference, StudentNumber};
use ledger::{Account, Action, Body, Handle, InstitutionId};
use store::EventStore;
use tonic::{Request, Response, Status};

use super::paging::{self, List, Page};
use super::{Caller, Context, done, event, opened, opened_by_actor, refuse};
use crate::from_proto;
use crate::identity::Identity;
use crate::status;
use crate::to_proto;

/// The service.
pub struct Learners<S>(pub Arc<Context<S>>);

/// Accounts of others that one call passes over before it returns what it has.
const PASSED_OVER_MAX: usize = 10_000;
/// Accounts that are looked at in one go.
const LOOK_AHEAD: usize = 256;

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
        wire: Option<v1::LearnerReference>,
    ) -> Result<v1::GetLearnerResponse, Status> {
        let context = &self.0;
        let (handle, _, _) = context.visible(caller, wire).await?;
        context.caught_up().await?;
        let (account, as_of_size) = context.account(handle).await?;
        let sees = |student: &StudentNumber| match caller {
            Identity::Operator => true,
            Identity::Institution(id) => student.institution == *id,
            Identity::Auditor | Identity::Learner(_) => false,
        };
        let students = context.students(&account).await?;
        let students = students.iter().filter(|student| sees(student));
        Ok(v1::GetLearnerResponse {
            learner_handle: handle.to_string(),
            revision: account.revision().0,
            profile: context
                .profile(handle)
                .await?
                .as_ref()
                .map(to_proto::learner_profile),
            provisional: account.is_provisional(),
            students: students.map(to_proto::student_number).collect(),
            as_of_size,
        })
    }
}

impl<S: EventStore> Context<S> {
    /// The attributes in force; `None` of a provisional account and after erasure.
    async fn profile(&self, handle: Handle) -> Result<Option<LearnerProfile>, Status> {
        let key = store::Key(self.engine.secret().profile(handle).0);
        let found = self.engine.store().find(&[key]).await;
        let found = found.map_err(|error| status::faulted(&error.into()))?;
        let Some(position) = found.first().copied().flatten() else {
            return Ok(None);
        };
        let records = self.records(&[position]).await?;
        let Some(record) = records.first() else {
            return Ok(None);
        };
        Ok(match event(record)?.body {
            Body::LearnerUpdated(profile) => Some(profile),
            Body::LearnerRegistered(registered) => match registered.opening {
                Opening::Person(profile) => Some(profile),
                Opening::Provisional(_) => None,
            },
            _ => None,
        })
    }

    /// The student numbers that lead to the account now, in order.
    async fn students(&self, account: &Account) -> Result<Vec<StudentNumber>, Status> {
        let history = self.views.history(account.learner());
        let history = history.map_err(|fault| status::views_faulted(&fault))?;
        // The last word on each number, on whichever chain of the history it was said.
        let mut latest: BTreeMap<(InstitutionId, String), bool> = BTreeMap::new();
        for record in self.records(&history).await? {
            let event = event(&record)?;
            let with_account = event
                .learner
                .is_some_and(|on| account.members().any(|m| m == on));
            let (student, linked) = match event.body {
                Body::IdentityLinked(student) => (student, with_account),
                Body::IdentityUnlinked(student) => (student, false),
                _ => continue,
            };
            latest.insert((student.institution, student.number), linked);
        }
        let linked = latest.into_iter().filter(|(_, linked)| *linked);
        Ok(linked
            .map(|((institution, number), _)| StudentNumber {
                institution,
                number,
            })
            .collect())
    }

    /// Provisional accounts that wait: all for the operator, for an institution those that it sent or
    /// that wait under its student numbers.
    async fn waiting(
        &self,
        caller: &Identity,
        wire: &v1::ListPendingLearnersRequest,
    ) -> Result<v1::ListPendingLearnersResponse, Status> {
        let mut page = Page::new(wire.page_size).map_err(refuse)?;
        let mut after = paging::after_number(List::Pending, &wire.page_token).map_err(refuse)?;
        self.caught_up().await?;
        let mut passed_over = 0;
        loop {
            let found = self.views.pending(after.map(chain::Position), LOOK_AHEAD);
            let found = found.map_err(|fault| status::views_faulted(&fault))?;
            let positions: Vec<_> = found.iter().map(|(position, _)| *position).collect();
            let records = self.records(&positions).await?;
            for ((position, handle), record) in found.iter().zip(&records) {
                let shown = match pending_reference(record)? {
                    Some(reference) if concerns(caller, &reference, &record.leaf) => {
                        let (account, _) = self.account(*handle).await?;
                        let n_records = account.holdings().count();
                        let n_records = u64::try_from(n_records).unwrap_or(u64::MAX);
                        let leaf = &record.leaf;
                        page.add(to_proto::pending_learner(
                            *handle, &reference, leaf, n_records,
                        ))
                    }
                    _ => {
                        passed_over += 1;
                        passed_over <= PASSED_OVER_MAX
                    }
                };
                if !shown {
                    return Ok(pending_page(page, after));
                }
                after = Some(position.0);
            }
            if found.len() < LOOK_AHEAD {
                return Ok(pending_page(page, None));
            }
        }
    }
}

fn pending_page(
    page: Page<v1::PendingLearner>,
    after: Option<u64>,
) -> v1::ListPendingLearnersResponse {
    let token = |after: u64| paging::token(List::Pending, &after.to_string());
    let next_page_token = after.map_or_else(String::new, token);
    v1::ListPendingLearnersResponse {
        learners: page.into_entries(),
        next_page_token,
        as_of_size: 0,
    }
}

/// What a provisional account stands for; `None` when erased.
fn pending_reference(record: &chain::Record) -> Result<Option<ProvisionalReference>, Status> {
    Ok(match event(record)?.body {
        Body::LearnerRegistered(registered) => match registered.opening {
            Opening::Provisional(reference) => Some(reference),
            Opening::Person(_) => None,
        },
        _ => None,
    })
}

fn concerns(caller: &Identity, reference: &ProvisionalReference, leaf: &chain::Leaf) -> bool {
    match caller {
        Identity::Operator => true,
        Identity::Institution(id) => {
            let under_own = match reference {
                ProvisionalReference::Student(student) => student.institution == *id,
                ProvisionalReference::Document(..) => false,
            };
            under_own || leaf.submitter.as_str() == id.as_str()
        }
        Identity::Auditor | Identity::Learner(_) => false,
    }
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
        self.learner(&caller, wire.learner).await.map(Response::new)
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
        let _permit = self.0.enter(1)?;
        let erased = self.0.engine.erase(handle, scope).await;
        let (outcome, erased_count) = erased.map_err(|fault| status::faulted(&fault))?;
        let done = done(Some(outcome))?;
        let handles: Vec<Handle> = std::iter::once(handle).chain(done.learner).collect();
        // What the views made of the bodies goes before the answer says that they are gone.
        self.0
            .views
            .forget(&handles)
            .map_err(|fault| status::views_faulted(&fault))?;
        tracing::info!(learner = %handle, erased_count, "erased");
        let change = Some(to_proto::change(&done));
        Ok(Response::new(v1::EraseLearnerResponse {
            change,
            erased_count,
        }))
    }
}
