//! The queue of provisional accounts that wait to be bound to a person.
//!
//! Apart from the other calls about learners because it goes across accounts: the views name those that
//! waited as of a moment, and each is then looked at.

use api::v1;
use ledger::event::Opening;
use ledger::words::ProvisionalReference;
use ledger::{Body, Handle, InstitutionId};
use store::EventStore;
use tonic::Status;

use super::candidates::Seeker;
use super::paging::{self, List, Page, Question};
use super::{Context, event, refuse};
use crate::from_proto;
use crate::identity::Identity;
use crate::status;
use crate::to_proto;

/// Accounts that one call passes over before it returns what it has.
const PASSED_OVER_MAX: usize = 10_000;
/// Accounts of which one call looks up records and candidates, which takes several reads each.
const LOOKED_UP_MAX: usize = 100;
/// Accounts that are looked at in one go.
const LOOK_AHEAD: usize = 256;

impl<S: EventStore> Context<S> {
    /// Provisional accounts that wait: all for the operator, for an institution those that it sent or
    /// that wait under its student numbers; of these, when asked, only what one institution sent.
    pub(super) async fn waiting(
        &self,
        caller: &Identity,
        wire: &v1::ListPendingLearnersRequest,
    ) -> Result<v1::ListPendingLearnersResponse, Status> {
        let mut page = Page::new(wire.page_size).map_err(refuse)?;
        let sender = from_proto::optional_institution("institution_id", &wire.institution_id);
        let sender = sender.map_err(refuse)?;
        let asking = format!("{caller:?}");
        let asked = [asking.as_bytes(), wire.institution_id.as_bytes()];
        let question = Question::new(List::Pending, &asked);
        let as_of = wire.as_of.clone();
        let (moment, after) = self.page(&question, &wire.page_token, as_of).await?;
        let mut after = paging::position(after)?;
        self.caught_up(moment.size).await?;
        let (registry, _) = self.registry_at(moment).await?;
        let seeker = Seeker {
            caller,
            moment,
            registry,
        };
        let (mut passed_over, mut looked_up) = (0, 0);
        let more = 'page: loop {
            let place = after.map(chain::Position);
            let found = self.views.pending(place, LOOK_AHEAD, moment.size);
            let (found, until) = found.map_err(|fault| status::views_faulted(&fault))?;
            let positions: Vec<_> = found.iter().map(|(position, _)| *position).collect();
            let records = self.records(&positions).await?;
            for ((position, handle), record) in found.iter().zip(&records) {
                let concerned = concerned(caller, sender.as_ref(), record)?;
                let shown = match concerned {
                    Some(_) if looked_up >= LOOKED_UP_MAX => false,
                    Some(reference) => {
                        looked_up += 1;
                        let waits = self.waits(&seeker, *handle, record, &reference);
                        page.add(waits.await?)
                    }
                    None => {
                        passed_over += 1;
                        passed_over <= PASSED_OVER_MAX
                    }
                };
                if !shown {
                    break 'page after;
                }
                after = Some(position.0);
                // Looking an account up costs much when it has many relations: others have their turn.
                tokio::task::yield_now().await;
            }
            let Some(until) = until else { break None };
            passed_over += LOOK_AHEAD - found.len().min(LOOK_AHEAD);
            after = Some(until.0);
            if passed_over > PASSED_OVER_MAX {
                break after;
            }
        };
        let token = |after: u64| self.page_token(&question, moment, &after.to_be_bytes());
        Ok(v1::ListPendingLearnersResponse {
            learners: page.into_entries(),
            next_page_token: more.map_or_else(String::new, token),
            as_of_size: moment.size,
        })
    }

    /// One account that waits.
    async fn waits(
        &self,
        seeker: &Seeker<'_>,
        handle: Handle,
        record: &chain::Record,
        reference: &ProvisionalReference,
    ) -> Result<v1::PendingLearner, Status> {
        let account = self.account(handle, seeker.moment.size).await?;
        let n_records = u64::try_from(account.holdings().count()).unwrap_or(u64::MAX);
        let candidates = self.candidates(seeker, handle, reference).await?;
        Ok(v1::PendingLearner {
            candidates,
            ..to_proto::pending_learner(handle, reference, &record.leaf, n_records)
        })
    }
}

/// What a provisional account stands for, if it concerns the caller and was sent by that institution;
/// `None` also when erased.
fn concerned(
    caller: &Identity,
    sender: Option<&InstitutionId>,
    record: &chain::Record,
) -> Result<Option<ProvisionalReference>, Status> {
    let Body::LearnerRegistered(registered) = event(record)?.body else {
        return Ok(None);
    };
    let Opening::Provisional(reference) = registered.opening else {
        return Ok(None);
    };
    let submitter = record.leaf.submitter.as_str();
    let sent = sender.is_none_or(|sender| sender.as_str() == submitter);
    let concerns = match caller {
        Identity::Operator => true,
        Identity::Institution(id) => {
            let under_own = match &reference {
                ProvisionalReference::Student(student) => student.institution == *id,
                ProvisionalReference::Document(..) => false,
            };
            under_own || submitter == id.as_str()
        }
        Identity::Auditor | Identity::Learner(_) => false,
    };
    Ok(Some(reference).filter(|_| sent && concerns))
}
