//! A bank under test: every command is decided in each way that must give the same answer.
//!
//! Apart from the language so that tables and properties go through the same checks: the complete state, as
//! a question and in place; partial states that load what they lack, one of which is carried along and
//! forgets now and then, as a server does; every event admitted, encoded, decoded, and the invariants after
//! each.

use std::collections::BTreeMap;
use std::sync::Arc;

use ledger::event::erasure_covers;
use ledger::invariants as must;
use ledger::state::{Fact, Refusal};
use ledger::words::Achievement;
use ledger::{
    Body, Command, Date, Decision, Event, EventKind, InstitutionId, IssuerSignature, Keyed,
    Rejection, State, Timestamp, admit, admit_keyed, carry_out, codec, decide, keys_of,
    likely_needs,
};

/// Most facts that a decision may ask for.
const LOADS_MAX: usize = 1_000;
/// One fact in so many is missing.
const GAPS: usize = 3;
/// After so many commands what was not used since is forgotten.
const AGES: usize = 4;
/// How often a server asks what is likely needed before it decides.
const GUESSES: usize = 3;

/// A content and its signature.
type Content = (Achievement, Option<Arc<IssuerSignature>>);

/// A bank under test.
pub(crate) struct Bank {
    /// The complete state.
    pub(crate) state: State,
    /// The time of the next command.
    pub(crate) now: Timestamp,
    /// Every event, with the time at which it was recorded.
    pub(crate) events: Vec<(Event, Timestamp)>,
    /// The content of every record as it stands.
    pub(crate) contents: BTreeMap<(InstitutionId, String), Content>,
    /// How many commands could be decided on what was guessed that they need.
    pub(crate) n_guessed: usize,
    /// How many were tried.
    pub(crate) n_commands: usize,
    carried: State,
}

impl Default for Bank {
    fn default() -> Self {
        let state = State::new();
        let carried = state.without_facts();
        let now = at_noon("2026-08-01".parse().unwrap());
        let (events, contents) = (Vec::new(), BTreeMap::new());
        Bank {
            state,
            now,
            events,
            contents,
            carried,
            n_guessed: 0,
            n_commands: 0,
        }
    }
}

/// Noon of that day, UTC.
pub(crate) fn at_noon(day: Date) -> Timestamp {
    let days = day.signed_duration_since(Date::default()).num_days();
    Timestamp((u64::try_from(days).unwrap() * 24 + 12) * 3_600_000_000)
}

impl Bank {
    /// Carries a command out, in every way.
    pub(crate) fn command(&mut self, command: &Command) -> Result<Decision, Rejection> {
        self.n_commands += 1;
        // What a server does in the caller's task.
        if let Some((issuer, signature)) = command.action.signature() {
            self.state.registry().check(issuer, signature);
        }
        let outcome = known(decide(&self.state, command, self.now));
        assert_eq!(
            known(decide(&self.state, command, self.now)),
            outcome,
            "twice the same"
        );
        self.carries_out(command, &outcome);
        self.guesses(command, &outcome);

        let mut fresh = self.state.without_facts();
        assert_eq!(
            self.on_partial(&mut fresh, command),
            outcome,
            "on what was loaded: {command:?}"
        );
        let gaps: Vec<State> = (0..GAPS)
            .map(|gap| self.with_gaps(command, gap, &outcome))
            .collect();
        let mut carried = self.carried.clone();
        assert_eq!(
            self.on_partial(&mut carried, command),
            outcome,
            "on what was kept: {command:?}"
        );
        self.carried = carried;

        if let Ok(decision) = &outcome {
            let last = decision
                .events
                .last()
                .map(|keyed| keyed.event().body.kind());
            let recorded = match (decision.already, last) {
                (already, None) => already.is_some(),
                (None, Some(_)) => true,
                // Of a repetition only its learner may be new.
                (Some(_), Some(last)) => last == EventKind::IdentityLinked,
            };
            assert!(recorded, "either recorded or already there: {decision:?}");
            self.append(&decision.events);
            gaps.iter().for_each(|gappy| self.agrees(gappy));
        }
        outcome
    }

