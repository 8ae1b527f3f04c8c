//! Where references lead: the short way that most reads take says what the long way says.
//!
//! Apart from the accounts because the oracle is the server itself: a read as of a state that the caller
//! names always goes the long way, and named so the latest state must be answered alike.

use api::v1::learner_reference::Reference;
use api::v1::*;
use tonic::Code;

use crate::bank::{Bank, Refusal, achievement, acting, student};

const OPERATOR: &str = "operator";
const UNI: &str = "institution:uni";

fn by_handle(handle: &str) -> LearnerReference {
    LearnerReference {
        reference: Some(Reference::Handle(handle.to_owned())),
    }
}

type Read = std::result::Result<(GetBalanceResponse, Vec<StatementEntry>), (Code, String)>;

async fn read(bank: &Bank, asker: &str, learner: LearnerReference, as_of: Option<AsOf>) -> Read {
    let told = |status: tonic::Status| {
        let refusal = Refusal::from(status);
        (refusal.code, refusal.reason)
    };
    let request = GetBalanceRequest {
        learner: Some(learner.clone()),
        as_of: as_of.clone(),
    };
    let balance = bank.accounts().get_balance(acting(asker, request)).await;
    let request = GetStatementRequest {
        learner: Some(learner),
        as_of,
        ..Default::default()
    };
    let statement = bank
        .accounts()
        .get_statement(acting(asker, request))
        .await
        .map_err(told);
    let balance = balance.map_err(told)?.into_inner();
    let statement = statement.expect("who sees one sees the other").into_inner();
    assert_eq!(statement.learner_handle, balance.learner_handle);
    Ok((balance, statement.entries))
}

/// Reads every account by every name as everybody, both ways, and twice, as the first read sums up.
async fn check(bank: &Bank, today: &str, handles: &[&str], numbers: &[&str]) -> Vec<Read> {
    let as_of = AsOf {
        size: bank.size().await,
        date: today.to_owned(),
        ..AsOf::default()
    };
    let mut references: Vec<_> = numbers.iter().map(|it| student("uni", it)).collect();
    references.extend(handles.iter().map(|it| by_handle(it)));
    let mut askers: Vec<_> = [OPERATOR, UNI, "institution:college", "auditor"]
        .map(str::to_owned)
        .to_vec();
    askers.extend(handles.iter().map(|handle| format!("learner:{handle}")));
    let mut of_uni = Vec::new();
    for asker in &askers {
        for reference in &references {
            let long = read(bank, asker, reference.clone(), Some(as_of.clone())).await;
            for _ in 0..2 {
                let short = read(bank, asker, reference.clone(), None).await;
                // Why a learner does not see another account is said by either way in its own words.
                let in_words = !asker.starts_with("learner") || long.is_ok();
                assert!(
                    short == long || (!in_words && short.is_err()),
                    "{reference:?} as {asker}: {short:?}, not {long:?}"
                );
            }
            if asker == UNI {
                of_uni.push(long);
            }
        }
    }
    of_uni
}

async fn link(bank: &Bank, handle: &str, number: &str) {
    let Some(Reference::Student(student)) = student("uni", number).reference else {
        unreachable!("a student number was made");
    };
    let request = LinkIdentityRequest {
        learner: Some(by_handle(handle)),
        student: Some(student),
    };
    let linked = bank
        .learners()
        .link_identity(acting(OPERATOR, request))
        .await;
    linked.unwrap();
}

async fn unlink(bank: &Bank, number: &str) {
    let Some(Reference::Student(student)) = student("uni", number).reference else {
        unreachable!("a student number was made");
    };
    let request = UnlinkIdentityRequest {
        student: Some(student),
    };
    let unlinked = bank.learners().unlink_identity(acting(UNI, request)).await;
    unlinked.unwrap();
}

async fn erase(bank: &Bank, handle: &str, scope: ErasureScope) {
    let request = EraseLearnerRequest {
        learner_handle: handle.to_owned(),
        scope: scope.into(),
    };
    let erased = bank
        .learners()
        .erase_learner(acting(OPERATOR, request))
        .await;
    erased.unwrap();
}

#[tokio::test(flavor = "multi_thread")]
async fn the_short_way_to_an_account_leads_where_the_long_way_does() {
    let bank = Bank::with_institutions().await;
    let a = bank.handle_of("uni", "S1").await;
    let b = bank.learner("uni", "S2").await;
    bank.submit(achievement("r1")).await.unwrap();
    let pending = Achievement {
        learner: Some(student("uni", "S9")),
        ..achievement("r9")
    };
    bank.submit(pending).await.unwrap();
    let today = read(&bank, OPERATOR, by_handle(&a), None).await.unwrap();
    let today = today.0.as_of_date;
    let (handles, numbers) = ([a.as_str(), b.as_str()], ["S1", "S2", "S3", "S9"]);
    let leads = |reads: &[Read]| {
        let handle = |read: &Read| match read {
            Ok((balance, _)) => balance.learner_handle.clone(),
            Err((_, reason)) => reason.clone(),
        };
        reads.iter().take(3).map(handle).collect::<Vec<_>>()
    };
    let nobody = "UNRESOLVED_LEARNER".to_owned();

    let found = check(&bank, &today, &handles, &numbers).await;
    assert_eq!(leads(&found), [&a, &b, &nobody].map(String::clone));
    link(&bank, &a, "S3").await;
    unlink(&bank, "S1").await;
    let found = check(&bank, &today, &handles, &numbers).await;
    assert_eq!(leads(&found), [&nobody, &b, &a].map(String::clone));
    link(&bank, &b, "S1").await;
    let found = check(&bank, &today, &handles, &numbers).await;
    assert_eq!(leads(&found), [&b, &b, &a].map(String::clone));
    let request = MergeLearnersRequest {
        from_handle: a.clone(),
        into_handle: b.clone(),
        reason: "one person".into(),
        ..Default::default()
    };
    let mut learners = bank.learners();
    let merged = learners.merge_learners(acting(OPERATOR, request)).await;
    merged.unwrap();
    let found = check(&bank, &today, &handles, &numbers).await;
    assert_eq!(leads(&found), [&b, &b, &b].map(String::clone));
    let request = SeparateLearnersRequest {
        from_handle: a.clone(),
        reason: "two persons after all".into(),
    };
    let separated = learners.separate_learners(acting(OPERATOR, request)).await;
    separated.unwrap();
    check(&bank, &today, &handles, &numbers).await;
    erase(&bank, &b, ErasureScope::Identity).await;
    let found = check(&bank, &today, &handles, &numbers).await;
    assert_eq!(leads(&found)[2], a);
    erase(&bank, &a, ErasureScope::All).await;
    check(&bank, &today, &handles, &numbers).await;
    bank.stop_and_verify().await;
}
