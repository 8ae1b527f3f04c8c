//! The engine, one command after the other: commands in, receipts out, and what the store then holds.
//!
//! Each test runs on every kind of store, because the memory store is more forgiving than the files.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::disallowed_types,
    reason = "a test stops at what it does not expect"
)]

mod bank;

use std::sync::Arc;

use bank::{Bank, ErasesNothing, Files, Home, Memory, OPTIONS, achievement, by, id, operator};
use chain::Position;
use creditbank_server::clock::Clock;
use creditbank_server::engine::{Done, Engine, ErasureScope, Mode, Opened, Refused, WriterOptions};
use ledger::words::*;
use ledger::*;
use store::EventStore;

/// Every test once on each kind of store.
macro_rules! on_every_store {
    ($($test:ident;)*) => {
        mod memory {
            $(#[tokio::test] async fn $test() { super::$test::<super::Memory>().await; })*
        }
        mod files {
            $(#[tokio::test] async fn $test() { super::$test::<super::Files>().await; })*
        }
    };
}

on_every_store! {
    a_record_sent_again_returns_the_first_receipt;
    the_same_record_in_parallel_and_in_one_batch_is_recorded_once;
    pending_records_are_bound_when_the_number_is_linked;
    atomic_batches_are_all_or_nothing_and_validation_records_nothing;
    what_an_engine_forgot_or_never_knew_it_loads;
    an_erased_learner_does_not_come_back;
    a_reassigned_record_is_with_the_new_learner;
    erasing_a_learner_leaves_what_was_reassigned_to_another;
    a_repetition_within_a_validated_batch_is_no_fault;
    an_erasure_that_was_cut_off_is_carried_out_at_the_next_start;
}

async fn a_record_sent_again_returns_the_first_receipt<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    let handle = bank.learner("S1").await;
    let first = bank
        .ok(bank.submit("S1", achievement("r1", "C1", "6")))
        .await;
    assert!(!first.already && first.learner == Some(handle) && first.pending.is_none());
    let size = bank.size().await;
    let again = bank
        .ok(bank.submit("S1", achievement("r1", "C1", "6.0")))
        .await;
    assert!(again.already);
    assert_eq!(again.receipts[0].position, first.receipts[0].position);
    assert_eq!(again.receipts[0].leaf, first.receipts[0].leaf);
    assert_eq!(
        bank.reason(bank.submit("S1", achievement("r1", "C1", "7")))
            .await,
        "RECORD_ID_REUSED"
    );
    assert_eq!(
        bank.reason(bank.submit("S1", achievement("r2", "C1", "6")))
            .await,
        "DUPLICATE_RESULT"
    );
    assert_eq!(bank.size().await, size);
}

async fn the_same_record_in_parallel_and_in_one_batch_is_recorded_once<H: Home>() {
    let bank = Arc::new(Bank::<H>::with_university().await);
    bank.learner("S1").await;
    let before = bank.size().await;
    let tasks: Vec<_> = (0..16)
        .map(|_| {
            let bank = Arc::clone(&bank);
            tokio::spawn(async move {
                let twice = vec![
                    bank.submit("S1", achievement("r1", "C1", "6")),
                    bank.submit("S1", achievement("r1", "C1", "6")),
                ];
                bank.engine.execute(twice, Mode::Each).await.unwrap()
            })
        })
        .collect();
    let mut positions = Vec::new();
    for task in tasks {
        positions.extend(
            task.await
                .unwrap()
                .into_iter()
                .map(|outcome| outcome.unwrap().receipts[0].position),
        );
    }
    assert_eq!(positions.len(), 32);
    assert!(positions.iter().all(|position| *position == positions[0]));
    assert_eq!(bank.size().await, before + 1);
}

async fn pending_records_are_bound_when_the_number_is_linked<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    let both = vec![
        bank.submit("S9", achievement("r1", "C1", "6")),
        bank.submit("S9", achievement("r2", "C2", "3")),
    ];
    let outcomes = bank.engine.execute(both, Mode::Each).await.unwrap();
    let provisional: Vec<_> = outcomes
        .iter()
        .map(|o| o.as_ref().unwrap().learner)
        .collect();
    assert_eq!(provisional[0], provisional[1]);
    assert!(
        outcomes
            .iter()
            .all(|o| o.as_ref().unwrap().pending == Some(PendingReason::Unlinked))
    );
    let handle = bank.learner("S9").await;
    let name = RecordName {
        issuer: id("uni"),
        record_id: "r1".into(),
    };
    assert_eq!(bank.engine.record(&name).await.unwrap(), Some(handle));
    let again = bank
        .ok(bank.submit("S9", achievement("r1", "C1", "6")))
        .await;
    assert!(again.already && again.learner == Some(handle) && again.pending.is_none());
    assert_eq!(
        bank.reason(bank.submit("S9", achievement("r3", "C1", "6")))
            .await,
        "DUPLICATE_RESULT"
    );
}

