//! What only an auditor meets: events that stand where no command would have put them.
//!
//! Apart from the tables because these are asked of `admit` directly. Each is an event that the ledger would
//! have accepted somewhere, altered or moved; the answer must be no.

use std::sync::Arc;

use ledger::event::{AchievementReceived, Opening};
use ledger::state::Refusal;
use ledger::words::ProvisionalReference;
use ledger::{Body, Event, InstitutionId, State, Timestamp, admit};

use crate::bank::{Bank, assert_same};
use crate::language;
use crate::table::opened;
use crate::vocabulary::{handle, institution};

/// Runs commands that must succeed; the events of the last.
fn after(lines: &[&str]) -> (Bank, Vec<Event>) {
    let mut bank = opened();
    let mut first = bank.events.len();
    for line in lines {
        first = bank.events.len();
        let answer = language::run(&mut bank, line);
        assert_eq!(answer.reason, None, "{line}: {}", answer.text);
    }
    let events = bank.events[first..]
        .iter()
        .map(|(event, _)| event.clone())
        .collect();
    (bank, events)
}

/// The same, and the state before the last command.
fn before_last(lines: &[&str]) -> (State, Vec<Event>, Timestamp) {
    let (bank, _) = after(&lines[..lines.len() - 1]);
    let (later, events) = after(lines);
    (bank.state, events, later.now)
}

fn refused(state: &State, event: &Event, at: Timestamp) -> &'static str {
    match admit(state, event, at) {
        Ok(()) => panic!("admitted: {event:?}"),
        Err(Refusal::Rejected(rejection)) => rejection.reason(),
        Err(Refusal::Unloaded(need)) => panic!("lacks {need:?}"),
    }
}

/// The events in that order, each taken in: what the last is refused for.
fn in_order(state: &State, events: &[&Event], at: Timestamp) -> String {
    let (last, first) = events.split_last().unwrap();
    let mut state = state.clone();
    for event in first {
        assert_eq!(admit(&state, event, at), Ok(()));
        state.apply(event);
    }
    match admit(&state, last, at) {
        Err(Refusal::Rejected(rejection)) => rejection.to_string(),
        other => panic!("{other:?}"),
    }
}

const TWO: [&str; 2] = ["operator: register L1", "operator: register L2"];

fn two_and<'a>(more: &[&'a str]) -> Vec<&'a str> {
    TWO.iter().chain(more).copied().collect()
}

#[test]
fn nothing_comes_before_the_opening_and_no_second_one_after() {
    let (bank, events) = after(&["operator: register L1"]);
    let (opening, at) = &bank.events[0];
    assert_eq!(refused(&State::new(), &events[0], *at), "OUT_OF_PLACE");
    assert_eq!(refused(&bank.state, opening, *at), "OUT_OF_PLACE");
    let late = State::new().at_size(1);
    assert_eq!(refused(&late, opening, *at), "OUT_OF_PLACE");
    let by_uni = Event {
        submitter: institution("uni"),
        ..opening.clone()
    };
    assert_eq!(refused(&State::new(), &by_uni, *at), "NOT_ALLOWED");
    let on_a_chain = Event {
        learner: Some(handle("L1")),
        ..opening.clone()
    };
    assert_eq!(refused(&State::new(), &on_a_chain, *at), "OUT_OF_PLACE");
    let Body::LedgerOpened(mut opened) = opening.body.clone() else {
        panic!("{opening:?}")
    };
    opened.rules_version = 99;
    let of_tomorrow = Event {
        body: Body::LedgerOpened(opened),
        ..opening.clone()
    };
    assert_eq!(refused(&State::new(), &of_tomorrow, *at), "OUT_OF_PLACE");
}

#[test]
fn the_second_event_of_a_pair_comes_directly_after_the_first_and_nowhere_else() {
    let merged = ["operator: merge L1 into L2 because one person"];
    let separated = [merged[0], "operator: separate L1 because two persons"];
    let moved = [
        "uni: submit r1 for L1",
        "uni: reassign r1 to L2 because wrong number",
    ];
    for lines in [&merged[..], &separated[..], &moved[..]] {
        let (state, events, at) = before_last(&two_and(lines));
        let [first, second] = &events[..] else {
            panic!("{events:?}")
        };
        assert_eq!(
            refused(&state, second, at),
            "OUT_OF_PLACE",
            "alone: {second:?}"
        );
        let stray = Event {
            issuer: InstitutionId::operator(),
            submitter: InstitutionId::operator(),
            learner: Some(handle("L2")),
            body: Body::LearnerUpdated(Default::default()),
        };
        assert!(in_order(&state, &[first, &stray], at).contains("is followed by"));
        let twice = in_order(&state, &[first, second, second], at);
        assert!(twice.contains("second event of a pair"), "{twice}");
        let elsewhere = Event {
            learner: Some(handle("L1")),
            ..second.clone()
        };
        let elsewhere = if second.learner == elsewhere.learner {
            Event {
                learner: Some(handle("L2")),
                ..elsewhere
            }
        } else {
            elsewhere
        };
        let unfit = in_order(&state, &[first, &elsewhere], at);
        assert!(unfit.contains("second event of a pair"), "{unfit}");
    }
}

