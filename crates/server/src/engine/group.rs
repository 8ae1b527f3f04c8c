//! A group: the jobs of one block, decided one after the other, and what makes the block of them.
//!
//! Apart from the writer's loop, which decides nothing: here the state changes, and nothing is written.

use std::sync::Arc;

use bytes::Bytes;
use chain::{Block, BlockBuilder, Commitment, Head, Pushed, Salt};
use ledger::state::Need;
use ledger::{Command, EventKind, Keyed, Refusal, State, Timestamp};
use tokio::sync::oneshot;

use super::execute::Readied;
use super::fault::EngineFault;
use super::join;
use super::known::Known;
use super::load::Loaded;
use super::outcome::{Mode, Receipt, Refused, Written};
use super::random::Random;
use super::writer::{Job, Reply};

/// A block in the making, and who waits for it.
pub(super) struct Group {
    at: Timestamp,
    builder: BlockBuilder,
    pushed: Vec<Pushed>,
    keys: Vec<(store::Key, chain::Position)>,
    waiting: Vec<Waiting>,
    /// Learners and student numbers whose facts others may find in the cache once the block is durable.
    told: Vec<Need>,
}

/// A job whose outcomes are known but not yet durable.
pub(super) struct Waiting {
    pub(super) outcomes: Vec<Result<Written, Refused>>,
    pub(super) reply: oneshot::Sender<Result<Reply, EngineFault>>,
}

/// A group that takes no more jobs.
pub(super) struct Sealed {
    /// The state after it, without facts: what is published when it is durable.
    pub(super) base: State,
    pub(super) made: Arc<Made>,
    /// What the cache learns when it is durable.
    pub(super) told: Vec<Loaded>,
    pub(super) waiting: Vec<Waiting>,
}

/// The bytes that a store is to append.
pub(super) struct Payload {
    pub(super) block: Block,
    pub(super) keys: Vec<(store::Key, chain::Position)>,
}

/// What a block's records got: of which receipts are made, by those who asked.
#[derive(Debug, Default)]
pub(crate) struct Made {
    at: chain::Timestamp,
    pushed: Vec<Pushed>,
    leaves: Bytes,
}

impl Made {
    /// The receipts of some of the block's records.
    pub(super) fn receipts(&self, (from, until): (usize, usize)) -> Vec<Receipt> {
        let before = from.checked_sub(1).and_then(|idx| self.pushed.get(idx));
        let mut start = before.map_or(0, |pushed| pushed.leaf_end);
        let of_these = self.pushed.get(from..until).unwrap_or_default();
        let receipt = |pushed: &Pushed| Receipt {
            position: pushed.position,
            leaf: self
                .leaves
                .slice(std::mem::replace(&mut start, pushed.leaf_end)..pushed.leaf_end),
            chain_hash: pushed.hash,
            recorded_at: self.at,
        };
        of_these.iter().map(receipt).collect()
    }
}

impl Group {
    /// An empty group after `prev`.
    pub(super) fn new(prev: Head, at: Timestamp) -> Self {
        Group {
            at,
            builder: BlockBuilder::new(prev, join::recorded_at(at)),
            pushed: Vec::new(),
            keys: Vec::new(),
            waiting: Vec::new(),
            told: Vec::new(),
        }
    }

    /// Bytes of its block so far.
    pub(super) fn bytes(&self) -> usize {
        self.builder.bytes()
    }

    /// When its records are recorded.
    pub(super) fn at(&self) -> Timestamp {
        self.at
    }

    /// Decides a job and adds its events, or sends it back.
    pub(super) fn take(&mut self, known: &mut Known, random: &Random, job: Job) {
        if !known.may_learn(job.seen) {
            let _ = job.reply.send(Ok(Reply::Stale));
            return;
        }
        for loaded in job.facts {
            let need = loaded.fact.need();
            if known.learn(loaded) {
                self.told.push(need);
            }
        }
        let before = known.savepoint();
        let commands = (job.commands.as_slice(), job.ready);
        let decided = decide_all(known.state_mut(), commands, job.mode, self.at);
        let decided = decided.and_then(|decisions| {
            known.lacks_tip(decisions.events.iter().map(|(event, _)| event.event()))?;
            Ok(decisions)
        });
        let keeps = |decisions: &Decisions| !job.mode.validates() && !decisions.events.is_empty();
        match &decided {
            Ok(decisions) if keeps(decisions) => known.release(before),
            _ => known.rollback(before),
        }
        match decided {
            Err(need) => {
                let _ = job.reply.send(Ok(Reply::Lacking(need)));
            }
            Ok(Decisions {
                events,
                mut outcomes,
            }) => {
                let first = self.pushed.len();
                for written in outcomes.iter_mut().flatten() {
                    let (from, until) = written.records;
                    let until = if job.mode.validates() { from } else { until };
                    written.records = (first + from, first + until);
                }
                if !job.mode.validates() {
                    events
                        .into_iter()
                        .for_each(|event| self.push(known, random, event));
                }
                let reply = job.reply;
                self.waiting.push(Waiting { outcomes, reply });
            }
        }
    }

