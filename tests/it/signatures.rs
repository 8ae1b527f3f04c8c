//! Issuers' signatures made with the client crate, judged by a real server and by the auditor's code.
//!
//! Apart from `processes/signing` of the command line, which is about key files and options: here the
//! program is the institution's own, signs for others, and what it signed is erased.

use api::v1::learner_reference::Reference;
use api::v1::*;
use base64::Engine as _;
use client::Signer;
use ledger::{Action, Handle, codec};
use proptest::prelude::*;
use tonic::Code;

use crate::bank::{Bank, Refusal, achievement, acting, student, text};

/// RFC 8032, 7.1, test 1.
const SEED: &str = "9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60";
const PUBLIC: &str = "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a";

fn bytes(hex: &str) -> Vec<u8> {
    let digits = |at: usize| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(digits).collect()
}

/// The key as OpenSSL writes it.
fn pem() -> String {
    let der = [bytes("302e020100300506032b657004220420"), bytes(SEED)].concat();
    let text = base64::prelude::BASE64_STANDARD.encode(der);
    format!("-----BEGIN PRIVATE KEY-----\n{text}\n-----END PRIVATE KEY-----\n")
}

fn signer(institution: &str) -> Signer {
    Signer::from_pem(&pem(), "k1", institution).unwrap()
}

fn signed_by(signer: &Signer, achievement: Achievement) -> Achievement {
    let mut achievement = achievement;
    signer.sign(&mut achievement).unwrap();
    achievement
}

/// Registers the key, and has the institution's achievements all signed from now on.
async fn must_sign(bank: &Bank, institution: &str) {
    let key = InstitutionKey {
        key_id: "k1".into(),
        public_key: bytes(PUBLIC),
        ..Default::default()
    };
    let request = AddInstitutionKeyRequest {
        institution_id: institution.into(),
        key: Some(key),
    };
    let mut registry = bank.registry();
    let added = registry.add_institution_key(acting("operator", request));
    let institution = Institution {
        signatures_required: true,
        ..added.await.unwrap().into_inner().institution.unwrap()
    };
    let request = UpdateInstitutionRequest {
        institution: Some(institution),
    };
    let updated = registry.update_institution(acting("operator", request));
    updated.await.unwrap();
}

async fn delegated(bank: &Bank, issuer: &str, delegate: &str) {
    let request = DelegateInstitutionRequest {
        issuer_id: issuer.into(),
        delegation: Some(Delegation {
            delegate_id: delegate.into(),
            during: None,
        }),
    };
    let identity = format!("institution:{issuer}");
    let mut registry = bank.registry();
    let answer = registry.delegate_institution(acting(&identity, request));
    answer.await.unwrap();
}

/// What the auditor's code says of a stopped store.
fn judged(store: &std::path::Path) -> verify::Report {
    let options = verify::Options::default();
    let report = verify::verify(&durable::OsFs, store, &options, &mut |_| {}).unwrap();
    assert!(report.clean, "{report}");
    report
}

