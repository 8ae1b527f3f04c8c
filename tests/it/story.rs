//! A story in which everything happens to records and accounts that can, one change a step, and what
//! every read answers about it.
//!
//! Shared by the tests of earlier states, of pages and of filters: each step ends at a size of the ledger
//! at which answers can be asked for again.

use api::v1::learner_reference::Reference;
use api::v1::*;

use crate::bank::{Bank, Refusal, achievement, acting, student, text};

pub(crate) const UNI: &str = "institution:uni";
const COLLEGE: &str = "institution:college";
pub(crate) const OPERATOR: &str = "operator";

/// Number of steps before the erasure.
pub(crate) const STEPS: usize = 26;

/// A course of `uni` for a student, with a code of its own and a day of award.
pub(crate) fn course(id: &str, number: &str, code: &str, awarded: &str) -> Achievement {
    Achievement {
        learner: Some(student("uni", number)),
        code: code.into(),
        offering: "2024".into(),
        // Only `f` and `h` become the same result, once they are with the same person.
        attempt: match id {
            "f" | "h" => 99,
            _ => id.bytes().next().unwrap().into(),
        },
        awarded: awarded.into(),
        titles: vec![text(&format!("title of {id}"))],
        ..achievement(id)
    }
}

fn reason() -> String {
    "as the story goes".into()
}

async fn submitted(bank: &Bank, achievement: Achievement) {
    bank.submit(achievement).await.unwrap();
}

async fn superseded(bank: &Bank, achievement: Achievement) {
    let request = SupersedeRecordRequest {
        achievement: Some(achievement),
        reason: reason(),
        ..Default::default()
    };
    let answer = bank.records().supersede_record(acting(UNI, request)).await;
    answer.unwrap();
}

async fn revoked(bank: &Bank, id: &str) {
    let request = RevokeRecordsRequest {
        record_ids: vec![id.into()],
        reason: reason(),
        ..Default::default()
    };
    let answer = bank.records().revoke_records(acting(UNI, request)).await;
    answer.unwrap();
}

async fn suspended(bank: &Bank, id: &str) {
    let request = SuspendRecordsRequest {
        record_ids: vec![id.into()],
        reason: reason(),
        ..Default::default()
    };
    let answer = bank.records().suspend_records(acting(UNI, request)).await;
    answer.unwrap();
}

async fn reinstated(bank: &Bank, id: &str) {
    let request = ReinstateRecordsRequest {
        record_ids: vec![id.into()],
        reason: reason(),
        ..Default::default()
    };
    let answer = bank.records().reinstate_records(acting(UNI, request)).await;
    answer.unwrap();
}

async fn reassigned(bank: &Bank, id: &str, to: &str) {
    let request = ReassignRecordRequest {
        name: Some(RecordName {
            issuer_id: String::new(),
            record_id: id.into(),
        }),
        to_learner: Some(student("uni", to)),
        reason: reason(),
        ..Default::default()
    };
    let answer = bank.records().reassign_record(acting(UNI, request)).await;
    answer.unwrap();
}

async fn handle(bank: &Bank, number: &str) -> String {
    let request = GetLearnerRequest {
        learner: Some(student("uni", number)),
        ..Default::default()
    };
    let answer = bank.learners().get_learner(acting(OPERATOR, request)).await;
    answer.unwrap().into_inner().learner_handle
}

async fn published(bank: &Bank, code: &str) {
    let course = Course {
        code: code.into(),
        titles: vec![text(code)],
        ..Course::default()
    };
    let request = PublishCourseRequest {
        course: Some(course),
    };
    let answer = bank.registry().publish_course(acting(UNI, request)).await;
    answer.unwrap();
}

/// What the story needs to remember.
#[derive(Default)]
pub(crate) struct Story {
    pub(crate) handles: Vec<String>,
}

impl Story {
    /// A bank in which the story begins, with students S1 to S3.
    pub(crate) async fn begin() -> (Bank, Story) {
        let bank = Bank::with_institutions().await;
        let mut story = Story::default();
        story.handles.push(handle(&bank, "S1").await);
        for number in ["S2", "S3"] {
            story.handles.push(bank.learner("uni", number).await);
        }
        (bank, story)
    }

