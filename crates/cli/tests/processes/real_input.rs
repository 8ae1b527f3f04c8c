//! The main job on real data: 15,385 completed modules of a university (OULAD), submitted as a file.
//!
//! Counts and credit totals per module and per learner must equal sums computed straight from the CSV;
//! sent again, nothing changes; with the server killed in the middle, all is equal in the end.

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::running::{CREDITBANK, Server, acting, free_port, verify};
use api::v1::account_service_client::AccountServiceClient;
use api::v1::learner_reference::Reference;
use api::v1::learner_service_client::LearnerServiceClient;
use api::v1::record_service_client::RecordServiceClient;
use api::v1::{
    GetBalanceRequest, LearnerProfile, LearnerReference, ListRecordsRequest, RecordState,
    RegisterLearnerRequest, StudentNumber,
};
use serde_json::json;

const UNIVERSITY: &str = "oulad-university";
const ACTING: &str = "institution:oulad-university";

/// A completed module of the CSV.
struct Completion {
    module: String,
    presentation: String,
    student: String,
    result: String,
    awarded: String,
    credits: u64,
    unit: String,
}

/// Counts and credits by module and by learner.
#[derive(Debug, Default, PartialEq, Eq)]
struct Sums {
    by_module: BTreeMap<String, (u64, u64)>,
    by_learner: BTreeMap<String, (u64, u64)>,
}

fn data() -> Option<PathBuf> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("../..");
    let data = std::env::var_os("CREDITBANK_TEST_DATA")
        .map_or_else(|| root.join("../shared/data"), PathBuf::from);
    let oulad = data.join("oulad");
    if oulad.is_dir() {
        return Some(oulad);
    }
    println!(
        "skipped: no OULAD data at {} (set CREDITBANK_TEST_DATA)",
        oulad.display()
    );
    None
}

fn rows(path: &Path) -> Vec<BTreeMap<String, String>> {
    let file = std::fs::File::open(path).unwrap();
    let gz = path.extension().is_some_and(|extension| extension == "gz");
    let bytes: Box<dyn Read> = if gz {
        Box::new(flate2::read::GzDecoder::new(file))
    } else {
        Box::new(file)
    };
    csv::Reader::from_reader(bytes)
        .deserialize()
        .map(|row| row.unwrap())
        .collect()
}

fn completions(oulad: &Path) -> Vec<Completion> {
    let credits: BTreeMap<String, (u64, String)> = rows(&oulad.join("module_credits.csv"))
        .into_iter()
        .map(|row| {
            (
                row["code_module"].clone(),
                (row["credits"].parse().unwrap(), row["unit"].clone()),
            )
        })
        .collect();
    let ends: BTreeMap<(String, String), String> = rows(&oulad.join("presentations.csv"))
        .into_iter()
        .map(|row| {
            (
                (row["code_module"].clone(), row["code_presentation"].clone()),
                row["end_date"].clone(),
            )
        })
        .collect();
    rows(&oulad.join("studentInfo.csv.gz"))
        .into_iter()
        .filter(|row| ["Pass", "Distinction"].contains(&row["final_result"].as_str()))
        .map(|row| {
            let (module, presentation) =
                (row["code_module"].clone(), row["code_presentation"].clone());
            let (credits, unit) = credits[&module].clone();
            Completion {
                awarded: ends[&(module.clone(), presentation.clone())].clone(),
                student: row["id_student"].clone(),
                result: row["final_result"].to_lowercase(),
                module,
                presentation,
                credits,
                unit,
            }
        })
        .collect()
}

fn line(of: &Completion) -> String {
    json!({
        "record_id": format!("{}-{}-{}", of.module, of.presentation, of.student),
        "learner": {"student": {"institution_id": UNIVERSITY, "number": of.student}},
        "type": "Course",
        "code": of.module,
        "titles": [{"value": format!("Module {}", of.module), "language": "en"}],
        "size": {"amount": of.credits.to_string(), "unit": of.unit},
        "source_kind": "formal-study",
        "offering": of.presentation,
        "results": [{"value": of.result, "scale": "pass-distinction"}],
        "awarded": of.awarded,
    })
    .to_string()
}

fn expected(completions: &[Completion]) -> Sums {
    let mut sums = Sums::default();
    for of in completions {
        for (count, credits) in [
            sums.by_module.entry(of.module.clone()).or_default(),
            sums.by_learner.entry(of.student.clone()).or_default(),
        ] {
            *count += 1;
            *credits += of.credits;
        }
    }
    sums
}

fn student(number: &str) -> StudentNumber {
    StudentNumber {
        institution_id: UNIVERSITY.to_owned(),
        number: number.to_owned(),
    }
}

/// Runs one call per item, a few at a time.
async fn each<T: Send + 'static, F>(items: Vec<T>, call: impl Fn(T) -> F)
where
    F: Future<Output = ()> + Send + 'static,
{
    let mut running = tokio::task::JoinSet::new();
    for item in items {
        if running.len() >= 64 {
            running.join_next().await.unwrap().unwrap();
        }
        running.spawn(call(item));
    }
    while let Some(done) = running.join_next().await {
        done.unwrap();
    }
}

