//! Whose account a caller may read.
//!
//! Apart from `access`, which knows only roles. The rule, in one place:
//!
//! - the operator: any account;
//! - a learner: their own, also after a merge;
//! - an institution: the account of a learner whom it names by a student number of its own (or of one
//!   that it may act for), and any account that holds a record it issued.
//!
//! Of an earlier state the reference is looked up as it led then, and the rule is asked about the account
//! that it has become since.

use ledger::words::LearnerReference;
use ledger::{Account, Actor, Handle, InstitutionId};
use store::EventStore;
use tonic::{Code, Status};

use super::accounts::{MERGES_MAX, being_merged};
use super::as_of::Moment;
use super::{Context, refuse, refuse_then};
use crate::from_proto;
use crate::identity::Identity;
use crate::status::{self, Explanation};
use api::v1;
use api::v1::learner_reference::Reference;

impl<S: EventStore> Context<S> {
    /// The account that a reference names as of a moment, if the caller may read it, and the moment to
    /// read it at. Who may is judged as things stand now, by the account that it has become.
    pub(super) async fn visible(
        &self,
        caller: &Identity,
        wire: Option<v1::LearnerReference>,
        moment: Moment,
    ) -> Result<(Handle, Moment), Status> {
        let reference = match caller {
            Identity::Operator => from_proto::learner_reference(wire, &caller.acting()),
            Identity::Institution(id) => from_proto::learner_reference(wire, id),
            Identity::Learner(own) => from_proto::own_or_named(wire, *own),
            Identity::Auditor => return Err(hidden("auditors read records, not accounts")),
        };
        let reference = reference.map_err(refuse)?;
        if !moment.earlier {
            let now = self.visible_now(caller, &reference).await?;
            // What led to the account is in the ledger by now.
            return Ok((now, self.renewed(moment).await?));
        }
        let actor = caller.actor().unwrap_or(Actor::Operator);
        let then = self.found(&actor, &reference, moment.below()).await;
        let handle = match (then, caller) {
            (Ok(handle), _) => handle,
            // Whether another account exists is not for a learner to find out.
            (Err(_), Identity::Learner(own)) if reference != LearnerReference::Handle(*own) => {
                return Err(hidden(OWN_ONLY));
            }
            (Err(refused), _) => return Err(refused),
        };
        self.may_see(caller, &reference, handle).await?;
        Ok((handle, moment))
    }

    /// The account that [`Context::visible`] would give if it is open and not erased, for the price of a
    /// look-up: when the caller may see it whatever it holds, and names it by its handle or by a student
    /// number whose latest link the ledger's index finds. `None` leaves it to [`Context::visible`], which
    /// also says what is wrong.
    pub(super) async fn direct(
        &self,
        caller: &Identity,
        wire: &Option<v1::LearnerReference>,
        moment: Moment,
    ) -> Result<Option<(Handle, Moment)>, Status> {
        if moment.earlier {
            return Ok(None);
        }
        if let Some(handle) = plain(caller, wire.as_ref()) {
            return Ok(Some((handle, moment)));
        }
        let acting = match caller {
            Identity::Operator => caller.acting(),
            Identity::Institution(id) => id.clone(),
            Identity::Learner(_) | Identity::Auditor => return Ok(None),
        };
        let named = from_proto::learner_reference(wire.clone(), &acting);
        let Ok(LearnerReference::Student(student)) = named else {
            return Ok(None);
        };
        if let Identity::Institution(id) = caller {
            let registry = self.engine.registry();
            let may = registry.acting_for(&student.institution, id, moment.on);
            if may.is_err() {
                return Ok(None);
            }
        }
        let linked = self.views.linked(&**self.engine.store(), &student).await;
        let Some(handle) = linked.map_err(|fault| status::views_faulted(&fault))? else {
            return Ok(None);
        };
        // Order: after the link was found, so that it is in what is read.
        Ok(Some((handle, self.renewed(moment).await?)))
    }

    async fn open_account(
        &self,
        handle: Handle,
        moment: Moment,
    ) -> Result<Option<Account>, Status> {
        let store = &**self.engine.store();
        let found = self.views.open_account(store, handle, moment.size).await;
        found.map_err(|fault| status::views_faulted(&fault))
    }

