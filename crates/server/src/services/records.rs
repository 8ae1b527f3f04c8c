//! RecordService: institutions submit achievements and look after them.

use std::sync::Arc;

use api::v1;
use api::v1::record_service_server::RecordService;
use ledger::{Action, Rejection, Revision};
use prost::Message;
use store::EventStore;
use tonic::{Request, Response, Status};

use super::batch::{Item, Manner};
use super::{Caller, Context, done, opened_by_actor, refuse};
use crate::engine::{Engine, Mode};
use crate::from_proto::{self, Change, NewLearners};
use crate::limits::Exceeded;
use crate::status::{self, Explanation};
use crate::to_proto;

/// The service.
pub struct Records<S>(pub Arc<Context<S>>);

/// What the three changes to several records ask: the same, in three messages.
struct Several {
    issuer_id: String,
    record_ids: Vec<String>,
    reason: String,
    atomic: bool,
    validate_only: bool,
}

/// [`Several`] of any of the three messages, which have the same fields and no common type.
macro_rules! several {
    ($wire:ident) => {
        Several {
            issuer_id: $wire.issuer_id,
            record_ids: $wire.record_ids,
            reason: $wire.reason,
            atomic: $wire.atomic,
            validate_only: $wire.validate_only,
        }
    };
}

impl<S: EventStore> Records<S> {
    /// The achievements of a call as items of a batch, each with its learner if they are to be registered
    /// with it.
    pub(super) fn items(
        &self,
        caller: &Caller,
        achievements: Vec<v1::Achievement>,
        new_learners: Vec<v1::NewLearner>,
    ) -> Result<Vec<Item>, Status> {
        self.0.check_count("achievements", achievements.len())?;
        NewLearners::check_count(new_learners.len(), achievements.len()).map_err(refuse)?;
        let new_learners = NewLearners::read(new_learners, &caller.acting).map_err(refuse)?;
        let item = |wire| {
            let item = self.item(caller, wire)?;
            let joined = |action| {
                let joined = new_learners.join(action);
                joined.map_err(|rejection| Explanation::from(&rejection))
            };
            Ok(Item {
                action: item.action.and_then(joined),
                ..item
            })
        };
        achievements.into_iter().map(item).collect()
    }

    /// One achievement as an item of a batch.
    fn item(&self, caller: &Caller, wire: v1::Achievement) -> Result<Item, Status> {
        let drawn = self
            .0
            .engine
            .fresh_handle()
            .map_err(|fault| status::faulted(&fault))?;
        let record_id = wire.record_id.clone();
        let wire_bytes = wire.encoded_len();
        let action = from_proto::submission(wire, &caller.acting, drawn)
            .map_err(|rejection| Explanation::from(&rejection))
            .and_then(|action| {
                self.within_limit(wire_bytes, action)
                    .map_err(Explanation::from)
            });
        Ok(Item {
            record_id,
            drawn: Some(drawn),
            action,
        })
    }

    /// The body that is recorded is about as long as the message, so that only a long message needs to
    /// be encoded to know.
    fn within_limit(&self, wire_bytes: usize, action: Action) -> Result<Action, Exceeded> {
        let max = self.0.limits.achievement_body_bytes_max;
        if wire_bytes <= max / 2 {
            return Ok(action);
        }
        let (Action::Submit { achievement, .. } | Action::Supersede { achievement, .. }) = &action
        else {
            return Ok(action);
        };
        let bytes = ledger::codec::encode_achievement(achievement).len();
        if bytes > max {
            Err(Exceeded::AchievementBytes { bytes, max })
        } else {
            Ok(action)
        }
    }

    /// The same change to several records.
    async fn change(
        &self,
        change: Change,
        caller: Caller,
        wire: Several,
    ) -> Result<Vec<v1::RecordOutcome>, Status> {
        self.0.check_count("record_ids", wire.record_ids.len())?;
        let record_ids = wire.record_ids.clone();
        let (issuer, reason) = (&wire.issuer_id, &wire.reason);
        let actions = from_proto::records(change, issuer, wire.record_ids, reason, &caller.acting)
            .map_err(refuse)?;
        let item = |(record_id, action)| Item {
            record_id,
            drawn: None,
            action: Ok(action),
        };
        let items = record_ids.into_iter().zip(actions).map(item).collect();
        let manner = Manner {
            atomic: wire.atomic,
            validate_only: wire.validate_only,
        };
        self.0.batch(&caller, items, manner).await
    }

    /// One command about one record.
    async fn single(
        &self,
        caller: &Caller,
        item: Item,
        validate_only: bool,
    ) -> Result<v1::RecordOutcome, Status> {
        let action = item.action.map_err(Explanation::status)?;
        let command = ledger::Command {
            actor: caller.actor.clone(),
            action,
        };
        let mode = if validate_only {
            Mode::ValidateEach
        } else {
            Mode::Each
        };
        let outcomes = self.0.execute(vec![command], mode).await?;
        let done = done(outcomes.into_iter().next())?;
        Ok(to_proto::outcome(item.record_id, Ok(done), item.drawn))
    }
}