#[test]
fn a_record_arrives_as_it_left() {
    let lines = two_and(&[
        "uni: submit r1 for L1",
        "uni: reassign r1 to L2 because wrong number",
    ]);
    let (state, events, at) = before_last(&lines);
    let Body::AchievementReceived(arrival) = &events[1].body else {
        panic!("{events:?}")
    };
    let other = |arrival: AchievementReceived| {
        let arrived = Event {
            body: Body::AchievementReceived(arrival),
            ..events[1].clone()
        };
        in_order(&state, &[&events[0], &arrived], at)
    };
    let mut better = arrival.clone();
    Arc::make_mut(&mut better.achievement).tier = "gold".to_owned();
    assert!(other(better).contains("arrives otherwise than it left"));
    let suspended = AchievementReceived {
        suspended: true,
        ..arrival.clone()
    };
    assert!(other(suspended).contains("arrives otherwise than it left"));
    let mut another = arrival.clone();
    Arc::make_mut(&mut another.achievement).record_id = "r2".to_owned();
    assert!(other(another).contains("another record arrives"));
}

#[test]
fn an_event_stays_on_the_chain_of_the_account_that_it_is_about() {
    for lines in [
        ["uni: submit r1 for L1", "uni: revoke r1 because fraud"],
        [
            "uni: submit r1 for L1",
            "uni: supersede r1 grade=B because appeal",
        ],
        ["operator: link L1 uni/S1", "uni: unlink uni/S1"],
    ] {
        let (state, events, at) = before_last(&two_and(&lines));
        let moved = Event {
            learner: Some(handle("L2")),
            ..events[0].clone()
        };
        assert_eq!(refused(&state, &moved, at), "OUT_OF_PLACE", "{moved:?}");
    }
    // An account that was closed by a merge takes in no more.
    let merge = "operator: merge L1 into L2 because one person";
    let (state, events, at) = before_last(&two_and(&[merge, "uni: submit r1 for L1"]));
    let closed = Event {
        learner: Some(handle("L1")),
        ..events[0].clone()
    };
    assert_eq!(refused(&state, &closed, at), "OUT_OF_PLACE");
}

#[test]
fn each_family_lies_where_it_belongs() {
    let (bank, _) = after(&two_and(&["uni: submit r1 for L1"]));
    for (event, at) in &bank.events {
        let learner = if event.learner.is_some() {
            None
        } else {
            Some(handle("L1"))
        };
        let misplaced = Event {
            learner,
            ..event.clone()
        };
        let reason = refused(&bank.state, &misplaced, *at);
        assert!(
            ["OUT_OF_PLACE", "NOT_ALLOWED"].contains(&reason),
            "{reason} for {misplaced:?}"
        );
    }
}

#[test]
fn a_learner_event_is_the_statement_of_whoever_sent_it() {
    let (state, events, at) = before_last(&["uni: register L1"]);
    let for_another = Event {
        issuer: institution("col"),
        ..events[0].clone()
    };
    assert_eq!(refused(&state, &for_another, at), "OUT_OF_PLACE");
}

#[test]
fn a_reference_has_one_provisional_account_and_the_operator_opens_none() {
    for line in [
        "uni: submit r1 for uni/S9",
        "uni: submit r1 for id:1/Ann/2000-02-29",
    ] {
        let (bank, events) = after(&[line]);
        let again = Event {
            learner: Some(handle("P9")),
            ..events[0].clone()
        };
        assert_eq!(refused(&bank.state, &again, bank.now), "OUT_OF_PLACE");
        let by_operator = Event {
            issuer: InstitutionId::operator(),
            submitter: InstitutionId::operator(),
            ..again
        };
        assert_eq!(refused(&bank.state, &by_operator, bank.now), "NOT_ALLOWED");
    }
}

