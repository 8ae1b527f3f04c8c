//! What an institution recorded, in the order of first recording: all of it, or what a filter chooses.
//!
//! Apart from `lookup` because the views give the candidates. Whether one matches as of the moment, its
//! own events say: first its content in force, which is cheap, then its state in the account, for which
//! that is folded.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use api::v1;
use chain::{Position, Record};
use ledger::account::HoldingState;
use ledger::words::{Achievement, LearnerReference, RecordName};
use ledger::{Account, Actor, Body, Event, EventKind, Handle, InstitutionId, codec};
use prost::Message;
use store::EventStore;
use tonic::Status;

use super::as_of::Moment;
use super::paging::{self, List, Page, Question};
use super::{Context, event, refuse};
use crate::from_proto::{self, RecordFilter};
use crate::status;
use crate::to_proto;

/// Candidates that one call looks at before it returns what it has; a search that finds few counts as
/// [`LOOK_AHEAD`] of them.
const LOOKED_AT_MAX: usize = 4_096;
/// Candidates whose records are read at once.
const LOOK_AHEAD: usize = 256;

/// Accounts that one answer has folded so far.
type Folded = BTreeMap<Handle, Account>;

impl<S: EventStore> Context<S> {
    /// Records of an issuer.
    pub(super) async fn listed(
        &self,
        issuer: &InstitutionId,
        wire: v1::ListRecordsRequest,
    ) -> Result<v1::ListRecordsResponse, Status> {
        let mut page = Page::new(wire.page_size).map_err(refuse)?;
        let asked = wire.filter.as_ref().map(Message::encode_to_vec);
        let asked = [issuer.as_str().as_bytes(), &asked.unwrap_or_default()];
        let question = Question::new(List::Records, &asked);
        let filter = from_proto::record_filter(wire.filter).map_err(refuse)?;
        let (moment, after) = self.page(&question, &wire.page_token, wire.as_of).await?;
        let mut after = paging::position(after)?.map(Position);
        self.caught_up(moment.size).await?;
        let (mut folded, mut looked_at) = (Folded::new(), 0);
        let more = 'page: loop {
            // One more than fits tells whether there is a next page.
            let limit = LOOK_AHEAD.min(page.entries_max() + 1);
            let found = self
                .views
                .search(&filter.search(issuer), after, moment.size, limit);
            let found = found.map_err(|fault| status::views_faulted(&fault))?;
            let firsts = self.records(&found.positions).await?;
            for (position, first) in found.positions.iter().zip(&firsts) {
                let record = self.matching(&filter, first, moment, &mut folded).await?;
                if record.is_some_and(|record| !page.add(record)) {
                    break 'page after;
                }
                after = Some(*position);
            }
            // A search that found less has looked as far as it may, for want of what matches.
            looked_at += match found.positions.len() {
                n_found if n_found < limit => LOOK_AHEAD,
                n_found => n_found,
            };
            after = found.until;
            if after.is_none() || looked_at >= LOOKED_AT_MAX {
                break after;
            }
            // A long way without anything to show must not keep others from their turn.
            tokio::task::yield_now().await;
        };
        let token = |after: Position| self.page_token(&question, moment, &after.0.to_be_bytes());
        Ok(v1::ListRecordsResponse {
            records: page.into_entries(),
            next_page_token: more.map_or_else(String::new, token),
            as_of_size: moment.size,
        })
    }

    /// The record that was first recorded there, if it matches as of the moment.
    async fn matching(
        &self,
        filter: &RecordFilter,
        first: &Record,
        moment: Moment,
        folded: &mut Folded,
    ) -> Result<Option<v1::Record>, Status> {
        if first.leaf.kind != codec::number_of(EventKind::AchievementRecorded) {
            return Ok(None);
        }
        let first_event = event(first)?;
        let erased = || Ok(filter.takes_erased().then(|| erased(first, moment)));
        let Body::AchievementRecorded(new) = &first_event.body else {
            return erased();
        };
        let name = RecordName {
            issuer: first_event.issuer.clone(),
            record_id: new.achievement.record_id.clone(),
        };
        let (content, with) = self.in_force(&name, first, &first_event, moment).await?;
        if !filter.takes_content(&content) {
            return Ok(None);
        }
        let account = self.holder(with, moment, folded).await?;
        match account.state(&name, moment.on) {
            Some(HoldingState::Erased) => erased(),
            Some(state) if filter.takes_state(state) => self
                .shown(&name, account, state, moment.size)
                .await
                .map(Some),
            _ => Ok(None),
        }
    }

    /// A record's content in force, and the account to which it was given last.
    async fn in_force(
        &self,
        name: &RecordName,
        first: &Record,
        first_event: &Event,
        moment: Moment,
    ) -> Result<(Achievement, Handle), Status> {
        let key = store::Key(self.engine.secret().record_name(name).0);
        let from = Position(first.leaf.position.0 + 1);
        let later = self
            .engine
            .store()
            .find_all(key, from, Position(moment.size));
        let later = later
            .await
            .map_err(|fault| status::faulted(&fault.into()))?;
        let later = self.records(&later).await?;
        let later = later.iter().map(event).collect::<Result<Vec<_>, _>>()?;
        let events = || later.iter().rev().chain([first_event]);
        let content = events().find_map(|event| event.body.content());
        let given = events().find(|event| {
            let kind = event.body.kind();
            matches!(
                kind,
                EventKind::AchievementReceived | EventKind::AchievementRecorded
            )
        });
        match (content, given.and_then(|event| event.learner)) {
            (Some(content), Some(with)) => Ok((content.clone(), with)),
            _ => Err(Status::internal(
                "a recorded achievement has content and a learner",
            )),
        }
    }

    /// The account that holds what was given to that one.
    async fn holder<'f>(
        &self,
        handle: Handle,
        moment: Moment,
        folded: &'f mut Folded,
    ) -> Result<&'f Account, Status> {
        if !self.fold(handle, moment, folded).await?.is_closed() {
            return self.fold(handle, moment, folded).await;
        }
        let reference = LearnerReference::Handle(handle);
        let below = Some(moment.size);
        let holder = self.found(&Actor::Operator, &reference, below).await?;
        self.fold(holder, moment, folded).await
    }

    async fn fold<'f>(
        &self,
        handle: Handle,
        moment: Moment,
        folded: &'f mut Folded,
    ) -> Result<&'f Account, Status> {
        match folded.entry(handle) {
            Entry::Occupied(known) => Ok(known.into_mut()),
            Entry::Vacant(unknown) => {
                let account = self.account(handle, moment.size).await?;
                Ok(unknown.insert(account))
            }
        }
    }
}

/// A record of which the leaf is all that is left.
fn erased(first: &Record, moment: Moment) -> v1::Record {
    let learner = first.leaf.learner.map(|link| link.handle.to_string());
    let receipt = Some(to_proto::receipt_of(first));
    v1::Record {
        name: Some(v1::RecordName {
            issuer_id: first.leaf.issuer.as_str().to_owned(),
            record_id: String::new(),
        }),
        state: v1::RecordState::Erased.into(),
        learner_handle: learner.unwrap_or_default(),
        versions: vec![v1::RecordVersion {
            receipt,
            ..v1::RecordVersion::default()
        }],
        as_of_size: moment.size,
        ..v1::Record::default()
    }
}
