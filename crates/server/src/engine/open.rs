//! Opening: an engine on an empty store begins a ledger, on another it goes on where that ended.
//!
//! Order, on a ledger that exists: the opening is read -> the registry is folded from its events -> an
//! erasure whose event is durable but whose mark is not is carried out -> the writer starts. A crash in
//! between leaves what the next opening does again.
//!
//! Of the log only the registry's events are read, which have a key of their own, and the last record: an
//! opening takes as long as the registry is large, however many learners' records lie between.

use std::sync::{Arc, Mutex};

use chain::{Head, Position};
use ledger::event::LedgerOpened;
use ledger::{Action, Actor, Body, Command, EventKind, KeySecret, State, Timestamp};
use store::EventStore;
use tokio::sync::{mpsc, watch};

use super::cache::LearnerCache;
use super::erasure::covered;
use super::fault::EngineFault;
use super::known::Known;
use super::load::{Loader, just_opened};
use super::random::{self, Random};
use super::writer::{Writer, WriterOptions};
use super::{Engine, ErasureScope, Inner, Mode, Published, Refused, join};
use crate::clock::Clock;

/// How the engine came up.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Opened {
    /// The store was empty: a ledger begins.
    Began,
    /// The ledger goes on.
    Resumed {
        /// Number of records.
        size: u64,
        /// Bodies whose erasure had been cut off and has been carried out now.
        erased: u64,
    },
}

/// Records of the registry in memory at a time: one may have as many bytes as a message.
const FOLDED_AT_ONCE: usize = 32;
/// Jobs that may wait for the writer; callers beyond wait themselves.
const JOBS_MAX: usize = 1_024;

impl<S: EventStore> Engine<S> {
    /// Brings an engine up on a store. An empty one becomes a new ledger that opens with `vocabulary`:
    /// the operator's publications.
    ///
    /// # Errors
    /// When the store fails, or holds no ledger of this format.
    pub async fn open(
        store: Arc<S>,
        clock: Arc<Clock>,
        options: WriterOptions,
        vocabulary: Vec<Action>,
    ) -> Result<(Engine<S>, Opened), EngineFault> {
        let head = store.head().await?;
        if head.size == 0 {
            let engine = begin(store, clock, options, vocabulary).await?;
            return Ok((engine, Opened::Began));
        }
        let opened = opening(store.as_ref()).await?;
        let (state, last_at) = folded(store.as_ref(), &opened, head).await?;
        let erased = redo_erasure(store.as_ref(), &opened, head).await?;
        let engine = start(store, clock, options, opened, state, head, last_at);
        Ok((
            engine,
            Opened::Resumed {
                size: head.size,
                erased,
            },
        ))
    }
}

/// Order: the opening and the vocabulary are one atomic block, so that no ledger exists without them.
async fn begin<S: EventStore>(
    store: Arc<S>,
    clock: Arc<Clock>,
    options: WriterOptions,
    vocabulary: Vec<Action>,
) -> Result<Engine<S>, EngineFault> {
    let opened = LedgerOpened {
        ledger_id: random::bytes()?,
        format_version: 1,
        rules_version: ledger::RULES_VERSION,
        suppression_key: random::bytes()?,
    };
    let empty = State::new().without_facts();
    let engine = start(
        store,
        clock,
        options,
        opened.clone(),
        empty,
        Head::EMPTY,
        Timestamp(0),
    );
    let actions = std::iter::once(Action::OpenLedger(opened)).chain(vocabulary);
    let commands = actions
        .map(|action| Command {
            actor: Actor::Operator,
            action,
        })
        .collect();
    for outcome in engine.execute(commands, Mode::Atomic).await? {
        if let Err(Refused::Rejected(rejection)) = outcome {
            return Err(EngineFault::Opening(rejection));
        }
    }
    Ok(engine)
}