#[tonic::async_trait]
impl<S: EventStore> RecordService for Records<S> {
    async fn submit_record(
        &self,
        request: Request<v1::SubmitRecordRequest>,
    ) -> Result<Response<v1::SubmitRecordResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let achievement = from_proto::required("achievement", wire.achievement).map_err(refuse)?;
        let item = self.item(&caller, achievement)?;
        let outcome = Some(self.single(&caller, item, wire.validate_only).await?);
        Ok(Response::new(v1::SubmitRecordResponse { outcome }))
    }

    type StreamSubmitRecordsStream = super::feed::Answers<v1::StreamSubmitRecordsResponse>;

    async fn stream_submit_records(
        &self,
        request: Request<tonic::Streaming<v1::StreamSubmitRecordsRequest>>,
    ) -> Result<Response<Self::StreamSubmitRecordsStream>, Status> {
        self.stream_submit(request).await
    }

    async fn batch_submit_records(
        &self,
        request: Request<v1::BatchSubmitRecordsRequest>,
    ) -> Result<Response<v1::BatchSubmitRecordsResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let items = self.items(&caller, wire.achievements, wire.new_learners)?;
        let manner = Manner {
            atomic: wire.atomic,
            validate_only: wire.validate_only,
        };
        let outcomes = self.0.batch(&caller, items, manner).await?;
        Ok(Response::new(v1::BatchSubmitRecordsResponse { outcomes }))
    }

    async fn get_record(
        &self,
        request: Request<v1::GetRecordRequest>,
    ) -> Result<Response<v1::GetRecordResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let name = from_proto::record_name(wire.name, &caller.acting).map_err(refuse)?;
        self.0.acting_for(&name.issuer, &caller)?;
        let record = Some(self.0.record(&name, wire.as_of).await?);
        Ok(Response::new(v1::GetRecordResponse { record }))
    }

    async fn list_records(
        &self,
        request: Request<v1::ListRecordsRequest>,
    ) -> Result<Response<v1::ListRecordsResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let issuer =
            from_proto::institution_or_acting("issuer_id", &wire.issuer_id, &caller.acting)
                .map_err(refuse)?;
        self.0.acting_for(&issuer, &caller)?;
        let page = self.0.listed(&issuer, wire).await?;
        Ok(Response::new(page))
    }

    async fn supersede_record(
        &self,
        request: Request<v1::SupersedeRecordRequest>,
    ) -> Result<Response<v1::SupersedeRecordResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let validate_only = wire.validate_only;
        let wire_bytes = wire.encoded_len();
        let record_id = wire.achievement.as_ref().map(|wire| wire.record_id.clone());
        let record_id = record_id.unwrap_or_default();
        let action = from_proto::supersession(wire, &caller.acting)
            .map_err(|rejection| Explanation::from(&rejection))
            .and_then(|action| {
                self.within_limit(wire_bytes, action)
                    .map_err(Explanation::from)
            });
        let item = Item {
            record_id,
            drawn: None,
            action,
        };
        let outcome = Some(self.single(&caller, item, validate_only).await?);
        Ok(Response::new(v1::SupersedeRecordResponse { outcome }))
    }

    async fn revoke_records(
        &self,
        request: Request<v1::RevokeRecordsRequest>,
    ) -> Result<Response<v1::RevokeRecordsResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let outcomes = self.change(Change::Revoke, caller, several!(wire)).await?;
        Ok(Response::new(v1::RevokeRecordsResponse { outcomes }))
    }

    async fn suspend_records(
        &self,
        request: Request<v1::SuspendRecordsRequest>,
    ) -> Result<Response<v1::SuspendRecordsResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let outcomes = self.change(Change::Suspend, caller, several!(wire)).await?;
        Ok(Response::new(v1::SuspendRecordsResponse { outcomes }))
    }

    async fn reinstate_records(
        &self,
        request: Request<v1::ReinstateRecordsRequest>,
    ) -> Result<Response<v1::ReinstateRecordsResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let outcomes = self
            .change(Change::Reinstate, caller, several!(wire))
            .await?;
        Ok(Response::new(v1::ReinstateRecordsResponse { outcomes }))
    }

    async fn reassign_record(
        &self,
        request: Request<v1::ReassignRecordRequest>,
    ) -> Result<Response<v1::ReassignRecordResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let (name, to) =
            from_proto::reassignment(wire.name, wire.to_learner, &wire.reason, &caller.acting)
                .map_err(refuse)?;
        // Said before the content is read, so that nobody learns of a record that is not theirs.
        self.0.acting_for(&name.issuer, &caller)?;
        let record_id = name.record_id.clone();
        let expected = wire.expected_revision.map(Revision);
        let actor = caller.actor;
        let (reason, validate_only) = (wire.reason, wire.validate_only);
        let reassign = |engine: Arc<Engine<S>>| async move {
            let reassigned = engine.reassign(actor, name, to, reason, expected, validate_only);
            reassigned.await
        };
        let outcome = self.0.carry_through(1, reassign).await?;
        let done = done(Some(outcome))?;
        let outcome = Some(to_proto::outcome(record_id, Ok(done), None));
        Ok(Response::new(v1::ReassignRecordResponse { outcome }))
    }
}

/// The rejection of a record that its issuer does not have.
pub(super) fn unknown(name: &ledger::words::RecordName) -> Rejection {
    Rejection::UnknownRecord {
        issuer: name.issuer.clone(),
        record_id: name.record_id.clone(),
    }
}