async fn atomic_batches_are_all_or_nothing_and_validation_records_nothing<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    bank.learner("S1").await;
    let before = bank.size().await;
    let batch = |bank: &Bank<H>| {
        vec![
            bank.submit("S1", achievement("r1", "C1", "6")),
            bank.submit(
                "S1",
                Achievement {
                    field: "9999".into(),
                    ..achievement("r2", "C2", "6")
                },
            ),
            bank.submit("S1", achievement("r3", "C3", "6")),
        ]
    };
    for mode in [Mode::Atomic, Mode::ValidateAtomic] {
        let outcomes = bank.engine.execute(batch(&bank), mode).await.unwrap();
        assert!(matches!(outcomes[0], Err(Refused::NotAttempted)));
        assert!(matches!(
            outcomes[1],
            Err(Refused::Rejected(Rejection::UnknownCode { .. }))
        ));
        assert!(matches!(outcomes[2], Err(Refused::NotAttempted)));
    }
    let outcomes = bank
        .engine
        .execute(batch(&bank), Mode::ValidateEach)
        .await
        .unwrap();
    assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_ok());
    assert_eq!(bank.size().await, before);
    let outcomes = bank.engine.execute(batch(&bank), Mode::Each).await.unwrap();
    assert!(outcomes[0].is_ok() && outcomes[1].is_err() && outcomes[2].is_ok());
    assert_eq!(bank.size().await, before + 2);
}

#[allow(clippy::too_many_lines, reason = "one history, told in order")]
async fn what_an_engine_forgot_or_never_knew_it_loads<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    bank.learner("S1").await;
    bank.ok(bank.submit("S1", achievement("r1", "C1", "6")))
        .await;
    let suspend = |reason: &str| {
        let name = RecordName {
            issuer: id("uni"),
            record_id: "r1".into(),
        };
        by(
            "uni",
            Action::Suspend {
                name,
                reason: reason.into(),
            },
        )
    };
    bank.ok(suspend("under review")).await;
    // Another engine on the same records, which forgets after every group.
    let forgetful = WriterOptions {
        facts_max: 0,
        ..OPTIONS
    };
    let (bank, opened) = Bank::open_with(bank.closed().await, forgetful).await;
    assert_eq!(
        opened,
        Opened::Resumed {
            size: bank.size().await,
            erased: 0
        }
    );
    assert_eq!(bank.reason(suspend("again")).await, "RECORD_SUSPENDED");
    let new = achievement("r1", "C1", "7");
    let supersede = |expected| {
        let (learner, achievement) = (None, new.clone());
        let (issuer, reason) = (id("uni"), "corrected".into());
        by(
            "uni",
            Action::Supersede {
                signature: None,
                issuer,
                learner,
                achievement: achievement.into(),
                reason,
                expected,
            },
        )
    };
    assert_eq!(
        bank.reason(supersede(Some(Revision(0)))).await,
        "STALE_REVISION"
    );
    let done = bank.ok(supersede(None)).await;
    assert!(!done.already);
    assert!(bank.ok(supersede(None)).await.already);
    assert!(
        bank.ok(bank.submit("S1", achievement("r1", "C1", "6")))
            .await
            .already
    );
    let name = RecordName {
        issuer: id("uni"),
        record_id: "r1".into(),
    };
    bank.ok(by(
        "uni",
        Action::Revoke {
            name: name.clone(),
            reason: "fraud".into(),
        },
    ))
    .await;
    let revoke = by(
        "uni",
        Action::Revoke {
            name,
            reason: "fraud".into(),
        },
    );
    assert_eq!(bank.reason(revoke).await, "RECORD_REVOKED");
    assert!(
        !bank
            .ok(bank.submit("S1", achievement("r4", "C1", "6")))
            .await
            .already
    );
}

async fn an_erased_learner_does_not_come_back<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    let handle = bank.learner("S1").await;
    bank.ok(bank.submit("S1", achievement("r1", "C1", "6")))
        .await;
    let (outcome, erased) = bank.engine.erase(handle, ErasureScope::All).await.unwrap();
    assert!(outcome.is_ok());
    // The registration, the link and the achievement.
    assert_eq!(erased, 3);
    assert_eq!(
        bank.reason(bank.submit("S1", achievement("r1", "C1", "6")))
            .await,
        "ERASED"
    );
    let pending = bank
        .ok(bank.submit("S1", achievement("r2", "C2", "6")))
        .await;
    assert_eq!(pending.pending, Some(PendingReason::Unlinked));
    let through = bank.store.erased_through().await.unwrap().unwrap();
    assert_eq!(outcome.unwrap().receipts[0].position, through);
}

