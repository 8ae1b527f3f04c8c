//! AccountService.Watch: entries of a statement as they come.
//!
//! Apart from `accounts`, whose answers end. A watcher looks at its account again when a record has come
//! to one of the account's chains, and when something expires; whether one has come it asks the index of
//! keys, a few times a second at most, so that a watcher of a quiet account costs next to nothing in a
//! busy ledger.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use api::v1;
use api::v1::watch_response::Content;
use chain::Position;
use ledger::account::Entry;
use ledger::{Date, Handle, Timestamp};
use prost::Message;
use store::{EventStore, Key};
use tokio::time::{Interval, MissedTickBehavior};
use tonic::{Request, Response, Status};

use super::accounts::Accounts;
use super::audit::past_head;
use super::feed::{Answers, Beat, Feed, Over};
use super::place::{Place, may_part};
use super::{Context, opened, refuse};
use crate::from_proto::malformed;
use crate::identity::Identity;
use crate::{status, to_proto};

/// Shortest time between two questions whether something has come.
const PACE: Duration = Duration::from_millis(100);
/// Entries of one answer.
const ENTRIES_MAX: usize = 500;
/// How often an account may be merged into another while it is being read.
const MERGES_MAX: usize = 4;

/// What to do when the server stops.
const AGAIN: &str = "watch again in a moment, with the last resume_token";

/// One watcher.
struct Watcher<S> {
    context: Arc<Context<S>>,
    caller: Identity,
    learner: Option<v1::LearnerReference>,
    place: Place,
    /// Every record stamped with an earlier time is durable.
    settled: Timestamp,
    /// Chains on which something may come.
    chains: BTreeSet<Handle>,
    /// When something expires, if it can be said for sure.
    expires_next: Option<Timestamp>,
    /// Something expires now, and cannot be said for sure yet.
    postponed: bool,
    caught_up: bool,
    pace: Interval,
    beat: Beat,
    feed: Feed<v1::WatchResponse>,
}

/// What a look at the account found.
struct Look {
    entries: Vec<v1::StatementEntry>,
    /// Size of the ledger, if these are all entries.
    whole: Option<u64>,
}

impl<S: EventStore> Accounts<S> {
    /// Begins to watch.
    pub(super) async fn watch_account(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Answers<v1::WatchResponse>>, Status> {
        let (caller, wire) = opened(request)?;
        let beat = Beat::every(wire.heartbeat_seconds).map_err(refuse)?;
        let place = self.0.place(&wire).await?;
        // A caller who may not read this account is told so at once.
        let now = self.0.moment(None).await?;
        self.0.visible(&caller, wire.learner.clone(), now).await?;
        let mut pace = tokio::time::interval(PACE);
        pace.set_missed_tick_behavior(MissedTickBehavior::Delay);
        let (feed, answers) = self.0.streams.open()?;
        let watcher = Watcher {
            context: Arc::clone(&self.0),
            caller,
            learner: wire.learner,
            place,
            settled: Timestamp(0),
            chains: BTreeSet::new(),
            expires_next: None,
            postponed: false,
            caught_up: false,
            pace,
            beat,
            feed,
        };
        tokio::spawn(watcher.run());
        Ok(Response::new(answers))
    }
}

impl<S: EventStore> Context<S> {
    /// Where a watcher begins.
    async fn place(&self, wire: &v1::WatchRequest) -> Result<Place, Status> {
        let place = match wire.resume_token.as_str() {
            "" => Place::from(wire.from_position, None),
            _ if wire.from_position != 0 => {
                let problem = "is said by resume_token already: leave one of them out";
                return Err(refuse(malformed("from_position", problem)));
            }
            token => token.parse().map_err(|_| {
                let problem = "is not a token that Watch has given";
                refuse(malformed("resume_token", problem))
            })?,
        };
        let size = self.size().await?;
        if place.next > size {
            return Err(past_head(place.next, size));
        }
        let expired = match wire.resume_token.is_empty() {
            true => self.recorded_before(place.next).await?,
            false => place.expired,
        };
        Ok(Place { expired, ..place })
    }

    async fn size(&self) -> Result<u64, Status> {
        let head = self.engine.head().await;
        Ok(head.map_err(|fault| status::faulted(&fault))?.size)
    }

    /// When the record before a position was made.
    async fn recorded_before(&self, position: u64) -> Result<Option<Timestamp>, Status> {
        let Some(before) = position.checked_sub(1) else {
            return Ok(None);
        };
        let records = self.records(&[Position(before)]).await?;
        let at = |record: &chain::Record| Timestamp(record.leaf.recorded_at.0);
        Ok(records.first().map(at))
    }
}

impl<S: EventStore> Watcher<S> {
    async fn run(mut self) {
        let over = self.send_all().await;
        self.feed.end(over, AGAIN);
    }

    /// Returns only when the stream is over.
    async fn send_all(&mut self) -> Result<(), Over> {
        loop {
            self.feed.room().await?;
            let look = self.look().await.map_err(Over::Refused)?;
            if let Some(size) = look.whole {
                self.place.pass_all(size);
            }
            if !look.entries.is_empty() {
                let entries = look.entries;
                self.answer(Content::Entries(v1::WatchedEntries { entries }))?;
            }
            if let Some(size) = look.whole {
                if !std::mem::replace(&mut self.caught_up, true) {
                    self.feed.room().await?;
                    self.answer(Content::CaughtUp(v1::CaughtUp { size }))?;
                }
                self.wait().await?;
            }
        }
    }

