//! The queue of accounts that wait for a person, through gRPC: who sees which, what it may be, and that
//! nobody is shown an account that is none of their business.

use api::v1::*;

use crate::bank::{Bank, acting, student, text};
use crate::story::{OPERATOR, course};

const UNI: &str = "institution:uni";
const BRANCH: &str = "institution:branch";

fn document(number: &str) -> Document {
    Document {
        kind: "passport".into(),
        number: number.into(),
    }
}

fn reference(name: &str, birth_date: &str) -> Option<LearnerReference> {
    let identity = DocumentIdentity {
        document: Some(document("X1")),
        name: name.into(),
        birth_date: birth_date.into(),
    };
    Some(LearnerReference {
        reference: Some(learner_reference::Reference::Document(identity)),
    })
}

async fn waiting(bank: &Bank, caller: &str, institution_id: &str) -> Vec<PendingLearner> {
    let request = ListPendingLearnersRequest {
        institution_id: institution_id.into(),
        ..Default::default()
    };
    let answer = bank
        .learners()
        .list_pending_learners(acting(caller, request))
        .await;
    answer.unwrap().into_inner().learners
}

/// `branch` stands below `uni`; a person with a document is registered at `uni` as S7.
async fn bank_with_branch() -> (Bank, String) {
    let bank = Bank::with_institutions().await;
    let branch = Institution {
        institution_id: "branch".into(),
        names: vec![text("branch")],
        kind: "school".into(),
        parent_id: "uni".into(),
        scopes: vec![Scope::default()],
        ..Institution::default()
    };
    let request = RegisterInstitutionRequest {
        institution: Some(branch),
    };
    let mut registry = bank.registry();
    let answer = registry.register_institution(acting(OPERATOR, request));
    answer.await.unwrap();
    let request = RegisterLearnerRequest {
        profile: Some(LearnerProfile {
            names: vec![text("Ada"), text("Countess")],
            documents: vec![document("X1")],
            birth_date: "1990-01-02".into(),
            region: String::new(),
        }),
        students: vec![StudentNumber {
            institution_id: "uni".into(),
            number: "S7".into(),
        }],
        request_id: String::new(),
    };
    let answer = bank.learners().register_learner(acting(UNI, request)).await;
    let change = answer.unwrap().into_inner().change.unwrap();
    (bank, change.learner_handle)
}

#[tokio::test(flavor = "multi_thread")]
async fn what_carries_the_document_or_the_number_is_a_candidate() {
    let (bank, person) = bank_with_branch().await;
    for (id, learner) in [
        ("a", reference("Ada", "1991-01-02")),
        ("b", reference("Bea", "1990-01-02")),
        ("c", reference("Bea", "1991-01-02")),
        ("d", Some(student("branch", "S7"))),
        ("e", Some(student("branch", "S6"))),
    ] {
        let sent = Achievement {
            learner,
            ..course(id, "", "C-1", "2024-01-10")
        };
        bank.submit_as(BRANCH, sent).await.unwrap();
    }
    let found = waiting(&bank, OPERATOR, "").await;
    assert_eq!(found.len(), 5);
    let candidate = |pending: &PendingLearner| {
        let candidates = &pending.candidates;
        candidates
            .iter()
            .for_each(|it| assert_eq!(it.learner_handle, person));
        let one = |it: &BindingCandidate| (it.reason(), it.differing.clone(), it.student.clone());
        candidates.iter().map(one).collect::<Vec<_>>()
    };
    let differing = |fields: &[&str]| {
        let fields: Vec<String> = fields.iter().map(|field| (*field).to_owned()).collect();
        vec![(CandidateReason::SameDocument, fields, None)]
    };
    assert_eq!(candidate(&found[0]), differing(&["birth_date"]));
    assert_eq!(candidate(&found[1]), differing(&["name"]));
    assert_eq!(candidate(&found[2]), differing(&["name", "birth_date"]));
    let number = StudentNumber {
        institution_id: "uni".into(),
        number: "S7".into(),
    };
    let same_number = vec![(CandidateReason::SameNumber, vec![], Some(number))];
    assert_eq!(candidate(&found[3]), same_number);
    assert_eq!(candidate(&found[4]), vec![]);

    // The branch has nothing to do with the account at the university: it is not told of it.
    let found = waiting(&bank, BRANCH, "").await;
    assert_eq!(found.len(), 5);
    assert!(found.iter().all(|pending| pending.candidates.is_empty()));
    assert_eq!(waiting(&bank, UNI, "").await, vec![]);
    // Once it may act for the university, it is.
    let request = DelegateInstitutionRequest {
        issuer_id: String::new(),
        delegation: Some(Delegation {
            delegate_id: "branch".into(),
            during: None,
        }),
    };
    bank.registry()
        .delegate_institution(acting(UNI, request))
        .await
        .unwrap();
    let found = waiting(&bank, BRANCH, "").await;
    let counts: Vec<usize> = found
        .iter()
        .map(|pending| pending.candidates.len())
        .collect();
    assert_eq!(counts, [1, 1, 1, 1, 0]);

    // Merged as the candidate says, it waits no more.
    let request = MergeLearnersRequest {
        from_handle: found[0].learner_handle.clone(),
        into_handle: person,
        reason: "identity settled".into(),
        ..Default::default()
    };
    bank.learners()
        .merge_learners(acting(OPERATOR, request))
        .await
        .unwrap();
    assert_eq!(waiting(&bank, OPERATOR, "").await.len(), 4);
}

#[tokio::test(flavor = "multi_thread")]
async fn the_queue_is_filtered_by_who_sent() {
    let (bank, _) = bank_with_branch().await;
    bank.submit(course("a", "S20", "C-1", "2024-01-10"))
        .await
        .unwrap();
    let sent = Achievement {
        learner: Some(student("branch", "S20")),
        ..course("b", "", "C-1", "2024-01-10")
    };
    bank.submit_as(BRANCH, sent).await.unwrap();
    for (caller, institution, count) in [
        (OPERATOR, "", 2),
        (OPERATOR, "uni", 1),
        (OPERATOR, "branch", 1),
        (OPERATOR, "college", 0),
        (UNI, "", 1),
        (UNI, "branch", 0),
        (BRANCH, "branch", 1),
    ] {
        let found = waiting(&bank, caller, institution).await;
        assert_eq!(found.len(), count, "{caller} asks for {institution}");
    }
}
