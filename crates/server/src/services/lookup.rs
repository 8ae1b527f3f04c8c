//! One record as its issuer sees it, by name.
//!
//! Apart from the calls that change records because this goes to the stored bodies alone.

use api::v1;
use ledger::account::HoldingStanding;
use ledger::words::RecordName;
use ledger::{Account, EventKind, Rejection, codec};
use store::EventStore;
use tonic::Status;

use super::records::unknown;
use super::{Context, refuse_then};
use crate::status;
use crate::to_proto;

/// How often a record may move to another account while it is being read.
const MOVES_MAX: usize = 4;

impl<S: EventStore> Context<S> {
    /// One record with its versions.
    pub(super) async fn record(
        &self,
        name: &RecordName,
        as_of: Option<v1::AsOf>,
    ) -> Result<v1::Record, Status> {
        let asked = self.moment(as_of).await?;
        for _ in 0..MOVES_MAX {
            let with = self.engine.record_below(name, asked.below()).await;
            let Some(with) = with.map_err(|fault| status::faulted(&fault))? else {
                let rejection = self.why_unknown(name).await?;
                return Err(refuse_then(&rejection, asked.below()));
            };
            let moment = self.renewed(asked).await?;
            let account = self.account(with, moment.size).await?;
            if let Some(state) = account.state(name, moment.on) {
                return self.shown(name, &account, state, moment.size).await;
            }
            // It has moved since: look where it is now.
        }
        Err(Status::aborted("the record is being moved: read again"))
    }

    /// A record in an account that has it.
    pub(super) async fn shown(
        &self,
        name: &RecordName,
        account: &Account,
        state: ledger::account::HoldingState,
        as_of_size: u64,
    ) -> Result<v1::Record, Status> {
        let versions = account.versions(name);
        let positions: Vec<_> = versions
            .iter()
            .map(|version| chain::Position(version.position.0))
            .collect();
        let records = self.records(&positions).await?;
        let learner = account.learner();
        let version = |(version, record): (&ledger::account::Version, &chain::Record)| {
            let content = version.achievement.as_deref();
            v1::RecordVersion {
                receipt: Some(to_proto::receipt_of(record)),
                achievement: content.map(|content| v1::Achievement {
                    signature: version.signature.as_deref().map(to_proto::signature),
                    ..to_proto::achievement(&name.issuer, learner, content)
                }),
                reason: version.reason.clone(),
                signed: version.signature.is_some(),
            }
        };
        let holding = account.holding(name);
        // A later version says its own reason; here belongs why the record stands as it does.
        let changed = holding
            .is_some_and(|held| held.standing() != HoldingStanding::InForce || versions.len() <= 1);
        let state_reason = holding
            .filter(|_| changed)
            .map(|held| held.reason().to_owned());
        Ok(v1::Record {
            name: Some(to_proto::record_name(name)),
            state: to_proto::record_state(state).into(),
            learner_handle: learner.to_string(),
            versions: versions.iter().zip(&records).map(version).collect(),
            state_reason: state_reason.unwrap_or_default(),
            as_of_size,
        })
    }

    /// Erased or never there: an erased record id leads to the erasure that suppresses it.
    async fn why_unknown(&self, name: &RecordName) -> Result<Rejection, Status> {
        let key = store::Key(self.engine.secret().record_name(name).0);
        let found = self.engine.store().find(&[key]).await;
        let found = found.map_err(|error| status::faulted(&error.into()))?;
        let latest: Vec<_> = found.into_iter().flatten().collect();
        let erased = codec::number_of(EventKind::LearnerErased);
        let suppressed = self.records(&latest).await?;
        let suppressed = suppressed.iter().any(|it| it.leaf.kind == erased);
        Ok(match suppressed {
            true => Rejection::RecordErased {
                record_id: name.record_id.clone(),
            },
            false => unknown(name),
        })
    }
}
