//! The main job on real data: 15,385 completed modules of a university (OULAD), imported from its own
//! files through the mapping in `ledger-data/mappings`.
//!
//! Counts and credit totals per module and per learner must equal sums computed straight from the CSV;
//! imported again, nothing changes; with the server killed in the middle, all is equal in the end.

use std::collections::BTreeMap;
use std::io::Read;
use std::path::{Path, PathBuf};

use crate::running::{CREDITBANK, Server, acting, free_port, verify};
use api::v1::account_service_client::AccountServiceClient;
use api::v1::learner_reference::Reference;
use api::v1::record_service_client::RecordServiceClient;
use api::v1::{
    GetBalanceRequest, LearnerReference, ListRecordsRequest, RecordState, StudentNumber,
};

const UNIVERSITY: &str = "oulad-university";
const ACTING: &str = "institution:oulad-university";

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

/// What the CSV files say, without the mapping: a Pass or a Distinction brings the credits of its module.
fn expected(oulad: &Path) -> Sums {
    let credits: BTreeMap<String, u64> = rows(&oulad.join("module_credits.csv"))
        .into_iter()
        .map(|row| (row["code_module"].clone(), row["credits"].parse().unwrap()))
        .collect();
    let mut sums = Sums::default();
    for row in rows(&oulad.join("studentInfo.csv.gz")) {
        if !["Pass", "Distinction"].contains(&row["final_result"].as_str()) {
            continue;
        }
        let module = row["code_module"].clone();
        let worth = credits[&module];
        for (count, credits) in [
            sums.by_learner
                .entry(row["id_student"].clone())
                .or_default(),
            sums.by_module.entry(module).or_default(),
        ] {
            *count += 1;
            *credits += worth;
        }
    }
    sums
}

