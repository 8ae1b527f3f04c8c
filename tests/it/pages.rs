//! Pages, through gRPC: taken one after the other while everything goes on, they are one answer, as of the
//! first; and a token serves the request that it was given for and no other.

use api::v1::*;
use proptest::prelude::{ProptestConfig, Strategy, prop, proptest};
use tonic::Code;

use crate::bank::{Bank, Refusal, acting, student};
use crate::story::{OPERATOR, STEPS, Story, UNI, course};

/// A list that is paged through: after each page the next step of the story happens.
macro_rules! paged {
    ($name:ident, $client:ident . $call:ident, $request:ident, $entries:ident) => {
        async fn $name(
            bank: &Bank,
            story: &mut Story,
            steps: &mut impl Iterator<Item = usize>,
            request: $request,
        ) -> usize {
            let mut request = request;
            let (mut found, mut size, mut pages) = (vec![], None, 0);
            loop {
                let page = bank.$client().$call(acting(UNI, request.clone())).await;
                let page = page.unwrap().into_inner();
                assert_eq!(page.as_of_size, *size.get_or_insert(page.as_of_size));
                found.extend(page.$entries);
                pages += 1;
                if page.next_page_token.is_empty() {
                    break;
                }
                request.page_token = page.next_page_token;
                if let Some(step) = steps.next() {
                    story.step(bank, step).await;
                }
            }
            #[allow(clippy::needless_update, reason = "some lists take nothing else")]
            let whole = $request {
                page_size: 1_000,
                page_token: String::new(),
                as_of: Some(AsOf {
                    size: size.unwrap(),
                    date: TODAY.with(String::clone),
                    at_least: 0,
                }),
                ..request
            };
            let whole = bank.$client().$call(acting(UNI, whole)).await;
            let whole = whole.unwrap().into_inner();
            assert_eq!(found, whole.$entries);
            assert_eq!(whole.next_page_token, "");
            pages
        }
    };
}

thread_local! {
    static TODAY: String = crate::earlier::today();
}

paged!(records, records.list_records, ListRecordsRequest, records);
paged!(
    statement,
    accounts.get_statement,
    GetStatementRequest,
    entries
);
paged!(
    waiting,
    learners.list_pending_learners,
    ListPendingLearnersRequest,
    learners
);
paged!(
    institutions,
    registry.list_institutions,
    ListInstitutionsRequest,
    institutions
);
paged!(courses, registry.list_courses, ListCoursesRequest, courses);
paged!(
    units,
    registry.list_credit_units,
    ListCreditUnitsRequest,
    units
);
paged!(
    frameworks,
    registry.list_frameworks,
    ListFrameworksRequest,
    frameworks
);

async fn all_lists(before: usize, page_size: u32) {
    let (bank, mut story) = Story::begin().await;
    for step in 0..before {
        story.step(&bank, step).await;
    }
    let story = &mut story;
    let steps = &mut (before..STEPS);
    let mut pages = 0;
    for code in ["", "C-1"] {
        let request = ListRecordsRequest {
            page_size,
            filter: Some(RecordFilter {
                code: code.into(),
                ..RecordFilter::default()
            }),
            ..Default::default()
        };
        pages += records(&bank, story, steps, request).await;
    }
    for learner in ["S1", "S3"].map(|number| Some(student("uni", number))) {
        let request = GetStatementRequest {
            learner,
            page_size,
            ..Default::default()
        };
        pages += statement(&bank, story, steps, request).await;
    }
    let request = ListPendingLearnersRequest {
        page_size,
        ..Default::default()
    };
    pages += waiting(&bank, story, steps, request).await;
    let request = ListInstitutionsRequest {
        page_size,
        ..Default::default()
    };
    pages += institutions(&bank, story, steps, request).await;
    let request = ListCoursesRequest {
        page_size,
        ..Default::default()
    };
    pages += courses(&bank, story, steps, request).await;
    let request = ListCreditUnitsRequest {
        page_size,
        ..Default::default()
    };
    pages += units(&bank, story, steps, request).await;
    let request = ListFrameworksRequest {
        page_size,
        ..Default::default()
    };
    pages += frameworks(&bank, story, steps, request).await;
    assert!(pages > 9 || page_size > 3, "they took pages");
}