    /// In place it is the same: what is decided is taken in, once, and a refusal leaves no trace; and
    /// either can be taken back.
    fn carries_out(&self, command: &Command, outcome: &Result<Decision, Rejection>) {
        let mut state = self.state.clone();
        let before = state.savepoint();
        assert_eq!(&known(carry_out(&mut state, command, self.now)), outcome);
        let mut after = self.state.clone();
        for event in outcome.iter().flat_map(|decision| &decision.events) {
            after.apply(event.event());
        }
        assert_same(&state, &after);
        state.rollback(before);
        assert_same(&state, &self.state);
        // Where nothing is journaled from outside, it takes back what it must by itself.
        assert_eq!(&known(carry_out(&mut state, command, self.now)), outcome);
        assert_same(&state, &after);
    }

    /// Loads what is likely needed, a few times, and says whether that was enough.
    fn guesses(&mut self, command: &Command, outcome: &Result<Decision, Rejection>) {
        let mut state = self.state.without_facts();
        for _ in 0..GUESSES {
            for need in likely_needs(&state, command) {
                assert!(!state.knows(need), "named though it is there: {need:?}");
                state.load(self.state.fact(need).unwrap());
            }
        }
        match carry_out(&mut state, command, self.now) {
            Err(Refusal::Unloaded(_)) => {}
            other => {
                assert_eq!(&known(other), outcome);
                self.n_guessed += 1;
            }
        }
    }

    /// Takes in what was decided; each event must be one that an auditor would admit.
    fn append(&mut self, events: &[Keyed]) {
        for (idx, keyed) in events.iter().enumerate() {
            let event = keyed.event();
            assert_eq!(admit(&self.state, event, self.now), Ok(()), "{event:?}");
            assert_eq!(admit_keyed(&self.state, keyed, self.now), Ok(()));
            self.is_keyed(keyed);
            let before = self.state.clone();
            self.state.apply(event);
            self.carried.apply(event);
            holds(must::of_state(&self.state));
            holds(must::of_step(&before, event, &self.state));
            let next = events.get(idx + 1).map(Keyed::event);
            holds(must::pairs_are_neighbours(event, next));
            self.remember(event);
            self.events.push((event.clone(), self.now));
        }
        holds(must::no_pair_is_left_half_done(&self.state));
        self.agrees(&self.carried);
        self.forget_some();
    }

    /// What is beside the event is what follows from it.
    fn is_keyed(&self, keyed: &Keyed) {
        let event = keyed.event();
        assert_eq!(keyed.body(), codec::encode(&event.body));
        let Ok(secret) = self.state.secret() else {
            return;
        };
        assert_eq!(keyed.keys(&secret), keys_of(&secret, event));
        assert_eq!(keyed, &Keyed::new(Some(&secret), event.clone()));
    }

    /// The command carried out where every third fact is not in memory: what is believed afterwards.
    fn with_gaps(
        &self,
        command: &Command,
        gap: usize,
        outcome: &Result<Decision, Rejection>,
    ) -> State {
        let mut gappy = self.state.without_facts();
        let facts = self
            .state
            .facts()
            .enumerate()
            .filter(|(idx, _)| idx % GAPS != gap);
        facts.for_each(|(_, fact)| gappy.load(fact));
        assert_eq!(
            &self.on_partial(&mut gappy, command),
            outcome,
            "with gaps: {command:?}"
        );
        for event in outcome.iter().flat_map(|decision| &decision.events) {
            gappy.apply_keyed(event);
        }
        gappy
    }

    fn on_partial(&self, partial: &mut State, command: &Command) -> Result<Decision, Rejection> {
        for _ in 0..LOADS_MAX {
            match decide(partial, command, self.now) {
                Err(Refusal::Unloaded(need)) => {
                    assert!(!partial.knows(need), "asked for what is there: {need:?}");
                    partial.load(self.state.fact(need).unwrap());
                }
                other => return known(other),
            }
        }
        panic!("never enough for {command:?}");
    }

    /// What a part of the state believes is what is so.
    fn agrees(&self, part: &State) {
        assert_eq!(part.size(), self.state.size());
        assert_eq!(part.registry(), self.state.registry());
        assert_eq!(part.awaited(), self.state.awaited());
        for fact in part.facts() {
            assert_eq!(
                self.state.fact(fact.need()),
                Some(fact),
                "a part believes otherwise"
            );
        }
    }

