//! Reads of earlier states, through gRPC: what was answered then is answered again, whatever came since,
//! except for what has been erased; and every request for a state that there is not is explained.

use api::v1::*;
use tonic::Code;

use crate::bank::{Bank, Refusal, acting, student};
use crate::story::{OPERATOR, STEPS, Story, UNI, course, filters, listed};

pub(crate) fn today() -> String {
    let seconds = std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .unwrap();
    let micros = u64::try_from(seconds.as_micros()).unwrap();
    ledger::Timestamp(micros).date().to_string()
}

fn at(size: u64) -> Option<AsOf> {
    Some(AsOf {
        size,
        date: today(),
        at_least: 0,
    })
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_answered_then_is_answered_again() {
    let (bank, mut story) = Story::begin().await;
    let mut then = vec![];
    for number in 0..STEPS {
        story.step(&bank, number).await;
        if number % 4 == 1 || number + 2 >= STEPS {
            let size = bank.size().await;
            then.push((size, story.answers(&bank, None).await));
        }
    }
    for (size, answers) in &then {
        let again = story.answers(&bank, at(*size)).await;
        for (again, answer) in again.iter().zip(answers) {
            assert_eq!(again, answer, "as of {size}");
        }
        assert_eq!(again.len(), answers.len());
    }
    // What is erased is shown of no state.
    story.erase(&bank).await;
    for (size, _) in &then {
        let again = story.answers(&bank, at(*size)).await.join("\n");
        for gone in ["title of a\"", "title of e\"", "title of i\""] {
            assert!(!again.contains(gone), "{gone} as of {size}");
        }
    }
    bank.stop_and_verify().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_filter_chooses_what_it_says() {
    let (bank, mut story) = Story::begin().await;
    let mut sizes = vec![];
    for number in 0..STEPS {
        story.step(&bank, number).await;
        sizes.push(bank.size().await);
    }
    let last = sizes.len() - 1;
    for size in [sizes[9], sizes[16], sizes[last]] {
        check_filters(&bank, size).await;
    }
    story.erase(&bank).await;
    check_filters(&bank, bank.size().await).await;
    check_filters(&bank, sizes[12]).await;
}

/// Compares every filter with all records, looked at one by one.
async fn check_filters(bank: &Bank, size: u64) {
    let all = listed(bank, RecordFilter::default(), at(size), 3).await;
    assert!(all.len() > 5);
    let mut chosen = 0;
    for filter in filters() {
        let expected: Vec<Record> = all
            .iter()
            .filter(|record| chooses(&filter, record))
            .cloned()
            .collect();
        for page_size in [1, 1_000] {
            let found = listed(bank, filter.clone(), at(size), page_size).await;
            assert_eq!(found, expected, "{filter:?} as of {size}");
        }
        chosen += expected.len();
    }
    assert!(chosen > all.len() * 4, "the filters choose something");
}

fn chooses(filter: &RecordFilter, record: &Record) -> bool {
    let content = record.versions.last().and_then(|it| it.achievement.clone());
    let span = filter.awarded.clone().unwrap_or_default();
    let by_content = content.is_some_and(|content| {
        (filter.code.is_empty() || filter.code == content.code)
            && (filter.offering.is_empty() || filter.offering == content.offering)
            && (span.from.is_empty() || span.from <= content.awarded)
            && (span.until.is_empty() || content.awarded < span.until)
    });
    let any = RecordFilter {
        states: vec![],
        ..filter.clone()
    };
    let by_state = filter.states.is_empty() || filter.states.contains(&record.state);
    by_state && (by_content || any == RecordFilter::default())
}

#[tokio::test(flavor = "multi_thread")]
async fn expiry_is_judged_on_the_day_asked_for() {
    let bank = Bank::with_institutions().await;
    let expiring = Achievement {
        expires: "2025-03-31".into(),
        ..course("a", "S1", "C-1", "2024-03-10")
    };
    bank.submit(expiring).await.unwrap();
    let size = bank.size().await;
    for (date, held) in [("2025-03-31", 1), ("2025-04-01", 0)] {
        let as_of = Some(AsOf {
            size,
            date: date.into(),
            at_least: size,
        });
        let request = GetBalanceRequest {
            learner: Some(student("uni", "S1")),
            as_of: as_of.clone(),
        };
        let balance = bank.accounts().get_balance(acting(UNI, request)).await;
        let balance = balance.unwrap().into_inner();
        assert_eq!(balance.totals.len(), held, "on {date}");
        assert_eq!(
            (balance.as_of_date, balance.as_of_size),
            (date.to_owned(), size)
        );
        let states = if held == 1 { vec![1] } else { vec![5] };
        let filter = RecordFilter {
            states,
            ..RecordFilter::default()
        };
        assert_eq!(listed(&bank, filter, as_of, 10).await.len(), 1, "on {date}");
    }
    // Before the ledger began there was nobody.
    let request = GetBalanceRequest {
        learner: Some(student("uni", "S1")),
        as_of: Some(AsOf {
            date: "2020-01-01".into(),
            ..AsOf::default()
        }),
    };
    let refused = bank.accounts().get_balance(acting(UNI, request)).await;
    let refused = Refusal::from(refused.unwrap_err());
    assert_eq!(refused.code, Code::NotFound);
    assert!(
        refused.sentence.ends_with("the ledger's first 0 records"),
        "{}",
        refused.sentence
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn states_that_there_are_not_are_explained() {
    let bank = Bank::with_institutions().await;
    let size = bank.size().await;
    let as_of = |size, date: &str, at_least| {
        let date = date.to_owned();
        AsOf {
            size,
            date,
            at_least,
        }
    };
    let rows = [
        (
            as_of(size + 1, "", 0),
            Code::OutOfRange,
            "PAST_HEAD",
            "as_of.size",
        ),
        (
            as_of(0, "2026-02-30", 0),
            Code::InvalidArgument,
            "MALFORMED",
            "as_of.date",
        ),
        (
            as_of(0, "9999-01-01", 0),
            Code::InvalidArgument,
            "MALFORMED",
            "as_of.date",
        ),
    ];
    for (as_of, code, reason, field) in rows {
        for refused in everywhere(&bank, as_of.clone()).await {
            assert_eq!((refused.code, &*refused.reason), (code, reason));
            let fields: Vec<&str> = refused.fields.iter().map(String::as_str).collect();
            assert_eq!(fields, [field], "{}", refused.sentence);
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn a_state_that_is_to_come_is_waited_for_a_little() {
    let bank = Bank::with_institutions().await;
    let size = bank.size().await;
    let ask = |at_least| {
        let request = GetBalanceRequest {
            learner: Some(student("uni", "S1")),
            as_of: Some(AsOf {
                at_least,
                ..AsOf::default()
            }),
        };
        let mut accounts = bank.accounts();
        async move { accounts.get_balance(acting(UNI, request)).await }
    };
    let submitting = bank.submit(course("a", "S1", "C-1", "2024-01-10"));
    let (answer, submitted) = tokio::join!(ask(size + 1), submitting);
    submitted.unwrap();
    let answer = answer.unwrap().into_inner();
    assert_eq!((answer.as_of_size, answer.totals.len()), (size + 1, 1));
    let refused = Refusal::from(ask(size + 2).await.unwrap_err());
    assert_eq!(
        (refused.code, &*refused.reason),
        (Code::Unavailable, "NOT_REACHED")
    );
    let said = format!("the ledger has {} records, not yet {}", size + 1, size + 2);
    assert!(refused.sentence.starts_with(&said), "{}", refused.sentence);
}

/// What every call that takes a state says to that one.
async fn everywhere(bank: &Bank, as_of: AsOf) -> Vec<Refusal> {
    let learner = Some(student("uni", "S1"));
    let as_of = Some(as_of);
    let mut refusals = vec![];
    macro_rules! refused {
        ($client:ident $call:ident $request:expr) => {
            let answer = bank.$client().$call(acting(UNI, $request)).await;
            refusals.push(Refusal::from(answer.unwrap_err()));
        };
    }
    let (l, a) = (learner.clone(), as_of.clone());
    refused!(accounts get_balance GetBalanceRequest { learner: l, as_of: a });
    let (l, a) = (learner.clone(), as_of.clone());
    refused!(accounts get_statement GetStatementRequest { learner: l, as_of: a, ..Default::default() });
    let a = as_of.clone();
    refused!(learners get_learner GetLearnerRequest { learner, as_of: a });
    let a = as_of.clone();
    refused!(learners list_pending_learners ListPendingLearnersRequest { as_of: a, ..Default::default() });
    let name = Some(RecordName {
        issuer_id: String::new(),
        record_id: "a".into(),
    });
    let a = as_of.clone();
    refused!(records get_record GetRecordRequest { name, as_of: a });
    let a = as_of.clone();
    refused!(records list_records ListRecordsRequest { as_of: a, ..Default::default() });
    let institution_id = String::new();
    let a = as_of.clone();
    refused!(registry get_institution GetInstitutionRequest { institution_id, as_of: a });
    let a = as_of.clone();
    refused!(registry list_institutions ListInstitutionsRequest { as_of: a, ..Default::default() });
    let a = as_of.clone();
    refused!(registry list_courses ListCoursesRequest { as_of: a, ..Default::default() });
    let a = as_of.clone();
    refused!(registry list_frameworks ListFrameworksRequest { as_of: a, ..Default::default() });
    let a = as_of.clone();
    refused!(registry list_credit_units ListCreditUnitsRequest { as_of: a, ..Default::default() });
    let code = "source-kind".into();
    let a = as_of.clone();
    refused!(registry get_code_list GetCodeListRequest { code, as_of: a, ..Default::default() });
    let a = as_of.clone();
    refused!(registry list_intake_windows ListIntakeWindowsRequest { as_of: a, ..Default::default() });
    refused!(audit get_head GetHeadRequest { as_of });
    refusals
}

#[tokio::test(flavor = "multi_thread")]
async fn who_may_see_an_earlier_state_is_judged_now() {
    let (bank, mut story) = Story::begin().await;
    for number in 0..3 {
        story.step(&bank, number).await;
    }
    let before = bank.size().await;
    bank.institution("other", vec![]).await;
    for number in 3..14 {
        story.step(&bank, number).await;
    }
    let own = |handle: &str| format!("learner:{handle}");
    let ask = |caller: String, learner: Option<LearnerReference>| {
        let request = GetBalanceRequest {
            learner,
            as_of: at(before),
        };
        let mut accounts = bank.accounts();
        async move { accounts.get_balance(acting(&caller, request)).await }
    };
    // S2 has been merged into S1 since: either sees what was theirs then, by the handle of then.
    let [s1, s2, s3] = [0, 1, 2].map(|idx| story.handles[idx].clone());
    let answer = ask(own(&s2), None).await.unwrap().into_inner();
    assert_eq!(answer.learner_handle, s2);
    let answer = ask(own(&s1), None).await.unwrap().into_inner();
    assert_eq!(answer.learner_handle, s1);
    for (caller, learner) in [
        (own(&s3), by_handle(&s1)),
        ("institution:other".to_owned(), by_handle(&s1)),
        ("auditor".to_owned(), by_handle(&s1)),
    ] {
        let refused = Refusal::from(ask(caller.clone(), Some(learner)).await.unwrap_err());
        assert_eq!(refused.code, Code::PermissionDenied, "{caller}");
    }
    let seen = ask(UNI.to_owned(), Some(by_handle(&s2))).await;
    assert_eq!(seen.unwrap().into_inner().learner_handle, s2);
    let seen = ask(OPERATOR.to_owned(), Some(student("uni", "S2"))).await;
    assert_eq!(seen.unwrap().into_inner().learner_handle, s2);
}

fn by_handle(handle: &str) -> LearnerReference {
    LearnerReference {
        reference: Some(learner_reference::Reference::Handle(handle.to_owned())),
    }
}
