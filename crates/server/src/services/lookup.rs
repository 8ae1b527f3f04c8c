//! Records as their issuer sees them: one by name, or all in order.
//!
//! Apart from the calls that change records because these go to the views and the stored bodies.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use api::v1;
use ledger::account::HoldingStanding;
use ledger::words::RecordName;
use ledger::{Account, Body, Handle, InstitutionId, Rejection};
use store::EventStore;
use tonic::Status;

use super::paging::{self, List, Page};
use super::records::unknown;
use super::{Context, event, refuse};
use crate::status;
use crate::to_proto;

/// How often a record may move to another account while it is being read.
const MOVES_MAX: usize = 4;

/// Accounts that one answer has folded so far.
type Folded = BTreeMap<Handle, (Account, u64)>;

impl<S: EventStore> Context<S> {
    /// One record with its versions.
    pub(super) async fn record(&self, name: &RecordName) -> Result<v1::Record, Status> {
        self.caught_up().await?;
        match self.known_record(name, &mut Folded::new()).await? {
            Some(record) => Ok(record),
            None => Err(refuse(self.why_unknown(name).await?)),
        }
    }

    /// Records of an issuer, in the order of first recording.
    pub(super) async fn issued(
        &self,
        issuer: &InstitutionId,
        page_size: u32,
        page_token: &str,
    ) -> Result<v1::ListRecordsResponse, Status> {
        let mut page = Page::new(page_size).map_err(refuse)?;
        let after = paging::after_number(List::Records, page_token).map_err(refuse)?;
        self.caught_up().await?;
        let as_of_size = self.views.applied();
        // One more than fits tells whether there is a next page.
        let limit = page.entries_max() + 1;
        let after = after.map(chain::Position);
        let found = self.views.issued(issuer.as_str(), after, limit);
        let found = found.map_err(|fault| status::views_faulted(&fault))?;
        let mut folded = Folded::new();
        let mut last = None;
        let mut next_page_token = String::new();
        for (position, first) in found.iter().zip(self.records(&found).await?) {
            let record = self
                .issued_record(issuer, &first, &mut folded, as_of_size)
                .await?;
            if !page.add(record) {
                next_page_token = last.map_or_else(String::new, |last: chain::Position| {
                    paging::token(List::Records, &last.0.to_string())
                });
                break;
            }
            last = Some(*position);
        }
        let records = page.into_entries();
        Ok(v1::ListRecordsResponse {
            records,
            next_page_token,
            as_of_size,
        })
    }

    /// A record as its first version leads to it.
    async fn issued_record(
        &self,
        issuer: &InstitutionId,
        first: &chain::Record,
        folded: &mut Folded,
        as_of_size: u64,
    ) -> Result<v1::Record, Status> {
        if let Body::AchievementRecorded(content) = event(first)?.body {
            let record_id = content.record_id;
            let name = RecordName {
                issuer: issuer.clone(),
                record_id,
            };
            if let Some(record) = self.known_record(&name, folded).await? {
                return Ok(record);
            }
        }
        // Erased: the leaf is all that is left.
        let learner = first.leaf.learner.map(|link| link.handle.to_string());
        let receipt = Some(to_proto::receipt_of(first));
        Ok(v1::Record {
            name: Some(v1::RecordName {
                issuer_id: issuer.as_str().to_owned(),
                record_id: String::new(),
            }),
            state: v1::RecordState::Erased.into(),
            learner_handle: learner.unwrap_or_default(),
            versions: vec![v1::RecordVersion {
                receipt,
                ..v1::RecordVersion::default()
            }],
            as_of_size,
            ..v1::Record::default()
        })
    }

    /// A record that is held; `None` when there is none of that name, or all of it has been erased.
    async fn known_record(
        &self,
        name: &RecordName,
        folded: &mut Folded,
    ) -> Result<Option<v1::Record>, Status> {
        for _ in 0..MOVES_MAX {
            let with = self
                .engine
                .record(name)
                .await
                .map_err(|fault| status::faulted(&fault))?;
            let Some(with) = with else { return Ok(None) };
            let (account, size) = match folded.entry(with) {
                Entry::Occupied(known) => known.into_mut(),
                Entry::Vacant(unknown) => {
                    // What the writer has just moved, the views may not have yet.
                    self.caught_up().await?;
                    unknown.insert(self.account(with).await?)
                }
            };
            if let Some(state) = account.state(name, self.engine.now().date()) {
                let size = *size;
                return self.shown(name, account, state, size).await.map(Some);
            }
            // It has moved since: look where it is now.
            folded.remove(&with);
        }
        Ok(None)
    }

    async fn shown(
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
                achievement: content.map(|it| to_proto::achievement(&name.issuer, learner, it)),
                reason: version.reason.clone(),
                signed: false,
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
        Ok(match found.first().copied().flatten() {
            Some(_) => Rejection::RecordErased {
                record_id: name.record_id.clone(),
            },
            None => unknown(name),
        })
    }
}