    /// Takes a step.
    #[allow(clippy::too_many_lines, reason = "one story, told in order")]
    pub(crate) async fn step(&mut self, bank: &Bank, number: usize) {
        match number {
            0 => submitted(bank, course("a", "S1", "C-1", "2024-01-10")).await,
            1 => submitted(bank, course("b", "S1", "C-2", "2024-02-10")).await,
            2 => submitted(bank, course("c", "S2", "C-1", "2024-03-10")).await,
            3 => submitted(bank, course("d", "S3", "C-2", "2024-04-10")).await,
            4 => {
                let expires = "2024-12-31".into();
                let expired = course("e", "S1", "C-3", "2024-05-10");
                submitted(bank, Achievement { expires, ..expired }).await;
            }
            5 => superseded(bank, course("a", "S1", "C-2", "2024-01-10")).await,
            6 => superseded(bank, course("c", "S2", "C-1", "2025-03-10")).await,
            7 => suspended(bank, "b").await,
            8 => published(bank, "C-1").await,
            9 => submitted(bank, course("f", "S9", "C-1", "2024-06-10")).await,
            10 => submitted(bank, course("g", "S9", "C-3", "2024-06-11")).await,
            11 => reinstated(bank, "b").await,
            12 => revoked(bank, "d").await,
            13 => merged(bank, &self.handles[1], &self.handles[0]).await,
            14 => superseded(bank, course("c", "S1", "C-3", "2025-03-11")).await,
            15 => reassigned(bank, "b", "S3").await,
            16 => submitted(bank, course("h", "S3", "C-1", "2024-06-10")).await,
            17 => {
                let learner = Some(student("uni", "S3"));
                let number = "S9".into();
                let student = Some(StudentNumber {
                    institution_id: "uni".into(),
                    number,
                });
                let request = LinkIdentityRequest { learner, student };
                let answer = bank.learners().link_identity(acting(UNI, request)).await;
                answer.unwrap();
            }
            18 => suspended(bank, "e").await,
            19 => bank.institution("school", vec![]).await,
            20 => {
                let transferred = course("i", "S1", "C-4", "2024-07-10");
                let source = Some(RecordName {
                    issuer_id: "college".into(),
                    record_id: "x".into(),
                });
                let origin = Origin::Transferred.into();
                submitted(
                    bank,
                    Achievement {
                        origin,
                        source,
                        ..transferred
                    },
                )
                .await;
            }
            21 => {
                let request = SeparateLearnersRequest {
                    from_handle: self.handles[1].clone(),
                    reason: reason(),
                };
                let mut learners = bank.learners();
                let answer = learners.separate_learners(acting(OPERATOR, request));
                answer.await.unwrap();
            }
            22 => revoked(bank, "a").await,
            23 => published(bank, "C-2").await,
            24 => submitted(bank, course("j", "S8", "C-1", "2025-08-10")).await,
            _ => submitted(bank, course("k", "S2", "C-2", "2025-08-11")).await,
        }
    }

    /// Erases everything of S1.
    pub(crate) async fn erase(&self, bank: &Bank) {
        let request = EraseLearnerRequest {
            learner_handle: self.handles[0].clone(),
            scope: ErasureScope::All.into(),
        };
        let answer = bank
            .learners()
            .erase_learner(acting(OPERATOR, request))
            .await;
        answer.unwrap();
    }

    fn learners(&self) -> Vec<LearnerReference> {
        let by_handle = |handle: &String| LearnerReference {
            reference: Some(Reference::Handle(handle.clone())),
        };
        let numbers = ["S1", "S2", "S3", "S8", "S9"].map(|number| student("uni", number));
        let handles = self.handles.iter().map(by_handle);
        handles.chain(numbers).collect()
    }

    /// What every read answers, each as a text.
    pub(crate) async fn answers(&self, bank: &Bank, as_of: Option<AsOf>) -> Vec<String> {
        let mut answers = vec![];
        for learner in self.learners() {
            let (learner, as_of) = (Some(learner), as_of.clone());
            answers.extend(account_answers(bank, learner, as_of).await);
        }
        answers.extend(registry_answers(bank, as_of.clone()).await);
        for id in ["a", "b", "c", "d", "e", "f", "k", "none"] {
            let name = Some(RecordName {
                issuer_id: String::new(),
                record_id: id.into(),
            });
            let as_of = as_of.clone();
            let request = GetRecordRequest { name, as_of };
            answers.push(said(bank.records().get_record(acting(UNI, request)).await));
        }
        for filter in filters().into_iter().step_by(13) {
            let records = listed(bank, filter, as_of.clone(), 1_000).await;
            answers.push(format!("{records:?}"));
        }
        for caller in [OPERATOR, UNI, COLLEGE] {
            let request = ListPendingLearnersRequest {
                as_of: as_of.clone(),
                ..Default::default()
            };
            let mut learners = bank.learners();
            let waiting = learners.list_pending_learners(acting(caller, request));
            answers.push(said(waiting.await));
        }
        let request = GetHeadRequest { as_of };
        answers.push(said(bank.audit().get_head(acting(OPERATOR, request)).await));
        answers
    }
}