async fn a_reassigned_record_is_with_the_new_learner<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    let (one, two) = (bank.learner("S1").await, bank.learner("S2").await);
    bank.ok(bank.submit("S1", achievement("r1", "C1", "6")))
        .await;
    let name = RecordName {
        issuer: id("uni"),
        record_id: "r1".into(),
    };
    assert_eq!(bank.engine.record(&name).await.unwrap(), Some(one));
    let actor = Actor::Institution(id("uni"));
    let to = LearnerReference::Handle(two);
    let reason = "wrong student".to_owned();
    let moved = bank
        .engine
        .reassign(actor, name.clone(), to, reason, None, false)
        .await
        .unwrap();
    assert_eq!(moved.unwrap().learner, Some(two));
    assert_eq!(bank.engine.record(&name).await.unwrap(), Some(two));
    // The learner first named and the current one are both recognised.
    assert!(
        bank.ok(bank.submit("S1", achievement("r1", "C1", "6")))
            .await
            .already
    );
    assert!(
        bank.ok(bank.submit("S2", achievement("r1", "C1", "6")))
            .await
            .already
    );
    bank.learner("S3").await;
    let other = bank.submit("S3", achievement("r1", "C1", "6"));
    assert_eq!(bank.reason(other).await, "RECORD_OF_OTHER_LEARNER");
}

async fn erasing_a_learner_leaves_what_was_reassigned_to_another<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    let (one, two) = (bank.learner("S1").await, bank.learner("S2").await);
    bank.ok(bank.submit("S1", achievement("r1", "C1", "6")))
        .await;
    bank.ok(bank.submit("S1", achievement("r2", "C2", "6")))
        .await;
    let name = RecordName {
        issuer: id("uni"),
        record_id: "r1".into(),
    };
    let actor = Actor::Institution(id("uni"));
    let to = LearnerReference::Handle(two);
    let reason = "wrong student".to_owned();
    let moved = bank
        .engine
        .reassign(actor, name.clone(), to, reason, None, false)
        .await;
    moved.unwrap().unwrap();
    let erased = bank.engine.erase(one, ErasureScope::All).await.unwrap();
    erased.0.unwrap();
    assert_eq!(bank.engine.record(&name).await.unwrap(), Some(two));
    let again = bank.submit("S2", achievement("r1", "C1", "6"));
    assert!(bank.ok(again).await.already);
    let gone = bank.submit("S1", achievement("r2", "C2", "6"));
    assert_eq!(bank.reason(gone).await, "ERASED");
}

async fn a_repetition_within_a_validated_batch_is_no_fault<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    bank.learner("S1").await;
    for mode in [Mode::ValidateEach, Mode::ValidateAtomic] {
        let twice = vec![
            bank.submit("S1", achievement("r1", "C1", "6")),
            bank.submit("S1", achievement("r1", "C1", "6")),
        ];
        let outcomes = bank.engine.execute(twice, mode).await.unwrap();
        let done: Vec<Done> = outcomes.into_iter().map(Result::unwrap).collect();
        assert!(!done[0].already && done[1].already);
        assert!(done.iter().all(|done| done.receipts.is_empty()));
    }
}

async fn an_erasure_that_was_cut_off_is_carried_out_at_the_next_start<H: Home>() {
    let bank = Bank::<H>::with_university().await;
    let handle = bank.learner("S1").await;
    bank.ok(bank.submit("S1", achievement("r1", "C1", "6")))
        .await;
    let home = bank.closed().await;
    let clock = Arc::new(Clock::system());
    let broken = Arc::new(ErasesNothing(home.open()));
    let (engine, _) = Engine::open(broken, clock, OPTIONS, vec![]).await.unwrap();
    engine
        .erase(handle, ErasureScope::All)
        .await
        .expect_err("the bodies are still there");
    // Nothing goes on beside an erasure that failed.
    let command = bank_command();
    assert!(engine.execute(vec![command], Mode::Each).await.is_err());
    assert!(engine.stopped().borrow().is_some());
    engine.close().await;
    drop(engine);

    let (bank, opened) = Bank::open_with(home, OPTIONS).await;
    let size = bank.size().await;
    assert_eq!(opened, Opened::Resumed { size, erased: 3 });
    assert_eq!(
        bank.store.erased_through().await.unwrap(),
        Some(Position(size - 1))
    );
    let again = bank.submit("S1", achievement("r1", "C1", "6"));
    assert_eq!(bank.reason(again).await, "ERASED");
}

fn bank_command() -> Command {
    let unit = CreditUnit {
        code: "hours".into(),
        title: "Hours".into(),
        kind: UnitKind::Hours,
        source: "clock".into(),
    };
    operator(Action::PublishCreditUnit(unit))
}
