//! States as of a date, in a ledger of many days: what a search through its times finds is what looking at
//! each record finds.
//!
//! Apart from `earlier`, whose ledgers are made in a moment: here the clock is the test's, and days pass
//! between records, end between two of them, and have none.

use std::time::Duration;

use api::v1::*;
use ledger::{Date, Timestamp};
use proptest::prelude::*;
use server::clock::{Clock, ManualClock};

use crate::bank::{Bank, achievement, acting};

const DAY: u64 = 86_400_000_000;
/// Ten in the morning of 2025-11-08.
const BEGIN: Timestamp = Timestamp(20_400 * DAY + 10 * DAY / 24);
const ACHIEVEMENT_RECORDED: u16 = 50;

/// The time between two calls.
#[derive(Debug, Clone, Copy)]
enum Gap {
    Micros(u64),
    /// To the first microsecond of the next day, or the last one of this.
    Midnight {
        is_before: bool,
    },
}

fn gap() -> impl Strategy<Value = Gap> {
    prop_oneof![
        2 => (0..3_u64).prop_map(Gap::Micros),
        3 => (0..DAY).prop_map(Gap::Micros),
        2 => (DAY..5 * DAY).prop_map(Gap::Micros),
        2 => any::<bool>().prop_map(|is_before| Gap::Midnight { is_before }),
    ]
}

/// Moves the hands; answers with the new time.
fn pass(hands: &ManualClock, now: Timestamp, gap: Gap) -> Timestamp {
    let micros = match gap {
        Gap::Micros(micros) => micros,
        Gap::Midnight { is_before } => DAY - now.0 % DAY - u64::from(is_before),
    };
    hands.advance(Duration::from_micros(micros));
    Timestamp(now.0 + micros)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 5, ..ProptestConfig::default() })]

    #[test]
    fn a_date_leads_to_the_last_record_of_its_day(
        steps in proptest::collection::vec((gap(), 1..4_u64), 8..25),
    ) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(check(&steps));
    }
}

async fn check(steps: &[(Gap, u64)]) {
    let (clock, hands) = Clock::manual(BEGIN);
    let bank = Bank::on_clock(clock).await;
    let (mut now, mut count) = (BEGIN, 0);
    for (gap, n_records) in steps {
        now = pass(&hands, now, *gap);
        let ids = (count..count + n_records).map(|n| achievement(&format!("r{n}")));
        bank.batch(ids.collect()).await;
        count += n_records;
    }
    let times = times(&bank).await;
    assert_eq!(times.last().map(|(at, _)| *at), Some(now));
    // A day without records at either end.
    now = pass(&hands, now, Gap::Micros(DAY));
    let last = now.date();
    let mut day = Timestamp(BEGIN.0 - DAY).date();
    while day <= last {
        let until: Vec<_> = times.iter().filter(|(at, _)| at.date() <= day).collect();
        let head = head(&bank, day).await;
        assert_eq!(usize::try_from(head.size).unwrap(), until.len(), "on {day}");
        let recorded = |(_, kind): &&&(Timestamp, u16)| *kind == ACHIEVEMENT_RECORDED;
        let recorded = until.iter().filter(recorded).count();
        if !until.is_empty() {
            assert_eq!(listed(&bank, day).await, recorded, "on {day}");
        }
        day = day.succ_opt().unwrap();
    }
    bank.stop_and_verify().await;
}

/// When each record was made, and of which kind it is.
async fn times(bank: &Bank) -> Vec<(Timestamp, u16)> {
    let request = acting("auditor", ReadRecordsRequest::default());
    let mut answers = bank.audit().read_records(request).await.unwrap();
    let mut times = vec![];
    while let Some(answer) = answers.get_mut().message().await.unwrap() {
        times.extend(answer.records.iter().map(|record| {
            let leaf = chain::Leaf::decode(&record.leaf).unwrap();
            (Timestamp(leaf.recorded_at.0), leaf.kind)
        }));
    }
    times
}

fn on(day: Date) -> Option<AsOf> {
    let date = day.to_string();
    Some(AsOf {
        date,
        ..AsOf::default()
    })
}

async fn head(bank: &Bank, day: Date) -> GetHeadResponse {
    let request = GetHeadRequest { as_of: on(day) };
    let answer = bank.audit().get_head(acting("auditor", request)).await;
    answer.unwrap().into_inner()
}

async fn listed(bank: &Bank, day: Date) -> usize {
    let request = ListRecordsRequest {
        page_size: 1_000,
        as_of: on(day),
        ..ListRecordsRequest::default()
    };
    let request = acting("institution:uni", request);
    let answer = bank.records().list_records(request).await;
    answer.unwrap().into_inner().records.len()
}