    /// A bounded memory forgets; which facts must not matter.
    fn forget_some(&mut self) {
        if self.n_commands.is_multiple_of(AGES) {
            self.carried.age();
            return;
        }
        let needs: Vec<_> = self.carried.facts().map(|fact| fact.need()).collect();
        for (idx, need) in needs.into_iter().enumerate() {
            if (idx + self.n_commands).is_multiple_of(GAPS) {
                self.carried.forget(need);
            }
        }
    }

    fn remember(&mut self, event: &Event) {
        let (content, signature) = match &event.body {
            Body::AchievementRecorded(new) => (&new.achievement, &new.signature),
            Body::AchievementSuperseded(new) => (&new.achievement, &new.signature),
            Body::AchievementReceived(received) => (&received.achievement, &received.signature),
            _ => return,
        };
        let name = (event.issuer.clone(), content.record_id.clone());
        self.contents
            .insert(name, (Achievement::clone(content), signature.clone()));
    }

    /// At the end: what was stored, read back and judged once more, gives the same state.
    pub(crate) fn finish(&self) {
        let mut replayed = State::new();
        for (event, at) in &self.events {
            let read = read_back(event);
            check(&replayed, &read);
            assert_eq!(
                admit(&replayed, &read, *at),
                Ok(()),
                "an auditor refuses {read:?}"
            );
            replayed.apply(&read);
        }
        assert_same(&replayed, &self.state);
        self.replay_erased();
    }

    /// An erasure condemns nobody else: with every body gone that it covers, the rest is still admitted.
    /// Accounts that were ever joined are left out: what of theirs rests on erased bodies is the
    /// verifier's to excuse.
    fn replay_erased(&self) {
        let kinds = || self.events.iter().map(|(event, _)| event.body.kind());
        if kinds().any(|kind| kind == EventKind::LearnerMerged) {
            return;
        }
        let mut replayed = State::new();
        for (idx, (event, at)) in self.events.iter().enumerate() {
            let kind = event.body.kind();
            let later = self.events.iter().skip(idx + 1).map(|(later, _)| later);
            let covered = later
                .filter(|later| later.learner == event.learner)
                .any(|later| erasure_covers(later.body.kind(), kind));
            let body = if covered {
                Body::Erased(kind)
            } else {
                event.body.clone()
            };
            let read = Event {
                body,
                ..event.clone()
            };
            let admitted = admit(&replayed, &read, *at);
            // The statement names the learner by what has been erased: the verifier's to excuse.
            let named_by_erased = Rejection::SignatureMismatch { field: "learner" };
            if admitted != Err(Refusal::Rejected(named_by_erased)) {
                assert_eq!(admitted, Ok(()), "after erasures: {read:?}");
            }
            replayed.apply(&read);
        }
    }
}

/// Checks the signature of an event, as an auditor does.
pub(crate) fn check(state: &State, event: &Event) {
    if let Some(signature) = event.body.signature() {
        state.registry().check(&event.issuer, signature);
    }
}

/// The event from its leaf and its bytes.
pub(crate) fn read_back(event: &Event) -> Event {
    let number = codec::number_of(event.body.kind());
    let bytes = codec::encode(&event.body);
    let (issuer, submitter) = (event.issuer.as_str(), event.submitter.as_str());
    let issuer = if event.issuer.is_operator() {
        ""
    } else {
        issuer
    };
    let read = codec::decode(number, issuer, submitter, event.learner, &bytes).unwrap();
    assert_eq!(read, *event);
    read
}

/// Two states know the same.
pub(crate) fn assert_same(one: &State, other: &State) {
    assert_eq!(one.size(), other.size());
    assert_eq!(one.opened(), other.opened());
    assert_eq!(one.registry(), other.registry());
    assert_eq!(one.awaited(), other.awaited());
    let (one, other): (Vec<Fact>, Vec<Fact>) = (one.facts().collect(), other.facts().collect());
    assert_eq!(one, other);
}

fn holds(invariant: Result<(), must::Broken>) {
    if let Err(broken) = invariant {
        panic!("{broken}");
    }
}

/// A complete state never lacks a fact.
fn known<T>(decided: Result<T, Refusal>) -> Result<T, Rejection> {
    match decided {
        Ok(done) => Ok(done),
        Err(Refusal::Rejected(rejection)) => Err(rejection),
        Err(Refusal::Unloaded(need)) => panic!("lacks {need:?}"),
    }
}