#[test]
fn what_is_malformed_in_a_provisional_reference_is_refused() {
    let (state, events, at) = before_last(&["uni: submit r1 for id:1/Ann/2000-02-29"]);
    let Body::LearnerRegistered(mut registered) = events[0].body.clone() else {
        panic!("{events:?}")
    };
    if let Opening::Provisional(ProvisionalReference::Document(identity, _)) =
        &mut registered.opening
    {
        identity.document.number = "7".repeat(1_000);
    }
    let event = Event {
        body: Body::LearnerRegistered(registered),
        ..events[0].clone()
    };
    assert_eq!(refused(&state, &event, at), "MALFORMED");
}

#[test]
fn a_suppression_list_is_sorted_and_without_repetition() {
    let lines = [
        "operator: register L1",
        "uni: submit r1 for L1",
        "operator: erase L1",
    ];
    let (state, events, at) = before_last(&lines);
    let Body::LearnerErased(mut erased) = events[0].body.clone() else {
        panic!("{events:?}")
    };
    erased.suppressed.push(erased.suppressed[0]);
    let event = Event {
        body: Body::LearnerErased(erased),
        ..events[0].clone()
    };
    assert_eq!(refused(&state, &event, at), "OUT_OF_PLACE");
}

#[test]
fn commands_on_a_ledger_that_was_not_opened_are_refused() {
    let mut bank = Bank::default();
    for line in ["operator: register L1", "operator: unit ects credits"] {
        let answer = language::run(&mut bank, line);
        assert_eq!(answer.reason, Some("OUT_OF_PLACE"), "{}", answer.text);
    }
}

/// A departure whose body is erased still says that something left; its arrival, that it is here now.
#[test]
fn an_erased_arrival_still_moves_its_record() {
    let lines = two_and(&[
        "uni: submit r1 for L1 code=C1",
        "uni: reassign r1 to L2 because wrong number",
        "uni: submit r2 for L1 code=C1",
        "operator: erase L2",
    ]);
    let (bank, _) = after(&lines);
    let mut state = State::new();
    for (event, at) in &bank.events {
        // What the erasure covers is zeros now: everything that lies on L2's chain.
        let covered = event.learner == Some(handle("L2"))
            && ledger::event::erasure_covers(ledger::EventKind::LearnerErased, event.body.kind());
        let body = Body::Erased(event.body.kind());
        let read = if covered {
            Event {
                body,
                ..event.clone()
            }
        } else {
            event.clone()
        };
        assert_eq!(admit(&state, &read, *at), Ok(()), "{read:?}");
        state.apply(&read);
    }
    assert_same(&state.without_facts(), &bank.state.without_facts());
}

#[test]
fn the_second_of_a_pair_is_the_same_ones_statement_as_the_first() {
    let (state, events, at) =
        before_last(&two_and(&["operator: merge L1 into L2 because one person"]));
    let [merged, absorbed] = &events[..] else {
        panic!("a pair: {events:?}");
    };
    let by_uni = Event {
        issuer: institution("uni"),
        submitter: institution("uni"),
        ..absorbed.clone()
    };
    let problem = in_order(&state, &[merged, &by_uni], at);
    assert!(problem.contains("pair"), "{problem}");
    let Body::LearnerAbsorbed(counterpart) = &absorbed.body else {
        panic!("an absorption");
    };
    let silent = Event {
        body: Body::LearnerAbsorbed(ledger::event::Counterpart {
            reason: String::new(),
            ..counterpart.clone()
        }),
        ..absorbed.clone()
    };
    let problem = in_order(&state, &[merged, &silent], at);
    assert!(problem.contains("reason"), "{problem}");
}

#[test]
fn an_erasure_suppresses_nobody_elses_record() {
    let lines = two_and(&["uni: submit r1 for L2", "operator: erase L1"]);
    let (state, events, at) = before_last(&lines);
    let secret = state.secret().unwrap();
    let others = secret.record(&institution("uni"), "r1");
    let forged = Event {
        body: Body::LearnerErased(ledger::event::LearnerErased {
            suppressed: vec![others],
        }),
        ..events[0].clone()
    };
    assert_eq!(refused(&state, &forged, at), "OUT_OF_PLACE");
    let unknown = Event {
        body: Body::LearnerErased(ledger::event::LearnerErased {
            suppressed: vec![secret.record(&institution("uni"), "never seen")],
        }),
        ..events[0].clone()
    };
    assert_eq!(admit(&state, &unknown, at), Ok(()));
}