/// When each presentation ended.
fn ends(oulad: &Path) -> BTreeMap<(String, String), String> {
    let end = |row: BTreeMap<String, String>| {
        let presentation = (row["code_module"].clone(), row["code_presentation"].clone());
        (presentation, row["end_date"].clone())
    };
    rows(&oulad.join("presentations.csv"))
        .into_iter()
        .map(end)
        .collect()
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

/// What the server says: all records by module and by learner, and the balances of every `nth` learner.
async fn found(server: &Server, oulad: &Path, learners: &Sums, nth: usize) -> Sums {
    let mut sums = Sums::default();
    let ends = ends(oulad);
    let mut records = RecordServiceClient::new(server.channel().await);
    let mut page_token = String::new();
    loop {
        let request = ListRecordsRequest {
            page_size: 1_000,
            page_token,
            ..Default::default()
        };
        let page = records.list_records(acting(ACTING, request)).await;
        let page = page.unwrap().into_inner();
        for record in page.records {
            assert_eq!(record.state(), RecordState::Recorded);
            let achievement = record.versions[0].achievement.clone().unwrap();
            assert!(achievement.level.is_none());
            let id = achievement.record_id.clone();
            let (module, presentation) = (achievement.code, achievement.offering);
            let number = id.rsplit('-').next().unwrap().to_owned();
            assert_eq!(id, format!("{module}-{presentation}-{number}"));
            assert_eq!(achievement.awarded, ends[&(module.clone(), presentation)]);
            let amount = achievement.size.unwrap().amount.parse::<u64>().unwrap();
            for (count, credits) in [
                sums.by_module.entry(module).or_default(),
                sums.by_learner.entry(number).or_default(),
            ] {
                *count += 1;
                *credits += amount;
            }
        }
        page_token = page.next_page_token;
        if page_token.is_empty() {
            break;
        }
    }
    let accounts = AccountServiceClient::new(server.channel().await);
    let some = learners.by_learner.iter().step_by(nth);
    let some = some.map(|(number, sum)| (number.clone(), *sum)).collect();
    each(some, |(number, expected)| {
        let mut accounts = accounts.clone();
        async move {
            let reference = Some(Reference::Student(student(&number)));
            let request = GetBalanceRequest {
                learner: Some(LearnerReference { reference }),
                ..Default::default()
            };
            let balance = accounts.get_balance(acting(ACTING, request)).await;
            let balance = balance.unwrap().into_inner();
            assert!(
                balance.totals.len() == 1 && !balance.provisional,
                "{number}"
            );
            let total = &balance.totals[0];
            let credits: u64 = total.amount.parse().unwrap();
            assert_eq!((total.achievement_count, credits), expected, "{number}");
        }
    })
    .await;
    sums
}

async fn head(server: &Server) -> (u64, Vec<u8>) {
    let head = server.try_head().await.unwrap();
    (head.size, head.chain_hash)
}

/// The words of the import, as a registrar types them.
fn words(oulad: &Path, dir: &Path) -> Vec<String> {
    let mapping =
        Path::new(env!("CARGO_MANIFEST_DIR")).join("../../ledger-data/mappings/oulad.toml");
    let file = oulad.join("studentInfo.csv.gz");
    let (rejected, accepted) = (dir.join("rejected.csv"), dir.join("accepted.csv"));
    let paths = [
        ("--mapping", mapping.as_path()),
        ("--lookup-dir", oulad),
        ("--rejected", &rejected),
        ("--accepted", &accepted),
    ];
    let mut words = vec!["import".to_owned(), file.to_str().unwrap().to_owned()];
    for (option, path) in paths {
        words.extend([option.to_owned(), path.to_str().unwrap().to_owned()]);
    }
    for word in ["--institution", UNIVERSITY, "--register-learners", "--json"] {
        words.push(word.to_owned());
    }
    words
}

/// Imports, and says how many rows became what.
fn import(server: &Server, words: &[String]) -> serde_json::Value {
    let words: Vec<&str> = words.iter().map(String::as_str).collect();
    let output = server.run(&words);
    let error = String::from_utf8_lossy(&output.stderr).into_owned();
    assert!(output.status.success(), "{error}");
    let summary: serde_json::Value = serde_json::from_slice(&output.stdout).unwrap();
    assert_eq!(
        (&summary["rows"], &summary["skipped"]),
        (&32_593.into(), &17_208.into())
    );
    summary["done"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn completed_modules_of_a_real_university_add_up() {
    let Some(oulad) = data() else { return };
    let expected = expected(&oulad);
    let completed: u64 = expected.by_module.values().map(|(count, _)| count).sum();
    assert_eq!(completed, 15_385);
    let dir = tempfile::tempdir().unwrap();
    let words = words(&oulad, dir.path());

    // Once, and again.
    let server = Server::start(&dir.path().join("first"), free_port()).await;
    server.register_institution(UNIVERSITY).await;
    assert_eq!(
        import(&server, &words),
        serde_json::json!({ "recorded": completed })
    );
    assert_eq!(found(&server, &oulad, &expected, 4).await, expected);
    let before = head(&server).await;
    assert_eq!(
        import(&server, &words),
        serde_json::json!({ "already_recorded": completed })
    );
    assert_eq!(
        head(&server).await,
        before,
        "imported again, nothing changes"
    );
    let data = server.data().to_owned();
    server.stop();
    verify(&data);

    // A fresh import, with the server killed in its middle.
    let port = free_port();
    let server = Server::start(&dir.path().join("second"), port).await;
    server.register_institution(UNIVERSITY).await;
    let start = head(&server).await.0;
    let mut sending = std::process::Command::new(CREDITBANK)
        .args(["--server", &server.url()])
        .args(&words)
        .args(["--batch", "100"])
        .stdout(std::process::Stdio::null())
        .stderr(std::process::Stdio::null())
        .spawn()
        .unwrap();
    while head(&server).await.0 < start + 4_000 {
        assert!(
            sending.try_wait().unwrap().is_none(),
            "the kill comes in the middle"
        );
    }
    server.kill();
    let server = Server::start(&dir.path().join("second"), port).await;
    // The same command goes on by itself; so would the same command given again.
    assert!(sending.wait().unwrap().success());
    assert_eq!(
        import(&server, &words),
        serde_json::json!({ "already_recorded": completed })
    );
    assert_eq!(found(&server, &oulad, &expected, 16).await, expected);
    let (size, _) = head(&server).await;
    assert_eq!(size, before.0, "as large as without the kill");
    let data = server.data().to_owned();
    server.stop();
    verify(&data);
}