fn start<S: EventStore>(
    store: Arc<S>,
    clock: Arc<Clock>,
    options: WriterOptions,
    opened: LedgerOpened,
    state: State,
    head: Head,
    last_at: Timestamp,
) -> Engine<S> {
    let published = Published {
        base: state.clone(),
        head,
        generation: 0,
        turn: 0,
    };
    let inner = Arc::new(Inner {
        store,
        clock,
        secret: KeySecret(opened.suppression_key),
        just_opened: just_opened(&opened),
        opened,
        random: Random::new(),
        published: watch::Sender::new(published),
        cache: LearnerCache::new(options.learners_max),
        stopped: watch::Sender::new(None),
    });
    let writer = Writer {
        known: Known::new(&state, inner.secret.clone(), options.facts_max),
        inner: Arc::clone(&inner),
        options,
        tail: head,
        last_at,
    };
    let (sender, receiver) = mpsc::channel(JOBS_MAX);
    let writer = tokio::spawn(writer.run(receiver));
    Engine {
        inner,
        jobs: Mutex::new(Some(sender)),
        writer: Mutex::new(Some(writer)),
    }
}

async fn opening<S: EventStore>(store: &S) -> Result<LedgerOpened, EngineFault> {
    let records = store.get(&[Position(0)]).await?;
    let first = records.first().ok_or(EngineFault::NotOpened)?;
    match join::event(first).map_err(EngineFault::decode(0))?.body {
        Body::LedgerOpened(opened) => Ok(opened),
        _ => Err(EngineFault::NotOpened),
    }
}

/// The registry as its events made it, and when the last record was made.
async fn folded<S: EventStore>(
    store: &S,
    opened: &LedgerOpened,
    head: Head,
) -> Result<(State, Timestamp), EngineFault> {
    let positions = registry_positions(store, opened, head.size).await?;
    let state = registry_after(store, &positions).await?;
    let last = store.get(&[Position(head.size - 1)]).await?;
    let last = last.first().expect("a store answers every position");
    let last_at = Timestamp(last.leaf.recorded_at.0);
    Ok((state.at_size(head.size).without_facts(), last_at))
}

/// Where the registry's events lie, among the first so many records.
pub(super) async fn registry_positions<S: EventStore>(
    store: &S,
    opened: &LedgerOpened,
    size: u64,
) -> Result<Vec<Position>, EngineFault> {
    let key = join::store_key(KeySecret(opened.suppression_key).registry());
    Ok(store.find_all(key, Position(0), Position(size)).await?)
}

/// The registry as these events made it.
pub(super) async fn registry_after<S: EventStore>(
    store: &S,
    positions: &[Position],
) -> Result<State, EngineFault> {
    let mut state = State::new();
    for positions in positions.chunks(FOLDED_AT_ONCE) {
        for record in store.get(positions).await? {
            let position = join::position(&record);
            let event = join::event(&record).map_err(EngineFault::decode(position.0))?;
            state.apply_at(position, &event);
        }
    }
    Ok(state)
}

/// Carries out the last erasure again when its mark is missing. Erasures are made one at a time, so no
/// earlier one can be open.
async fn redo_erasure<S: EventStore>(
    store: &S,
    opened: &LedgerOpened,
    head: Head,
) -> Result<u64, EngineFault> {
    let secret = KeySecret(opened.suppression_key);
    let latest = store.find(&[join::store_key(secret.erasures())]).await?;
    let Some(position) = latest.first().copied().flatten() else {
        return Ok(0);
    };
    if store
        .erased_through()
        .await?
        .is_some_and(|through| through >= position)
    {
        return Ok(0);
    }
    let records = store.get(&[position]).await?;
    let record = records.first().expect("a store answers every position");
    let event = join::event(record).map_err(EngineFault::decode(position.0))?;
    let scope = match event.body.kind() {
        EventKind::LearnerIdentityErased => ErasureScope::Identity,
        _ => ErasureScope::All,
    };
    let Some(learner) = event.learner else {
        return Ok(0);
    };
    let loader = Loader {
        store,
        secret: &secret,
        opened: &just_opened(opened),
        below: None,
    };
    let mut history = loader.history(learner).await?;
    // What came after the erasure is not covered by it.
    history.events.retain(|at, _| at.0 <= position.0);
    let state = loader.replay(&history);
    let group = state.group(learner).unwrap_or_else(|_| vec![learner]);
    let positions = covered(&history, &group, scope);
    store
        .erase(&positions, Position(position.0.min(head.size - 1)))
        .await?;
    Ok(u64::try_from(positions.len()).expect("a count fits 64 bits"))
}
