//! Any order of commands, sensible or not: no invariant breaks, and every way to decide agrees.
//!
//! What is drawn is text in the scenario language, so a failing run can be read, and be pasted into a table
//! as a named scenario. The checks of each command are the bank's; here are the words, and what must be
//! refused beside what was accepted.

use std::sync::Arc;

use proptest::prelude::{BoxedStrategy, Just, Strategy, any, prop_assert, proptest};
use proptest::sample::select;
use proptest::{collection, prop_oneof};

use ledger::event::AchievementReceived;
use ledger::state::Refusal;
use ledger::{Body, Event, EventKind, State, Timestamp, admit};

use crate::bank::Bank;
use crate::language;
use crate::table::opened;
use crate::vocabulary::{handle, institution};

const OTHERS: [&str; 5] = ["operator", "uni", "col", "tiny", "ghost"];
const INSTITUTIONS: [&str; 4] = ["uni", "col", "tiny", "ghost"];
const HANDLES: [&str; 6] = ["L1", "L2", "L3", "L4", "P1", "P2"];
const NUMBERS: [&str; 4] = ["uni/S1", "uni/S2", "uni/S3", "col/S1"];
const DOCUMENTS: [&str; 4] = [
    "id:1/Ann/2000-02-29",
    "id:1/Anne/2000-02-29",
    "id:2/Bob/1999-01-01",
    "pass:1/Ann/2000-02-29",
];
const RECORDS: [&str; 4] = ["r1", "r2", "r3", "r4"];
const PERSONS: [&str; 3] = [
    "",
    " name=Ann doc=id:1 born=2000-02-29",
    " name=Bob doc=id:2 doc=id:1",
];
const CONTENTS: [&str; 9] = [
    "code=C1",
    "code=C1 grade=A",
    "code=C1 grade=B",
    "code=C2",
    "",
    "code=C1 attempt=2",
    "code=C2 attempt=0",
    "code=C1 awarded=2026-07-20",
    "code=C3 type=Certificate size=3:ects field=0613",
];

/// Mostly what is there, sometimes what is not.
fn known_handle() -> impl Strategy<Value = &'static str> {
    prop_oneof![8 => select(&HANDLES[..3]), 3 => select(&HANDLES[..]), 1 => Just("L9")]
}

fn number() -> impl Strategy<Value = &'static str> {
    prop_oneof![12 => select(&NUMBERS[..]), 1 => Just("ghost/S1")]
}

fn learner() -> impl Strategy<Value = &'static str> {
    prop_oneof![6 => known_handle(), 4 => number(), 2 => select(&DOCUMENTS[..])]
}

fn seen() -> impl Strategy<Value = String> {
    prop_oneof![6 => Just(String::new()), 1 => (0..12_u8).prop_map(|seen| format!(" seen={seen}"))]
}

/// A record of the actor's own, or by its issuer's name.
fn record() -> BoxedStrategy<String> {
    let own = select(&RECORDS[..]).prop_map(str::to_owned);
    let of = (select(&INSTITUTIONS[..2]), select(&RECORDS[..]));
    prop_oneof![8 => own, 1 => of.prop_map(|(id, record)| format!("{id}/{record}"))].boxed()
}

fn about_records() -> BoxedStrategy<String> {
    let word = select(&["suspend", "reinstate", "revoke"][..]);
    prop_oneof![
        8 => (record(), learner(), select(&CONTENTS[..]))
            .prop_map(|(record, of, said)| format!("submit {record} for {of} {said}")),
        3 => (record(), number(), select(&HANDLES[..4]), select(&PERSONS[..]), select(&CONTENTS[..]))
            .prop_map(|(record, of, new, who, said)| {
                format!("submit {record} for {of} registering fresh={new}{who} {said}")
            }),
        4 => (record(), select(&CONTENTS[..]), seen())
            .prop_map(|(record, said, seen)| format!("supersede {record} {said}{seen} because so")),
        1 => (record(), learner(), select(&CONTENTS[..]))
            .prop_map(|(record, of, said)| format!("supersede {record} for {of} {said} because so")),
        4 => (word, record()).prop_map(|(word, record)| format!("{word} {record} because so")),
        4 => (record(), learner(), seen())
            .prop_map(|(record, to, seen)| format!("reassign {record} to {to}{seen} because so")),
    ]
    .boxed()
}

