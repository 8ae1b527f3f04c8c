//! Loading facts from the store, for decisions on a partial state.
//!
//! Most facts are one look-up: a record id never seen, a student number's latest link, an account whose
//! last event says where it stands. Only what has a history (merges, new versions, suspensions) is read
//! whole, by walking the learners' chains backwards, and folded by the ledger's own `apply`.

use std::collections::{BTreeMap, BTreeSet};

use smallvec::SmallVec;

use chain::{LearnerTip, Record};
use ledger::codec;
use ledger::event::{LedgerOpened, Opening};
use ledger::state::{Fact, Learner, Link, Need, RecordFact, Request};
use ledger::words::ProvisionalReference;
use ledger::{
    Body, Event, EventKind, Handle, InstitutionId, Key, KeySecret, Position, Revision, State,
};
use store::EventStore;

use super::fault::EngineFault;
use super::join;

/// A fact with what the chain needs beside it: a learner's last record.
#[derive(Debug, Clone)]
pub(crate) struct Loaded {
    pub(crate) fact: Fact,
    pub(crate) tip: Option<LearnerTip>,
    /// Whether it was in the cache.
    pub(crate) cached: bool,
}

impl Loaded {
    fn new(fact: Fact, tip: Option<LearnerTip>) -> Self {
        let cached = false;
        Loaded { fact, tip, cached }
    }

    /// Whether more may have to be known because of it: what does not exist mostly leads nowhere.
    pub(crate) fn leads_on(&self) -> bool {
        match &self.fact {
            Fact::Learner(_, found) => found.is_some(),
            Fact::Record(_, found) => found.is_some(),
            Fact::Result(_, found) => found.is_some(),
            // Where there is no account one may be opened.
            Fact::Student(..) | Fact::Document(..) | Fact::Reference(..) | Fact::Request(..) => {
                true
            }
        }
    }
}

/// Reads facts.
#[derive(Debug)]
pub(crate) struct Loader<'a, S> {
    pub(crate) store: &'a S,
    pub(crate) secret: &'a KeySecret,
    /// The complete state of a ledger that has just been opened.
    pub(crate) opened: &'a State,
    /// Reads only the first so many records; `None` reads all.
    pub(crate) below: Option<u64>,
}

/// One learner's events and those of every account ever joined with it, in order.
#[derive(Debug)]
pub(crate) struct History {
    pub(crate) events: BTreeMap<Position, Event>,
    /// The last record of each account.
    pub(crate) tips: BTreeMap<Handle, LearnerTip>,
}