    /// The account behind [`Context::visible`], folded.
    pub(super) async fn seen(
        &self,
        caller: &Identity,
        wire: Option<v1::LearnerReference>,
        asked: Moment,
    ) -> Result<(Account, Moment), Status> {
        if let Some((handle, moment)) = self.direct(caller, &wire, asked).await?
            && let Some(account) = self.open_account(handle, moment).await?
        {
            return Ok((account, moment));
        }
        for _ in 0..MERGES_MAX {
            let (handle, moment) = self.visible(caller, wire.clone(), asked).await?;
            let account = self.account(handle, moment.size).await?;
            if !account.is_closed() {
                return Ok((account, moment));
            }
        }
        Err(being_merged())
    }

    /// Refuses a caller who may not see the account to which a reference led earlier.
    async fn may_see(
        &self,
        caller: &Identity,
        reference: &LearnerReference,
        handle: Handle,
    ) -> Result<(), Status> {
        let reached = |of: Handle| LearnerReference::Handle(of);
        let now = self.found(&Actor::Operator, &reached(handle), None).await?;
        match caller {
            Identity::Operator => Ok(()),
            Identity::Learner(own) => {
                match self.found(&Actor::Operator, &reached(*own), None).await {
                    Ok(own) if own == now => Ok(()),
                    _ => Err(hidden(OWN_ONLY)),
                }
            }
            Identity::Institution(id) => {
                let actor = Actor::Institution(id.clone());
                let named = matches!(reference, LearnerReference::Student(_))
                    && matches!(self.found(&actor, reference, None).await, Ok(of) if of == now);
                if named || self.has_issued_to(id, now).await? {
                    return Ok(());
                }
                Err(hidden(NO_RECORD))
            }
            Identity::Auditor => Err(hidden("auditors read records, not accounts")),
        }
    }

    async fn visible_now(
        &self,
        caller: &Identity,
        reference: &LearnerReference,
    ) -> Result<Handle, Status> {
        match caller {
            Identity::Operator => self.found(&Actor::Operator, reference, None).await,
            Identity::Institution(id) => {
                let actor = Actor::Institution(id.clone());
                let found = self.found(&actor, reference, None).await?;
                // The ledger has checked that the student number is the caller's to name.
                let own = matches!(reference, LearnerReference::Student(_));
                if own || self.has_issued_to(id, found).await? {
                    return Ok(found);
                }
                Err(hidden(NO_RECORD))
            }
            Identity::Learner(own) => {
                let own = LearnerReference::Handle(*own);
                let found = self.found(&Actor::Operator, &own, None).await?;
                if *reference == own {
                    return Ok(found);
                }
                // Whether another account exists is not for a learner to find out.
                match self.found(&Actor::Operator, reference, None).await {
                    Ok(other) if other == found => Ok(found),
                    _ => Err(hidden(OWN_ONLY)),
                }
            }
            Identity::Auditor => Err(hidden("auditors read records, not accounts")),
        }
    }

    pub(super) async fn found(
        &self,
        actor: &Actor,
        reference: &LearnerReference,
        below: Option<u64>,
    ) -> Result<Handle, Status> {
        let found = self.engine.resolve_below(actor, reference, below).await;
        let found = found.map_err(|fault| status::faulted(&fault))?;
        let found = found.map(|(handle, _, _)| handle);
        found.map_err(|rejection| refuse_then(&rejection, below))
    }

    async fn has_issued_to(&self, id: &InstitutionId, learner: Handle) -> Result<bool, Status> {
        let size = self.head().await?.size;
        let store = &**self.engine.store();
        let holds = self.views.holds_of(store, learner, size, id.as_str());
        holds.await.map_err(|fault| status::views_faulted(&fault))
    }
}

/// The account that the caller may see whatever it holds, when they name it by its handle.
fn plain(caller: &Identity, wire: Option<&v1::LearnerReference>) -> Option<Handle> {
    let named = |handle: &str| from_proto::handle("learner.handle", handle).ok();
    match (caller, wire.and_then(|wire| wire.reference.as_ref())) {
        (Identity::Operator, Some(Reference::Handle(handle))) => named(handle),
        (Identity::Learner(own), None) if wire.is_none() => Some(*own),
        (Identity::Learner(own), Some(Reference::Handle(handle))) => {
            named(handle).filter(|handle| handle == own)
        }
        _ => None,
    }
}

const OWN_ONLY: &str = "a learner reads their own account only";

const NO_RECORD: &str = "this account holds no record of yours: name the learner by a student number of \
                         your own";

fn hidden(sentence: &str) -> Status {
    Explanation::new(Code::PermissionDenied, "ACCOUNT_NOT_VISIBLE", sentence).status()
}