    fn push(&mut self, known: &mut Known, random: &Random, (keyed, commitment): Decided) {
        let keys = known.keys_of(&keyed);
        let (event, body) = keyed.into_parts();
        let learner = event.learner.map(|handle| (handle, known.tip(handle)));
        let commitment = commitment.unwrap_or_else(|| Commitment::new(Salt(random.salt()), &body));
        let pushed = self.builder.push_committed(
            join::kind(&event),
            join::institution(&event.issuer),
            join::institution(&event.submitter),
            learner.map(|(handle, tip)| (join::handle(handle), tip)),
            commitment,
            body,
        );
        // Limits on messages and bodies keep a job below the room that a block has left.
        let pushed = pushed.expect("an admitted event makes a record that fits the block");
        if let (Some(handle), Some(tip)) = (event.learner, pushed.tip) {
            known.set_tip(handle, tip);
            self.told.push(Need::Learner(handle));
        }
        self.told
            .extend(known.student_of(&event).map(Need::Student));
        self.keys.extend(
            keys.into_iter()
                .map(|key| (join::store_key(key), pushed.position)),
        );
        self.pushed.push(pushed);
    }

    /// Takes no more jobs. The payload is missing when nothing is to be written.
    pub(super) fn seal(self, known: &Known) -> (Sealed, Option<Payload>) {
        let told = self.told.into_iter().filter_map(|need| known.tell(need));
        let told = told.collect();
        let at = self.builder.at();
        let (block, leaves) = self.builder.finish_with_leaves();
        let sealed = Sealed {
            base: known.base(),
            made: Arc::new(Made {
                at,
                pushed: self.pushed,
                leaves: leaves.into(),
            }),
            told,
            waiting: self.waiting,
        };
        let keys = self.keys;
        let payload = (!block.is_mark()).then_some(Payload { block, keys });
        (sealed, payload)
    }

    /// Everybody who waits, with the outcomes that will not be.
    pub(super) fn into_waiting(self) -> Vec<Waiting> {
        self.waiting
    }
}

/// An event, and the commitment to its body when that was made before.
type Decided = (Keyed, Option<Commitment>);

/// Events of a job in order, and of each command which of them are its own.
struct Decisions {
    events: Vec<Decided>,
    outcomes: Vec<Result<Written, Refused>>,
}

/// Decides each command on the state that the ones before leave.
fn decide_all(
    state: &mut State,
    (commands, ready): (&[Command], Vec<Option<Readied>>),
    mode: Mode,
    at: Timestamp,
) -> Result<Decisions, Need> {
    let size = state.size();
    let mut decisions = Decisions {
        events: Vec::with_capacity(commands.len()),
        outcomes: Vec::with_capacity(commands.len()),
    };
    let mut rejected = false;
    let mut ready = ready.into_iter();
    for command in commands {
        let (ready, commitment) = match ready.next().flatten() {
            Some(Readied { ready, commitment }) => (Some(ready), Some(commitment)),
            None => (None, None),
        };
        if rejected && mode.is_atomic() {
            decisions.outcomes.push(Err(Refused::NotAttempted));
            continue;
        }
        let decision = match ledger::carry_out_ready(state, command, ready, at) {
            Ok(decision) => decision,
            Err(Refusal::Unloaded(need)) => return Err(need),
            Err(Refusal::Rejected(rejection)) => {
                rejected = true;
                decisions.outcomes.push(Err(Refused::Rejected(rejection)));
                continue;
            }
        };
        let from = decisions.events.len();
        let events = decision.events.into_iter().map(|event| (event, None));
        decisions.events.extend(events);
        if decisions.events.len() > from
            && let Some((event, of_event)) = decisions.events.last_mut()
            && event.event().body.kind() == EventKind::AchievementRecorded
        {
            *of_event = commitment;
        }
        let revision = decision
            .learner
            .and_then(|handle| state.learner(handle).ok().flatten())
            .map(|learner| learner.revision.0);
        decisions.outcomes.push(Ok(Written {
            // What was only validated is nowhere, so a repetition of it has no receipt.
            already: decision
                .already
                .filter(|position| !mode.validates() || position.0 < size),
            again: decision.already.is_some(),
            learner: decision.learner,
            revision,
            pending: decision.pending,
            records: (from, decisions.events.len()),
        }));
    }
    if rejected && mode.is_atomic() {
        decisions.events.clear();
        for outcome in &mut decisions.outcomes {
            if outcome.is_ok() {
                *outcome = Err(Refused::NotAttempted);
            }
        }
    }
    Ok(decisions)
}