fn beginnings() -> impl Strategy<Value = (usize, u32)> {
    (8..STEPS, prop::sample::select(vec![1, 2, 3, 5, 8]))
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 6, max_shrink_iters: 8, failure_persistence: None,
        ..ProptestConfig::default() })]

    #[test]
    fn pages_taken_while_writes_go_on_are_one_answer((before, page_size) in beginnings()) {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(all_lists(before, page_size));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn an_erasure_between_two_pages_moves_nothing() {
    let (bank, mut story) = Story::begin().await;
    for step in 0..STEPS {
        story.step(&bank, step).await;
    }
    let mut request = ListRecordsRequest {
        page_size: 2,
        ..Default::default()
    };
    let mut positions = vec![];
    loop {
        let page = bank
            .records()
            .list_records(acting(UNI, request.clone()))
            .await;
        let page = page.unwrap().into_inner();
        let first = |record: &Record| record.versions[0].receipt.clone().unwrap().position;
        positions.extend(page.records.iter().map(first));
        if page.next_page_token.is_empty() {
            break;
        }
        if request.page_token.is_empty() {
            story.erase(&bank).await;
        }
        request.page_token = page.next_page_token;
    }
    assert_eq!(
        positions.len(),
        11,
        "every record of uni once: {positions:?}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_serves_the_request_that_it_was_given_for() {
    let bank = Bank::with_institutions().await;
    bank.learner("uni", "S2").await;
    for (id, number) in [("a", "S1"), ("b", "S1"), ("c", "S2"), ("d", "S2")] {
        let code = format!("C-{id}");
        bank.submit(course(id, number, &code, "2024-01-10"))
            .await
            .unwrap();
    }
    let list = ListRecordsRequest {
        page_size: 1,
        ..Default::default()
    };
    let page = bank.records().list_records(acting(UNI, list.clone())).await;
    let of_records = page.unwrap().into_inner().next_page_token;
    let of_s1 = GetStatementRequest {
        learner: Some(student("uni", "S1")),
        page_size: 1,
        ..Default::default()
    };
    let page = bank
        .accounts()
        .get_statement(acting(UNI, of_s1.clone()))
        .await;
    let page = page.unwrap().into_inner();
    let (of_statement, size) = (page.next_page_token, page.as_of_size);
    assert!(!of_records.is_empty() && !of_statement.is_empty());

    let filter = Some(RecordFilter {
        code: "C-a".into(),
        ..RecordFilter::default()
    });
    let mut refused = vec![];
    for (token, filter) in [
        (&of_statement, None),
        (&of_records, filter),
        (&"r".to_owned(), None),
    ] {
        let request = ListRecordsRequest {
            page_token: token.clone(),
            filter,
            ..list.clone()
        };
        let answer = bank.records().list_records(acting(UNI, request)).await;
        refused.push((Refusal::from(answer.unwrap_err()), "page_token"));
    }
    refused.extend(other_statements(&bank, &of_records, &of_statement, &of_s1, size).await);
    for (refused, field) in refused {
        assert_eq!(
            (refused.code, &*refused.reason),
            (Code::InvalidArgument, "MALFORMED")
        );
        assert_eq!(refused.fields, [field], "{}", refused.sentence);
    }
}

/// What statements answer to tokens of another list, learner, caller and moment.
async fn other_statements(
    bank: &Bank,
    of_records: &str,
    of_statement: &str,
    of_s1: &GetStatementRequest,
    size: u64,
) -> Vec<(Refusal, &'static str)> {
    let mut refused = vec![];
    let s2 = Some(student("uni", "S2"));
    let as_of = Some(AsOf {
        size: size - 1,
        ..AsOf::default()
    });
    for (token, learner, caller, as_of, field) in [
        (of_records, of_s1.learner.clone(), UNI, None, "page_token"),
        (of_statement, s2, UNI, None, "page_token"),
        (
            of_statement,
            of_s1.learner.clone(),
            OPERATOR,
            None,
            "page_token",
        ),
        (
            of_statement,
            of_s1.learner.clone(),
            UNI,
            as_of,
            "as_of.size",
        ),
    ] {
        let request = GetStatementRequest {
            page_token: token.to_owned(),
            learner,
            as_of,
            ..of_s1.clone()
        };
        let answer = bank.accounts().get_statement(acting(caller, request)).await;
        refused.push((Refusal::from(answer.unwrap_err()), field));
    }
    refused
}
