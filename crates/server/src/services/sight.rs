//! Whose account a caller may read.
//!
//! Apart from `access`, which knows only roles. The rule, in one place:
//!
//! - the operator: any account;
//! - a learner: their own, also after a merge;
//! - an institution: the account of a learner whom it names by a student number of its own (or of one
//!   that it may act for), and any account that holds a record it issued.

use ledger::words::LearnerReference;
use ledger::{Actor, Handle, InstitutionId};
use store::EventStore;
use tonic::{Code, Status};

use super::{Context, refuse};
use crate::engine::Found;
use crate::from_proto;
use crate::identity::Identity;
use crate::status::{self, Explanation};
use api::v1;

impl<S: EventStore> Context<S> {
    /// The account that a reference names, if the caller may read it.
    pub(super) async fn visible(
        &self,
        caller: &Identity,
        wire: Option<v1::LearnerReference>,
    ) -> Result<Found, Status> {
        match caller {
            Identity::Operator => {
                let reference = from_proto::learner_reference(wire, &caller.acting());
                self.found(&Actor::Operator, &reference.map_err(refuse)?)
                    .await
            }
            Identity::Institution(id) => {
                let reference = from_proto::learner_reference(wire, id).map_err(refuse)?;
                let found = self
                    .found(&Actor::Institution(id.clone()), &reference)
                    .await?;
                // The ledger has checked that the student number is the caller's to name.
                let own = matches!(reference, LearnerReference::Student(_));
                if own || self.has_issued_to(id, found.0).await? {
                    return Ok(found);
                }
                let sentence = "this account holds no record of yours: name the learner by a student \
                                number of your own";
                Err(hidden(sentence))
            }
            Identity::Learner(own) => {
                let named = from_proto::own_or_named(wire, *own).map_err(refuse)?;
                let reference = LearnerReference::Handle(*own);
                let found = self.found(&Actor::Operator, &reference).await?;
                if named == reference {
                    return Ok(found);
                }
                // Whether another account exists is not for a learner to find out.
                match self.found(&Actor::Operator, &named).await {
                    Ok(other) if other.0 == found.0 => Ok(found),
                    _ => Err(hidden("a learner reads their own account only")),
                }
            }
            Identity::Auditor => Err(hidden("auditors read records, not accounts")),
        }
    }

    async fn found(&self, actor: &Actor, reference: &LearnerReference) -> Result<Found, Status> {
        let found = self.engine.resolve(actor, reference).await;
        found
            .map_err(|fault| status::faulted(&fault))?
            .map_err(refuse)
    }

    async fn has_issued_to(&self, id: &InstitutionId, learner: Handle) -> Result<bool, Status> {
        self.caught_up().await?;
        let (account, _) = self.account(learner).await?;
        let issued = account
            .holdings()
            .any(|held| held.name().is_some_and(|n| n.issuer == *id));
        Ok(issued)
    }
}

fn hidden(sentence: &str) -> Status {
    Explanation::new(Code::PermissionDenied, "ACCOUNT_NOT_VISIBLE", sentence).status()
}