async fn register_learners(server: &Server, sums: &Sums) {
    let client = LearnerServiceClient::new(server.channel().await);
    let numbers: Vec<String> = sums.by_learner.keys().cloned().collect();
    each(numbers, |number| {
        let mut client = client.clone();
        async move {
            let request = RegisterLearnerRequest {
                profile: Some(LearnerProfile::default()),
                students: vec![student(&number)],
                request_id: format!("student {number}"),
            };
            client
                .register_learner(acting(ACTING, request))
                .await
                .unwrap();
        }
    })
    .await;
}

/// What the server says: records listed for the modules, balances for the learners.
async fn found(server: &Server, learners: impl Iterator<Item = &String>) -> Sums {
    let mut sums = Sums::default();
    let mut records = RecordServiceClient::new(server.channel().await);
    let mut page_token = String::new();
    loop {
        let request = ListRecordsRequest {
            page_size: 1_000,
            page_token,
            issuer_id: String::new(),
            ..Default::default()
        };
        let page = records
            .list_records(acting(ACTING, request))
            .await
            .unwrap()
            .into_inner();
        for record in page.records {
            assert_eq!(record.state(), RecordState::Recorded);
            let achievement = record.versions[0].achievement.clone().unwrap();
            assert!(achievement.level.is_none());
            let (count, credits) = sums.by_module.entry(achievement.code).or_default();
            *count += 1;
            *credits += achievement.size.unwrap().amount.parse::<u64>().unwrap();
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let accounts = AccountServiceClient::new(server.channel().await);
    let by_learner = std::sync::Arc::new(std::sync::Mutex::new(BTreeMap::new()));
    each(learners.cloned().collect(), |number| {
        let (mut accounts, by_learner) = (accounts.clone(), std::sync::Arc::clone(&by_learner));
        async move {
            let reference = Some(Reference::Student(student(&number)));
            let request = GetBalanceRequest {
                learner: Some(LearnerReference { reference }),
                ..Default::default()
            };
            let balance = accounts
                .get_balance(acting(ACTING, request))
                .await
                .unwrap()
                .into_inner();
            assert!(balance.totals.len() <= 1 && !balance.provisional);
            let total = balance.totals.first().cloned().unwrap_or_default();
            let credits = total.amount.parse().unwrap_or(0_u64);
            by_learner
                .lock()
                .unwrap()
                .insert(number, (total.achievement_count, credits));
        }
    })
    .await;
    sums.by_learner = std::mem::take(&mut *by_learner.lock().unwrap());
    sums
}

async fn head(server: &Server) -> (u64, Vec<u8>) {
    let head = server.try_head().await.unwrap();
    (head.size, head.chain_hash)
}

#[tokio::test(flavor = "multi_thread")]
async fn completed_modules_of_a_real_university_add_up() {
    let Some(oulad) = data() else { return };
    let completions = completions(&oulad);
    let expected = expected(&completions);
    assert_eq!(completions.len(), 15_385);
    let dir = tempfile::tempdir().unwrap();
    let mut lines = String::new();
    completions
        .iter()
        .for_each(|of| writeln!(lines, "{}", line(of)).unwrap());
    let file = dir.path().join("oulad.jsonl");
    std::fs::write(&file, lines).unwrap();
    let submit = [
        "submit",
        file.to_str().unwrap(),
        "--institution",
        UNIVERSITY,
        "--json",
    ];

    // Once, and again.
    let server = Server::start(&dir.path().join("first"), free_port()).await;
    server.register_institution(UNIVERSITY).await;
    register_learners(&server, &expected).await;
    for _ in 0..2 {
        let output = server.run(&submit);
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        assert_eq!(
            output.stdout.iter().filter(|byte| **byte == b'\n').count(),
            completions.len()
        );
        assert_eq!(found(&server, expected.by_learner.keys()).await, expected);
    }
    let before = head(&server).await;
    assert!(server.run(&submit).status.success());
    assert_eq!(head(&server).await, before, "sent again, nothing changes");
    let data = server.data().to_owned();
    server.stop();
    verify(&data);

    // A fresh run, with the server killed in its middle.
    let port = free_port();
    let server = Server::start(&dir.path().join("second"), port).await;
    server.register_institution(UNIVERSITY).await;
    register_learners(&server, &expected).await;
    let start = head(&server).await.0;
    let url = server.url();
    let mut sending = std::process::Command::new(CREDITBANK)
        .args(["--server", &url])
        .args(submit)
        .args(["--batch", "100"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while head(&server).await.0 < start + 2_000 {
        assert!(
            sending.try_wait().unwrap().is_none(),
            "the kill comes in the middle"
        );
    }
    server.kill();
    let server = Server::start(&dir.path().join("second"), port).await;
    sending.wait().unwrap();
    assert!(server.run(&submit).status.success());
    assert_eq!(found(&server, expected.by_learner.keys()).await, expected);
    let data = server.data().to_owned();
    server.stop();
    verify(&data);
}