impl<S: EventStore> Loader<'_, S> {
    /// Answers every need, in one look-up where nothing has a history.
    pub(crate) async fn load(&self, needs: &[Need]) -> Result<Vec<Loaded>, EngineFault> {
        let mut keys = Vec::with_capacity(needs.len());
        // Of each need how many keys those before it and it have together.
        let mut until = Vec::with_capacity(needs.len());
        for need in needs {
            self.keys(*need, &mut keys);
            until.push(keys.len());
        }
        let found = self.find(&keys).await?;
        let records = self.records(found.iter().flatten().copied()).await?;

        let mut loaded = Vec::with_capacity(needs.len());
        let mut from = 0;
        for (need, until) in needs.iter().zip(until) {
            let of_need = found.get(std::mem::replace(&mut from, until)..until);
            let hits = of_need.unwrap_or_default().iter();
            let hits: Hits<'_> = hits.map(|at| at.and_then(|at| records.at(at))).collect();
            loaded.push(match hits.iter().flatten().next() {
                Some(_) => self.fact(*need, &hits).await?,
                None => Loaded::new(Fact::absent(*need), None),
            });
        }
        Ok(loaded)
    }

    fn keys(&self, need: Need, keys: &mut Vec<store::Key>) {
        let mut push = |key| keys.push(join::store_key(key));
        match need {
            Need::Learner(handle) => {
                push(self.secret.learner(handle));
                push(self.secret.profile(handle));
                push(self.secret.absorbed(handle));
                push(self.secret.reopened(handle));
            }
            Need::Record(key)
            | Need::Student(key)
            | Need::Document(key)
            | Need::Reference(key)
            | Need::Result(key)
            | Need::Request(key) => push(key),
        }
    }

    /// The latest position of each key.
    async fn find(&self, keys: &[store::Key]) -> Result<Vec<Option<chain::Position>>, EngineFault> {
        let Some(below) = self.below else {
            return Ok(self.store.find(keys).await?);
        };
        let mut found = Vec::with_capacity(keys.len());
        for key in keys {
            let all = self
                .store
                .find_all(*key, chain::Position(0), chain::Position(below));
            found.push(all.await?.last().copied());
        }
        Ok(found)
    }

    async fn records(
        &self,
        positions: impl Iterator<Item = chain::Position>,
    ) -> Result<Records, EngineFault> {
        let mut positions: Vec<chain::Position> = positions.collect();
        positions.sort_unstable();
        positions.dedup();
        let records = self.store.get(&positions).await?;
        Ok(Records { positions, records })
    }

    async fn fact(&self, need: Need, hits: &[Option<&Record>]) -> Result<Loaded, EngineFault> {
        let latest = hits.first().copied().flatten();
        // Of a learner's last record the leaf is enough.
        let telling = latest.filter(|_| !matches!(need, Need::Learner(_)));
        let event = telling.map(decode).transpose()?;
        let position = latest.map(join::position).unwrap_or_default();
        let found = event.as_ref();
        let on_chain = found.and_then(|event| event.learner);
        let fact = match need {
            Need::Learner(handle) => return self.learner(handle, hits).await,
            Need::Record(key) => Fact::Record(key, self.record(key, found, position).await?),
            Need::Student(key) => Fact::Student(key, found.and_then(|e| link(e, position))),
            Need::Document(key) => Fact::Document(key, on_chain.filter(|_| has_body(found))),
            Need::Reference(key) => Fact::Reference(key, on_chain.filter(|_| has_body(found))),
            Need::Result(key) => Fact::Result(key, found.and_then(|event| self.claimer(event))),
            Need::Request(key) => {
                Fact::Request(key, found.and_then(|event| self.request(event, position)))
            }
        };
        Ok(Loaded::new(fact, None))
    }

    /// An account without merges is told by its last event and its last attributes.
    async fn learner(
        &self,
        handle: Handle,
        hits: &[Option<&Record>],
    ) -> Result<Loaded, EngineFault> {
        let [Some(last), profile, absorbed, reopened] = hits else {
            return Ok(Loaded::new(Fact::Learner(handle, None), None));
        };
        let position = last.leaf.position.0;
        let kind = codec::kind_of(last.leaf.kind).map_err(EngineFault::decode(position))?;
        let joined = matches!(
            kind,
            EventKind::LearnerMerged | EventKind::LearnerErased | EventKind::LearnerIdentityErased
        );
        let profile = profile.map(decode).transpose()?;
        let simple = profile.filter(|_| absorbed.is_none() && reopened.is_none() && !joined);
        let Some(profile) = simple.filter(|profile| !matches!(profile.body, Body::Erased(_)))
        else {
            return self.learner_from_history(handle).await;
        };
        let tip = tip(last);
        // The last attributes, as if they had opened the account.
        let is_update = matches!(profile.body, Body::LearnerUpdated(_));
        let opening = is_update.then(|| registered_bare(&profile));
        let events = opening.iter().chain([&profile]);
        let state = self.replayed(events.map(|event| (Position(0), event)));
        let mut learner = learner_in(&state, handle);
        if let (Some(learner), Some(tip)) = (&mut learner, &tip) {
            learner.revision = Revision(tip.revision.saturating_add(1));
        }
        Ok(Loaded::new(Fact::Learner(handle, learner), tip))
    }

    async fn learner_from_history(&self, handle: Handle) -> Result<Loaded, EngineFault> {
        let history = self.history(handle).await?;
        let state = self.replay(&history);
        let tip = history.tips.get(&handle).copied();
        Ok(Loaded::new(
            Fact::Learner(handle, learner_in(&state, handle)),
            tip,
        ))
    }

    async fn record(
        &self,
        key: Key,
        latest: Option<&Event>,
        position: Position,
    ) -> Result<Option<RecordFact>, EngineFault> {
        let Some(event) = latest else { return Ok(None) };
        let Some(handle) = event.learner else {
            return Ok(None);
        };
        match &event.body {
            Body::LearnerErased(_) | Body::Erased(_) => Ok(Some(RecordFact::Suppressed)),
            // The usual case: recorded once, and nothing since.
            Body::AchievementRecorded(_) => {
                let state = self.replayed(std::iter::once((position, event)));
                Ok(state.record(key).ok().flatten().cloned())
            }
            _ => {
                let state = self.replay(&self.history(handle).await?);
                Ok(state.record(key).ok().flatten().cloned())
            }
        }
    }

    fn claimer(&self, event: &Event) -> Option<Key> {
        let record_id = match &event.body {
            Body::AchievementRecorded(new) => &new.achievement.record_id,
            Body::AchievementSuperseded(new) => &new.achievement.record_id,
            Body::AchievementReceived(received) => &received.achievement.record_id,
            _ => return None,
        };
        Some(self.secret.record(&event.issuer, record_id))
    }

    fn request(&self, event: &Event, position: Position) -> Option<Request> {
        let learner = event.learner.filter(|_| has_body(Some(event)))?;
        let content = self.secret.content(&codec::encode(&event.body));
        Some(Request {
            position,
            learner,
            content,
        })
    }

    /// Walks back the chain of the account and of every account ever joined with it.
    pub(crate) async fn history(&self, handle: Handle) -> Result<History, EngineFault> {
        let mut history = History {
            events: BTreeMap::new(),
            tips: BTreeMap::new(),
        };
        let mut seen = BTreeSet::from([handle]);
        let mut open = vec![handle];
        while let Some(handle) = open.pop() {
            let key = join::store_key(self.secret.learner(handle));
            let mut next = self.find(&[key]).await?.first().copied().flatten();
            while let Some(position) = next {
                let record = self.one(position).await?;
                let event = decode(&record)?;
                if let Some(tip) = tip(&record) {
                    history.tips.entry(handle).or_insert(tip);
                }
                open.extend(joined(&event).filter(|joined| seen.insert(*joined)));
                history.events.insert(join::position(&record), event);
                let link = record.leaf.learner.filter(|link| link.revision > 0);
                next = link.map(|link| link.previous_position);
            }
        }
        Ok(history)
    }

    async fn one(&self, position: chain::Position) -> Result<Record, EngineFault> {
        let mut records = self.store.get(&[position]).await?;
        Ok(records.pop().expect("a store answers every position"))
    }

    /// The complete state of those events alone.
    pub(crate) fn replay(&self, history: &History) -> State {
        self.replayed(
            history
                .events
                .iter()
                .map(|(position, event)| (*position, event)),
        )
    }

    fn replayed<'e>(&self, events: impl IntoIterator<Item = (Position, &'e Event)>) -> State {
        let mut state = self.opened.clone();
        for (position, event) in events {
            state.apply_at(position, event);
        }
        state
    }
}