fn about_learners() -> BoxedStrategy<String> {
    let person = select(&PERSONS[..]);
    let numbers = collection::vec(number(), 0..2).prop_map(|numbers| numbers.join(" "));
    let request = select(&["", " request=q1", " request=q2"][..]);
    let own = (select(&HANDLES[..4]), numbers, person.clone(), request);
    prop_oneof![
        6 => own.prop_map(|(new, numbers, who, request)| format!("register {new} {numbers}{who}{request}")),
        2 => (learner(), person, seen())
            .prop_map(|(of, who, seen)| format!("update {of}{who}{seen}")),
        4 => (learner(), number()).prop_map(|(of, number)| format!("link {of} {number}")),
        1 => number().prop_map(|number| format!("unlink {number}")),
        5 => (known_handle(), known_handle(), seen())
            .prop_map(|(one, other, seen)| format!("merge {one} into {other}{seen} because so")),
        5 => known_handle().prop_map(|one| format!("separate {one} because so")),
        1 => (known_handle(), seen()).prop_map(|(one, seen)| format!("erase {one}{seen}")),
        1 => (known_handle(), seen()).prop_map(|(one, seen)| format!("erase-identity {one}{seen}")),
    ]
    .boxed()
}

fn about_the_registry() -> BoxedStrategy<String> {
    let id = || select(&INSTITUTIONS[..]);
    let parent = select(&["", " parent=uni", " parent=col", " parent=tiny"][..]);
    let word = select(&["institution", "update-institution"][..]);
    let levels = select(
        &[
            "1 2 3 4 5 6 7 8",
            "1 2 3 4 4+ 5 6 7 8",
            "8 7 6 5 4 3 2 1",
            "1 1",
        ][..],
    );
    let intake = select(
        &[
            "",
            " intake=2026-07-01..2026-07-15",
            " intake=2026-07-01..2026-08-05",
        ][..],
    );
    prop_oneof![
        3 => (word, id(), parent)
            .prop_map(|(word, id, parent)| format!("{word} {id}{parent} scope=any")),
        1 => select(&INSTITUTIONS[..]).prop_map(|id| format!("suspend-institution {id} because so")),
        3 => id().prop_map(|id| format!("reinstate-institution {id} because so")),
        1 => (id(), id()).prop_map(|(id, other)| format!("close {id} successor={other} because so")),
        3 => (id(), id()).prop_map(|(id, to)| format!("delegate {id} to {to} during=..2026-08-03")),
        2 => levels.prop_map(|levels| format!("framework eqf {levels}")),
        1 => select(&["credits", "hours"][..]).prop_map(|kind| format!("unit ects {kind}")),
        2 => select(&["06=ICT", "06=Informatics", "07=Works"][..])
            .prop_map(|code| format!("codes isced-f-2013 {code}")),
        2 => (id(), intake)
            .prop_map(|(id, intake)| format!("window w1 for={id} awarded=..2026-07-10{intake}")),
    ]
    .boxed()
}

fn line() -> BoxedStrategy<String> {
    // Most of what is asked comes from whoever may ask it, so that much succeeds.
    let of_records = prop_oneof![16 => Just("uni"), 3 => Just("col"), 1 => select(&OTHERS[..])];
    let of_learners =
        prop_oneof![12 => Just("operator"), 6 => Just("uni"), 1 => select(&OTHERS[..])];
    let of_registry =
        prop_oneof![12 => Just("operator"), 2 => Just("uni"), 1 => select(&OTHERS[..])];
    let says = |(actor, asked): (&str, String)| format!("{actor}: {asked}");
    let day = (1..6_u8).prop_map(|day| format!("today 2026-08-0{day}"));
    prop_oneof![
        30 => (of_records, about_records()).prop_map(says),
        20 => (of_learners, about_learners()).prop_map(says),
        3 => (of_registry, about_the_registry()).prop_map(says),
        2 => day,
    ]
    .boxed()
}

fn lines() -> impl Strategy<Value = Vec<String>> {
    collection::vec(line(), 1..80)
}

fn days_in_order(lines: &mut [String]) {
    // Time does not run backwards: the days that were drawn, sorted.
    let mut days: Vec<String> = lines
        .iter()
        .filter(|line| line.starts_with("today"))
        .cloned()
        .collect();
    days.sort();
    let mut days = days.into_iter();
    for line in lines.iter_mut().filter(|line| line.starts_with("today")) {
        *line = days.next().unwrap();
    }
}