async fn account_answers(
    bank: &Bank,
    learner: Option<LearnerReference>,
    as_of: Option<AsOf>,
) -> Vec<String> {
    let balance = GetBalanceRequest {
        learner: learner.clone(),
        as_of: as_of.clone(),
    };
    let statement = GetStatementRequest {
        learner: learner.clone(),
        as_of: as_of.clone(),
        ..Default::default()
    };
    let learner = GetLearnerRequest { learner, as_of };
    vec![
        said(bank.accounts().get_balance(acting(OPERATOR, balance)).await),
        said(
            bank.accounts()
                .get_statement(acting(OPERATOR, statement))
                .await,
        ),
        said(bank.learners().get_learner(acting(OPERATOR, learner)).await),
    ]
}

async fn registry_answers(bank: &Bank, as_of: Option<AsOf>) -> Vec<String> {
    let mut registry = bank.registry();
    let mut answers = vec![];
    let request = ListInstitutionsRequest {
        as_of: as_of.clone(),
        ..Default::default()
    };
    answers.push(said(registry.list_institutions(acting(UNI, request)).await));
    let request = GetInstitutionRequest {
        institution_id: "school".into(),
        as_of: as_of.clone(),
    };
    answers.push(said(registry.get_institution(acting(UNI, request)).await));
    let request = ListCoursesRequest {
        as_of: as_of.clone(),
        ..Default::default()
    };
    answers.push(said(registry.list_courses(acting(UNI, request)).await));
    let request = ListFrameworksRequest {
        as_of: as_of.clone(),
        ..Default::default()
    };
    answers.push(said(registry.list_frameworks(acting(UNI, request)).await));
    let request = ListCreditUnitsRequest {
        as_of: as_of.clone(),
        ..Default::default()
    };
    answers.push(said(registry.list_credit_units(acting(UNI, request)).await));
    let request = GetCodeListRequest {
        code: "source-kind".into(),
        as_of: as_of.clone(),
        ..Default::default()
    };
    answers.push(said(registry.get_code_list(acting(UNI, request)).await));
    let request = ListIntakeWindowsRequest {
        as_of,
        ..Default::default()
    };
    answers.push(said(
        registry.list_intake_windows(acting(UNI, request)).await,
    ));
    answers
}

fn said<T: std::fmt::Debug>(answer: Answered<tonic::Response<T>>) -> String {
    match answer {
        Ok(answer) => format!("{:?}", answer.into_inner()),
        // The sentence names the state asked for, which the first answer was not.
        Err(status) => {
            let refusal = Refusal::from(status);
            format!("{:?} {} {:?}", refusal.code, refusal.reason, refusal.fields)
        }
    }
}

type Answered<T> = std::result::Result<T, tonic::Status>;

/// Filters of every kind.
pub(crate) fn filters() -> Vec<RecordFilter> {
    let span = |from: &str, until: &str| {
        Some(Span {
            from: from.into(),
            until: until.into(),
        })
    };
    let states = [
        vec![],
        vec![RecordState::Recorded],
        vec![RecordState::Revoked],
        vec![RecordState::Suspended, RecordState::Revoked],
        vec![RecordState::Pending],
        vec![RecordState::Expired],
        vec![RecordState::Duplicate, RecordState::NoDeposit],
        vec![RecordState::Erased],
    ];
    let mut filters = vec![];
    for states in states {
        for code in ["", "C-1", "C-2", "C-3", "C-9"] {
            for awarded in [
                None,
                span("2024-03-01", "2024-06-11"),
                span("", "2024-03-01"),
                span("2025-01-01", ""),
            ] {
                filters.push(RecordFilter {
                    code: code.into(),
                    awarded,
                    states: states.iter().map(|state| (*state).into()).collect(),
                    ..RecordFilter::default()
                });
            }
        }
    }
    filters.push(RecordFilter {
        offering: "2024".into(),
        ..RecordFilter::default()
    });
    filters.push(RecordFilter {
        offering: "2023".into(),
        ..RecordFilter::default()
    });
    filters
}

/// All records of `uni` that a filter chooses, page by page.
pub(crate) async fn listed(
    bank: &Bank,
    filter: RecordFilter,
    as_of: Option<AsOf>,
    page_size: u32,
) -> Vec<Record> {
    let mut request = ListRecordsRequest {
        page_size,
        filter: Some(filter),
        as_of,
        ..Default::default()
    };
    let mut records = vec![];
    loop {
        let page = bank
            .records()
            .list_records(acting(UNI, request.clone()))
            .await
            .unwrap()
            .into_inner();
        records.extend(page.records);
        if page.next_page_token.is_empty() {
            return records;
        }
        request.page_token = page.next_page_token;
    }
}

async fn merged(bank: &Bank, from: &str, into: &str) {
    let request = MergeLearnersRequest {
        from_handle: from.into(),
        into_handle: into.into(),
        reason: reason(),
        ..Default::default()
    };
    let answer = bank
        .learners()
        .merge_learners(acting(OPERATOR, request))
        .await;
    answer.unwrap();
}