/// The complete state of a ledger that has just been opened.
pub(super) fn just_opened(opened: &LedgerOpened) -> State {
    let mut state = State::new();
    let opening = Event {
        issuer: InstitutionId::operator(),
        submitter: InstitutionId::operator(),
        learner: None,
        body: Body::LedgerOpened(opened.clone()),
    };
    state.apply_at(Position(0), &opening);
    state
}

/// Of each key of a need the record that it leads to.
type Hits<'r> = SmallVec<[Option<&'r Record>; 4]>;

/// Records by position.
struct Records {
    /// Sorted.
    positions: Vec<chain::Position>,
    records: Vec<Record>,
}

impl Records {
    fn at(&self, position: chain::Position) -> Option<&Record> {
        let idx = self.positions.binary_search(&position).ok()?;
        self.records.get(idx)
    }
}

fn decode(record: &Record) -> Result<Event, EngineFault> {
    join::event(record).map_err(EngineFault::decode(record.leaf.position.0))
}

fn tip(record: &Record) -> Option<LearnerTip> {
    let link = record.leaf.learner?;
    let (position, hash) = (record.leaf.position, record.hash());
    Some(LearnerTip {
        revision: link.revision,
        position,
        hash,
    })
}

fn has_body(event: Option<&Event>) -> bool {
    event.is_some_and(|event| !matches!(event.body, Body::Erased(_)))
}

fn learner_in(state: &State, handle: Handle) -> Option<Learner> {
    state.learner(handle).ok().flatten().cloned()
}

/// An opening without attributes, for the same account.
fn registered_bare(event: &Event) -> Event {
    let body = Body::Erased(EventKind::LearnerRegistered);
    Event {
        body,
        ..event.clone()
    }
}

fn link(event: &Event, position: Position) -> Option<Link> {
    let handle = event.learner?;
    let linked = match &event.body {
        Body::IdentityLinked(_) => true,
        Body::IdentityUnlinked(_) => false,
        Body::LearnerRegistered(registered) => matches!(
            registered.opening,
            Opening::Provisional(ProvisionalReference::Student(_))
        ),
        _ => return None,
    };
    Some(Link {
        handle,
        linked,
        position,
    })
}

/// The accounts that an event joins with the one on whose chain it lies; that a record came from
/// another, which knows its earlier versions, is one way.
fn joined(event: &Event) -> impl Iterator<Item = Handle> + use<> {
    let from = match &event.body {
        Body::AchievementReceived(received) => Some(received.from),
        _ => None,
    };
    event.body.joined().into_iter().chain(from)
}