/// How often some bytes stand in the log.
fn in_log(store: &std::path::Path, what: &[u8]) -> usize {
    let files = std::fs::read_dir(store.join("log")).unwrap();
    let count = |path: std::path::PathBuf| {
        let log = std::fs::read(path).unwrap();
        log.windows(what.len())
            .filter(|bytes| *bytes == what)
            .count()
    };
    files.map(|file| count(file.unwrap().path())).sum()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_delegate_submits_what_the_issuer_has_signed() {
    const BUREAU: &str = "institution:bureau";
    let bank = Bank::with_institutions().await;
    bank.institution("bureau", vec![Scope::default()]).await;
    must_sign(&bank, "uni").await;
    let for_uni = |record_id: &str| Achievement {
        issuer_id: "uni".into(),
        ..achievement(record_id)
    };
    let reason = async |achievement| {
        let refused = bank.submit_as(BUREAU, achievement).await.unwrap_err();
        (refused.code, refused.reason)
    };
    let signed = signed_by(&signer("bureau"), for_uni("r1"));
    let (denied, invalid) = (Code::PermissionDenied, Code::InvalidArgument);
    assert_eq!(reason(signed.clone()).await.0, denied);
    delegated(&bank, "uni", "bureau").await;

    let unsigned = reason(for_uni("r1")).await;
    assert_eq!(unsigned.1, "SIGNATURE_REQUIRED");
    // What the bureau issues itself names another issuer.
    let own = Achievement {
        issuer_id: String::new(),
        ..for_uni("r1")
    };
    let mut mixed = for_uni("r1");
    mixed.signature = signed_by(&signer("bureau"), own.clone()).signature;
    assert_eq!(reason(mixed).await, (invalid, "SIGNATURE_MISMATCH".into()));
    // The bureau has no key of that name, and uni none of this.
    let own = signed_by(&signer("bureau"), own);
    assert_eq!(reason(own).await.1, "SIGNING_KEY_UNKNOWN");
    let mut other = signed.clone();
    other.signature.as_mut().unwrap().key_id = "k2".into();
    assert_eq!(reason(other).await.1, "SIGNING_KEY_UNKNOWN");

    let outcome = bank.submit_as(BUREAU, signed.clone()).await.unwrap();
    assert_eq!(outcome.state(), OutcomeState::Recorded);
    // Whoever signed it: the program of the issuer, or that of the delegate.
    let by_uni = signed_by(&signer("uni"), achievement("r1"));
    assert_eq!(by_uni.signature, signed.signature);
    let again = bank.submit(by_uni).await.unwrap();
    assert_eq!(again.state(), OutcomeState::AlreadyRecorded);
    let leaf = chain::Leaf::decode(&outcome.receipt.unwrap().leaf).unwrap();
    let who = (leaf.issuer.as_str(), leaf.submitter.as_str());
    assert_eq!(who, ("uni", "bureau"));
    let bank = bank.restarted(|store| {
        let signatures = judged(store).signatures;
        assert_eq!((signatures.signed, signatures.genuine), (1, 1));
    });
    bank.await.stop_and_verify().await;
}

const NUMBER: &str = "Zn-4711";
const NAME: &str = "Zachariasova";

/// A learner with a name and a number, one record signed by number and one by handle.
async fn with_signed_records() -> (Bank, String) {
    // Short segments, which are searched through in no time.
    let settings = |config: &mut server::Config| config.storage.segment_bytes = 1 << 20;
    let dir = tempfile::tempdir().unwrap();
    let bank = Bank::start_configured(dir, settings).await.set_up().await;
    must_sign(&bank, "uni").await;
    let request = RegisterLearnerRequest {
        profile: Some(LearnerProfile {
            names: vec![text(NAME)],
            ..Default::default()
        }),
        students: vec![StudentNumber {
            institution_id: "uni".into(),
            number: NUMBER.into(),
        }],
        ..Default::default()
    };
    let request = acting("institution:uni", request);
    let answer = bank.learners().register_learner(request).await.unwrap();
    let handle = answer.into_inner().change.unwrap().learner_handle;
    for (record_id, reference) in [
        ("n1", student("uni", NUMBER)),
        (
            "h1",
            LearnerReference {
                reference: Some(Reference::Handle(handle.clone())),
            },
        ),
    ] {
        let about = Achievement {
            learner: Some(reference),
            ..achievement(record_id)
        };
        let signed = signed_by(&signer("uni"), about);
        bank.submit(signed).await.unwrap();
    }
    (bank, handle)
}

async fn erased(bank: &Bank, handle: &str, scope: ErasureScope) {
    let request = EraseLearnerRequest {
        learner_handle: handle.into(),
        scope: scope.into(),
    };
    let mut learners = bank.learners();
    let answer = learners.erase_learner(acting("operator", request));
    answer.await.unwrap();
}

async fn shown(bank: &Bank, record_id: &str) -> std::result::Result<Record, Refusal> {
    let request = GetRecordRequest {
        name: Some(RecordName {
            issuer_id: String::new(),
            record_id: record_id.into(),
        }),
        as_of: None,
    };
    let mut records = bank.records();
    let answer = records
        .get_record(acting("institution:uni", request))
        .await?;
    Ok(answer.into_inner().record.unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn a_signed_statement_stays_until_its_record_is_erased() {
    let (bank, handle) = with_signed_records().await;
    let before = shown(&bank, "n1").await.unwrap();
    erased(&bank, &handle, ErasureScope::Identity).await;

    let after = shown(&bank, "n1").await.unwrap();
    let signature = |record: &Record| {
        let content = record.versions[0].achievement.clone().unwrap();
        content.signature.unwrap()
    };
    assert_eq!(signature(&after), signature(&before));
    let said = codec::decode_statement(&signature(&after).statement).unwrap();
    let ledger::words::LearnerReference::Student(named) = said.learner else {
        panic!("the issuer named a student number");
    };
    assert_eq!(named.number, NUMBER);
    // It stays in that statement alone; who signs with handles leaves nothing.
    let bank = bank.restarted(|store| {
        let signatures = judged(store).signatures;
        assert_eq!((signatures.signed, signatures.genuine), (2, 2));
        assert_eq!(in_log(store, NUMBER.as_bytes()), 1);
        assert_eq!(in_log(store, NAME.as_bytes()), 0);
    });
    let bank = bank.await;

    erased(&bank, &handle, ErasureScope::All).await;
    for record_id in ["n1", "h1"] {
        let gone = shown(&bank, record_id).await;
        let content = gone.map(|record| record.versions.iter().any(|v| v.achievement.is_some()));
        assert!(!content.unwrap_or(false), "{record_id}");
    }
    let bank = bank.restarted(|store| {
        let signatures = judged(store).signatures;
        assert_eq!(signatures.signed, 0);
        assert_eq!(in_log(store, NUMBER.as_bytes()), 0);
    });
    let bank = bank.await;
    // Signed or not, it does not come back.
    let about = Achievement {
        learner: Some(student("uni", NUMBER)),
        ..achievement("n1")
    };
    let again = bank.submit(signed_by(&signer("uni"), about)).await;
    assert_eq!(again.unwrap_err().reason, "ERASED");
    bank.stop_and_verify().await;
}

fn any_of(texts: &'static [&'static str]) -> impl Strategy<Value = String> {
    proptest::sample::select(texts).prop_map(str::to_owned)
}

const IDS: &[&str] = &["", "uni", "uni", "other", "no id"];
const DATES: &[&str] = &["2025-06-30", "2024-02-29", "2025-06-30", "", "2025-02-30"];
const AMOUNTS: &[&str] = &["6", "02.50", "0", "6.000", "1,5", "1.2345"];

fn a_learner() -> impl Strategy<Value = Option<LearnerReference>> {
    let handles = &["0123456789abcdef0123456789ABCDEF", "12"];
    let reference = prop_oneof![
        1 => any_of(handles).prop_map(Reference::Handle),
        4 => any_of(IDS).prop_map(|institution_id| Reference::Student(StudentNumber {
            institution_id,
            number: "S1".into(),
        })),
        1 => any_of(DATES).prop_map(|birth_date| Reference::Document(DocumentIdentity {
            document: Some(Document { kind: "passport".into(), number: "P1".into() }),
            name: "Anna".into(),
            birth_date,
        })),
    ];
    let learner = reference.prop_map(|reference| LearnerReference {
        reference: Some(reference),
    });
    proptest::option::weighted(0.95, learner)
}

fn a_name() -> impl Strategy<Value = Option<RecordName>> {
    let name = any_of(IDS).prop_map(|issuer_id| RecordName {
        issuer_id,
        record_id: "r0".into(),
    });
    proptest::option::weighted(0.3, name)
}

fn an_achievement() -> impl Strategy<Value = Achievement> {
    let size = any_of(AMOUNTS).prop_map(|amount| Size {
        amount,
        unit: "ects".into(),
    });
    let dates = proptest::collection::vec(any_of(DATES), 4);
    (
        (any_of(IDS), a_learner(), proptest::option::of(size), dates),
        (0..6_i32, 0..3_u32, 0..3_usize),
        (a_name(), a_name(), a_name()),
    )
        .prop_map(|(first, (origin, attempt, count), names)| {
            let (issuer_id, learner, size, dates) = first;
            let value = |n: usize| format!("v{n}");
            let result = |n| Result {
                value: value(n),
                scale: "percent".into(),
                subject: "grade".into(),
            };
            let evidence = |n| Evidence {
                uri: value(n),
                digest: String::new(),
            };
            Achievement {
                issuer_id,
                learner,
                size,
                origin,
                attempt,
                results: (0..count).map(result).collect(),
                outcomes: (0..count).map(value).collect(),
                evidence: (0..count).map(evidence).collect(),
                awarded: dates[0].clone(),
                study_from: dates[1].clone(),
                study_until: dates[2].clone(),
                expires: dates[3].clone(),
                source: names.0,
                part_of: names.1,
                replaces: names.2,
                tier: "elementary".into(),
                delivery: "online".into(),
                offering: "2025".into(),
                ..achievement("r1")
            }
        })
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 2_000, ..ProptestConfig::default() })]

    #[test]
    fn what_the_client_signs_is_what_the_server_reads(wire in an_achievement()) {
        let uni = "uni".parse().unwrap();
        let read = server::from_proto::submission(wire.clone(), &uni, Handle([7; 16]));
        let expected = match read {
            Ok(Action::Submit { issuer, learner, achievement, .. }) => {
                let said = ledger::IssuerStatement { issuer, learner, achievement: std::sync::Arc::unwrap_or_clone(achievement) };
                Some(codec::encode_statement(&said))
            }
            _ => None,
        };
        prop_assert_eq!(client::statement(&wire, "uni").ok(), expected);
    }
}