    /// Looks at the account, if the caller still may, and goes past what it takes along.
    async fn look(&mut self) -> Result<Look, Status> {
        for _ in 0..MERGES_MAX {
            let context = &self.context;
            let now = context.moment(None).await?;
            let seen = context.visible(&self.caller, self.learner.clone(), now);
            let (handle, moment) = seen.await?;
            let account = context.account(handle, moment.size).await?;
            if account.is_closed() {
                continue;
            }
            self.begin(handle).await?;
            self.chains = account.members().collect();
            // With everything that will ever expire: what has is a part of it from the beginning on.
            let statement = account.statement(Date::MAX);
            let rest = self.place.rest(&statement, self.settled);
            self.expires_next = rest.expires_next;
            self.postponed = false;
            if self.is_overdue() && self.settle().await {
                continue;
            }
            return Ok(self.take(&rest.entries, moment.size));
        }
        Err(Status::aborted("the account is being merged: watch again"))
    }

    /// Goes over to another account after a merge: what expired there before is its own past.
    async fn begin(&mut self, account: Handle) -> Result<(), Status> {
        let before = self.place.account.replace(account);
        if before.is_some_and(|before| before != account) {
            let past = self.context.recorded_before(self.place.next).await?;
            self.place.sent = 0;
            self.place.expired = self.place.expired.max(past);
        }
        Ok(())
    }

    fn is_overdue(&self) -> bool {
        self.expires_next
            .is_some_and(|at| at <= self.context.engine.now())
    }

    /// Waits until no record can come any more that is stamped before what expires now. False when that
    /// cannot be known: then what expires is sent later.
    async fn settle(&mut self) -> bool {
        match self.context.engine.settled().await {
            Ok(settled) if settled > self.settled => {
                self.settled = settled;
                true
            }
            // The clock jumped, or the writer has stopped; both are in the log.
            _ => {
                self.expires_next = None;
                self.postponed = true;
                false
            }
        }
    }

    /// As many entries as one answer takes.
    fn take(&mut self, rest: &[&Entry], size: u64) -> Look {
        let bytes_max = usize::try_from(self.context.streams.limits.chunk_bytes);
        let bytes_max = bytes_max.unwrap_or(usize::MAX);
        let (mut entries, mut bytes) = (Vec::new(), 0);
        let mut last: Option<&Entry> = None;
        for entry in rest {
            let full = entries.len() >= ENTRIES_MAX || bytes >= bytes_max;
            if full && last.is_some_and(|last| may_part(last, entry)) {
                let whole = None;
                return Look { entries, whole };
            }
            let wire = to_proto::entry(entry);
            bytes += wire.encoded_len();
            entries.push(wire);
            self.place.pass(entry);
            last = Some(entry);
        }
        let whole = Some(size);
        Look { entries, whole }
    }

    /// Waits until there may be something new.
    async fn wait(&mut self) -> Result<(), Over> {
        loop {
            let Watcher {
                context,
                place,
                expires_next,
                beat,
                feed,
                ..
            } = self;
            let store = context.engine.store();
            let event = async {
                tokio::select! {
                    biased;
                    head = store.wait_past(Position(place.next)) => head.map(|_| Event::Moved),
                    () = until(context, *expires_next) => Ok(Event::Expires),
                    () = beat.due() => Ok(Event::Silence),
                }
            };
            let event = feed.unless_over(event).await?;
            let event = event.map_err(|fault| Over::Refused(status::faulted(&fault.into())))?;
            match event {
                Event::Expires => return Ok(()),
                Event::Moved if self.has_come().await? => return Ok(()),
                Event::Moved => {}
                Event::Silence => {
                    let size = self.context.size().await.map_err(Over::Refused)?;
                    self.feed.room().await?;
                    self.answer(Content::Heartbeat(v1::Heartbeat { size }))?;
                    // What could not be said at midnight may be said now.
                    if self.postponed {
                        return Ok(());
                    }
                }
            }
        }
    }

    /// Whether something has come to one of the chains; if not, goes to the end of the ledger.
    async fn has_come(&mut self) -> Result<bool, Over> {
        let Watcher { pace, feed, .. } = self;
        feed.unless_over(pace.tick()).await?;
        let engine = &self.context.engine;
        // Order: the size first, so that what comes meanwhile is seen now or past it.
        let size = self.context.size().await.map_err(Over::Refused)?;
        let key = |chain: &Handle| Key(engine.secret().learner(*chain).0);
        let keys: Vec<Key> = self.chains.iter().map(key).collect();
        let found = engine.store().find(&keys).await;
        let found = found.map_err(|error| Over::Refused(status::faulted(&error.into())))?;
        let latest = found.into_iter().flatten().max();
        let has_come = latest.is_some_and(|latest| latest.0 >= self.place.next);
        if !has_come {
            self.place.pass_all(size);
        }
        Ok(has_come)
    }

    fn answer(&mut self, content: Content) -> Result<(), Over> {
        self.beat.sent();
        let handle = self.place.account.map(|handle| handle.to_string());
        self.feed.send_now(v1::WatchResponse {
            content: Some(content),
            next_position: self.place.next,
            learner_handle: handle.unwrap_or_default(),
            resume_token: self.place.to_string(),
        })
    }
}

/// Why a watcher wakes up.
enum Event {
    Moved,
    Expires,
    Silence,
}

/// Returns when something expires, if anything does.
async fn until<S: EventStore>(context: &Context<S>, at: Option<Timestamp>) {
    match at {
        Some(at) => context.engine.wait_until(at).await,
        None => std::future::pending().await,
    }
}