fn run(lines: &mut [String]) -> Bank {
    days_in_order(lines);
    let mut bank = opened();
    for first in [
        "uni: register L1 uni/S1",
        "operator: register L2 uni/S2",
        "operator: register L3",
    ] {
        language::run(&mut bank, first);
    }
    for line in lines {
        language::run(&mut bank, line);
    }
    bank
}

proptest! {
    #![proptest_config(proptest::test_runner::Config {
        cases: 96,
        failure_persistence: None,
        max_shrink_iters: 4_000,
        ..Default::default()
    })]

    #[test]
    fn no_order_of_commands_breaks_an_invariant(mut lines in lines()) {
        run(&mut lines).finish();
    }

    #[test]
    fn what_was_accepted_is_refused_when_it_is_altered(mut lines in lines(), other in any::<bool>()) {
        let bank = run(&mut lines);
        let mut state = State::new();
        for (event, at) in &bank.events {
            for altered in altered(event, other) {
                prop_assert!(is_refused(&state, &altered, *at), "admitted: {altered:?}");
            }
            state.apply(event);
            if happens_once(event.body.kind()) {
                prop_assert!(is_refused(&state, event, *at), "admitted twice: {event:?}");
            }
        }
    }

    #[test]
    fn the_same_commands_give_the_same_ledger(mut lines in lines()) {
        let (one, other) = (run(&mut lines), run(&mut lines));
        prop_assert!(one.events == other.events);
    }
}

fn is_refused(state: &State, event: &Event, at: Timestamp) -> bool {
    matches!(admit(state, event, at), Err(Refusal::Rejected(_)))
}

/// The event with something in it that makes it another's, or nobody's, or malformed.
fn altered(event: &Event, other: bool) -> Vec<Event> {
    let mut altered = vec![Event {
        submitter: institution("nobody"),
        ..event.clone()
    }];
    // Whoever may act, the statement cannot be an unknown issuer's.
    altered.push(Event {
        issuer: institution("nobody"),
        ..event.clone()
    });
    let registers = event.body.kind() == EventKind::LearnerRegistered;
    match event.learner {
        Some(_) if !registers => {
            altered.push(Event {
                learner: Some(handle("N9")),
                ..event.clone()
            });
            altered.push(Event {
                learner: None,
                ..event.clone()
            });
        }
        Some(_) => altered.push(Event {
            learner: None,
            ..event.clone()
        }),
        None => altered.push(Event {
            learner: Some(handle("L1")),
            ..event.clone()
        }),
    }
    altered.extend(malformed(&event.body, other).map(|body| Event {
        body,
        ..event.clone()
    }));
    altered
}

fn malformed(body: &Body, other: bool) -> Option<Body> {
    Some(match body.clone() {
        Body::AchievementRecorded(mut content) => {
            if other {
                Arc::make_mut(&mut content.achievement).attempt = 0;
            } else {
                Arc::make_mut(&mut content.achievement).record_id.clear();
            }
            Body::AchievementRecorded(content)
        }
        Body::AchievementSuperseded(mut new) => {
            if other {
                Arc::make_mut(&mut new.achievement).titles.clear();
            } else {
                new.reason.clear();
            }
            Body::AchievementSuperseded(new)
        }
        Body::AchievementReceived(mut received) => {
            if other {
                received.suspended = !received.suspended;
            } else {
                Arc::make_mut(&mut received.achievement).tier.push('x');
            }
            Body::AchievementReceived(AchievementReceived { ..received })
        }
        Body::AchievementRevoked(mut status) => {
            status.reason.clear();
            Body::AchievementRevoked(status)
        }
        Body::LearnerMerged(mut counterpart) => {
            counterpart.learner = handle("N9");
            Body::LearnerMerged(counterpart)
        }
        Body::LearnerErased(mut erased) => {
            erased
                .suppressed
                .extend([ledger::Key([7; 16]), ledger::Key([7; 16])]);
            Body::LearnerErased(erased)
        }
        _ => return None,
    })
}

/// What cannot be a fact twice in a row.
fn happens_once(kind: EventKind) -> bool {
    !matches!(
        kind,
        EventKind::InstitutionUpdated
            | EventKind::InstitutionDelegated
            | EventKind::FrameworkPublished
            | EventKind::CreditUnitPublished
            | EventKind::CodeListPublished
            | EventKind::CoursePublished
            | EventKind::IntakeWindowPublished
            | EventKind::LearnerUpdated
            | EventKind::IdentityLinked
            | EventKind::LearnerIdentityErased
    )
}
