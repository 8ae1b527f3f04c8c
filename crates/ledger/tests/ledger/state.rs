//! Forgetting and taking back, by themselves; that neither changes a decision is the scenarios' to show.

use ledger::event::LedgerOpened;
use ledger::state::{Fact, Need};
use ledger::{Body, Event, Handle, InstitutionId, Key, State};

fn opened() -> State {
    let operator = InstitutionId::operator();
    let mut state = State::new();
    state.apply(&Event {
        issuer: operator.clone(),
        submitter: operator,
        learner: None,
        body: Body::LedgerOpened(LedgerOpened {
            ledger_id: [1; 16],
            format_version: 1,
            rules_version: 1,
            suppression_key: [2; 32],
        }),
    });
    state
}

fn claim(n: u8) -> Fact {
    Fact::Result(Key([n; 16]), Some(Key([99; 16])))
}

fn register(handle: u8) -> Event {
    let operator = InstitutionId::operator();
    Event {
        issuer: operator.clone(),
        submitter: operator,
        learner: Some(Handle([handle; 16])),
        body: Body::Erased(ledger::EventKind::LearnerRegistered),
    }
}

#[test]
fn what_is_used_stays_and_the_rest_is_forgotten() {
    let mut state = opened().without_facts();
    (1..=3).for_each(|n| state.load(claim(n)));
    state.age();
    assert_eq!(state.facts_len(), 3, "they have just come");
    assert!(state.result(Key([1; 16])).is_ok());
    state.load(claim(2));
    state.age();
    let left: Vec<Fact> = state.facts().collect();
    assert_eq!(left, [claim(1), claim(2)]);
    state.age();
    assert_eq!(state.facts_len(), 0, "nobody asked");
}

#[test]
fn what_is_known_is_not_replaced_by_what_was_read() {
    let mut state = opened().without_facts();
    let older = Fact::Result(Key([1; 16]), None);
    let before = state.savepoint();
    assert!(state.learn(claim(1)));
    assert!(!state.learn(older.clone()));
    assert_eq!(state.fact(older.need()), Some(claim(1)));
    state.age();
    assert!(
        !state.learn(older.clone()),
        "to be told again is to be asked for"
    );
    state.age();
    assert!(state.knows(older.need()));
    state.rollback(before);
    assert!(state.learn(older.clone()));
    assert_eq!(state.fact(older.need()), Some(older.clone()));
    assert!(!opened().learn(older), "a complete state knows everything");
}

#[test]
fn a_complete_state_forgets_nothing() {
    let mut state = opened();
    state.apply(&register(7));
    state.age();
    state.age();
    assert!(matches!(state.learner(Handle([7; 16])), Ok(Some(_))));
}

#[test]
fn facts_read_before_the_last_change_that_was_forgotten_come_too_late() {
    let mut state = opened().without_facts();
    assert_eq!(state.floor(), 1);
    state.apply(&register(7));
    state.age();
    assert_eq!(state.floor(), 1, "the change at position 1 is known");
    state.apply(&register(8));
    state.age();
    assert!(!state.knows(Need::Learner(Handle([7; 16]))));
    assert!(state.knows(Need::Learner(Handle([8; 16]))));
    assert_eq!(state.floor(), 2, "the change at position 1 is forgotten");
    assert_eq!(state.without_facts().floor(), 3);
}

#[test]
fn savepoints_are_taken_back_one_by_one() {
    let mut state = opened().without_facts();
    state.load(claim(1));
    let outer = state.savepoint();
    state.load(Fact::Result(Key([1; 16]), None));
    state.apply(&register(7));
    let inner = state.savepoint();
    state.apply(&register(8));
    state.forget(claim(1).need());
    state.rollback(inner);
    assert_eq!(state.size(), 2);
    assert_eq!(
        state.fact(claim(1).need()),
        Some(Fact::Result(Key([1; 16]), None))
    );
    let kept = state.savepoint();
    state.load(claim(2));
    state.release(kept);
    state.rollback(outer);
    assert_eq!(state.size(), 1);
    assert_eq!(state.facts().collect::<Vec<_>>(), [claim(1)]);
}

#[test]
#[should_panic(expected = "the savepoint is settled")]
fn what_is_settled_cannot_be_taken_back() {
    let mut state = opened();
    let before = state.savepoint();
    state.apply(&register(7));
    state.settle();
    state.rollback(before);
}
