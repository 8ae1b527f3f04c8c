//! A server in this process on an empty store, with an operator, institutions and learners to begin with.
//!
//! Shared by the tests that go through gRPC as a client does.

use api::v1::account_service_client::AccountServiceClient;
use api::v1::audit_service_client::AuditServiceClient;
use api::v1::learner_reference::Reference;
use api::v1::learner_service_client::LearnerServiceClient;
use api::v1::record_service_client::RecordServiceClient;
use api::v1::registry_service_client::RegistryServiceClient;
use api::v1::*;
use tonic::transport::Channel;
use tonic::{Code, Request, Status};
use tonic_types::StatusExt as _;

/// A running server and a channel to it.
pub(crate) struct Bank {
    running: server::Running,
    pub(crate) channel: Channel,
    dir: tempfile::TempDir,
    /// What is set otherwise than by default, also after a restart.
    settings: fn(&mut server::Config),
}

/// A request made as somebody.
pub(crate) fn acting<T>(identity: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("creditbank-identity", identity.parse().unwrap());
    request
}

/// A student number of the institution.
pub(crate) fn student(institution: &str, number: &str) -> LearnerReference {
    let student = StudentNumber {
        institution_id: institution.into(),
        number: number.into(),
    };
    LearnerReference {
        reference: Some(Reference::Student(student)),
    }
}

pub(crate) fn text(value: &str) -> Text {
    Text {
        value: value.into(),
        language: "en".into(),
    }
}

/// A well-formed course of `uni` for its student S1.
pub(crate) fn achievement(record_id: &str) -> Achievement {
    Achievement {
        record_id: record_id.into(),
        learner: Some(student("uni", "S1")),
        r#type: "Course".into(),
        code: format!("C-{record_id}"),
        titles: vec![text("A course")],
        size: Some(Size {
            amount: "6".into(),
            unit: "ects".into(),
        }),
        level: Some(Level {
            framework: "eqf".into(),
            code: "6".into(),
        }),
        field: "0613".into(),
        source_kind: "formal-study".into(),
        awarded: "2025-06-30".into(),
        ..Achievement::default()
    }
}

/// What a client sees of an error: code, reason, paths of the fields, and the sentence.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Refusal {
    pub(crate) code: Code,
    pub(crate) reason: String,
    pub(crate) fields: Vec<String>,
    pub(crate) sentence: String,
}

impl From<Status> for Refusal {
    fn from(status: Status) -> Self {
        let details = status.get_error_details();
        let info = details.error_info();
        assert!(info.is_none_or(|info| info.domain == "creditbank"));
        let fields = details.bad_request().map(|bad| {
            bad.field_violations
                .iter()
                .map(|violation| violation.field.clone())
                .collect()
        });
        Refusal {
            code: status.code(),
            reason: info.map(|info| info.reason.clone()).unwrap_or_default(),
            fields: fields.unwrap_or_default(),
            sentence: status.message().to_owned(),
        }
    }
}

impl Bank {
    pub(crate) async fn start() -> Bank {
        Self::start_configured(tempfile::tempdir().unwrap(), |_| ()).await
    }

    /// With other settings, which a restart keeps.
    pub(crate) async fn start_configured(
        dir: tempfile::TempDir,
        settings: fn(&mut server::Config),
    ) -> Bank {
        Self::start_on(server::clock::Clock::system(), dir, settings).await
    }

    async fn start_on(
        clock: server::clock::Clock,
        dir: tempfile::TempDir,
        settings: fn(&mut server::Config),
    ) -> Bank {
        let mut config = server::Config {
            listen: "127.0.0.1:0".parse().unwrap(),
            http: server::config::Http::off(),
            data_dir: dir.path().join("store"),
            ..server::Config::default()
        };
        settings(&mut config);
        let running = server::start_on(config, clock).await.unwrap();
        let url = format!("http://{}", running.local_addr());
        let channel = Channel::from_shared(url).unwrap().connect().await.unwrap();
        Bank {
            running,
            channel,
            dir,
            settings,
        }
    }

    /// Where it listens.
    pub(crate) fn address(&self) -> std::net::SocketAddr {
        self.running.local_addr()
    }

    /// Where it answers for metrics and health.
    pub(crate) fn http(&self) -> std::net::SocketAddr {
        let http = self.running.http_addr();
        http.expect("the bank was configured with the port")
    }

    /// Stops the server, does something to its data, and starts it again.
    pub(crate) async fn restarted(self, meanwhile: impl FnOnce(&std::path::Path)) -> Bank {
        let Bank {
            running,
            channel,
            dir,
            settings,
        } = self;
        drop(channel);
        running.stop().await;
        meanwhile(&dir.path().join("store"));
        Self::start_configured(dir, settings).await
    }

    /// With `uni` (any scope) and its registered student S1, and `college` (certificates up to EQF 5).
    pub(crate) async fn with_institutions() -> Bank {
        Self::start().await.set_up().await
    }

    /// The same, on another clock.
    pub(crate) async fn on_clock(clock: server::clock::Clock) -> Bank {
        let dir = tempfile::tempdir().unwrap();
        Self::start_on(clock, dir, |_| ()).await.set_up().await
    }

    /// The same, with streams whose answers hold a few records each, and that are read little ahead.
    pub(crate) async fn with_small_answers() -> Bank {
        let settings = |config: &mut server::Config| {
            config.streams.chunk_bytes = 2 << 10;
            config.streams.ahead_records_max = 50;
        };
        let dir = tempfile::tempdir().unwrap();
        Self::start_configured(dir, settings).await.set_up().await
    }

    /// Registers the institutions and the student.
    pub(crate) async fn set_up(self) -> Bank {
        let bank = self;
        bank.institution("uni", vec![Scope::default()]).await;
        let level_max = Some(Level {
            framework: "eqf".into(),
            code: "5".into(),
        });
        let narrow = Scope {
            types: vec!["Certificate".into()],
            level_max,
            ..Scope::default()
        };
        bank.institution("college", vec![narrow]).await;
        bank.learner("uni", "S1").await;
        bank
    }

    pub(crate) fn records(&self) -> RecordServiceClient<Channel> {
        RecordServiceClient::new(self.channel.clone())
    }

    pub(crate) fn accounts(&self) -> AccountServiceClient<Channel> {
        AccountServiceClient::new(self.channel.clone())
    }

    pub(crate) fn learners(&self) -> LearnerServiceClient<Channel> {
        LearnerServiceClient::new(self.channel.clone())
    }

    pub(crate) fn registry(&self) -> RegistryServiceClient<Channel> {
        RegistryServiceClient::new(self.channel.clone())
    }

    pub(crate) fn audit(&self) -> AuditServiceClient<Channel> {
        AuditServiceClient::new(self.channel.clone())
    }

    pub(crate) async fn institution(&self, id: &str, scopes: Vec<Scope>) {
        let institution = Institution {
            institution_id: id.into(),
            names: vec![text(id)],
            kind: "university".into(),
            scopes,
            ..Institution::default()
        };
        let request = RegisterInstitutionRequest {
            institution: Some(institution),
        };
        self.registry()
            .register_institution(acting("operator", request))
            .await
            .unwrap();
    }

    /// Registers a learner with a student number; returns the handle.
    pub(crate) async fn learner(&self, institution: &str, number: &str) -> String {
        let students = vec![StudentNumber {
            institution_id: institution.into(),
            number: number.into(),
        }];
        let request = RegisterLearnerRequest {
            students,
            ..RegisterLearnerRequest::default()
        };
        let identity = format!("institution:{institution}");
        let answer = self
            .learners()
            .register_learner(acting(&identity, request))
            .await
            .unwrap();
        answer.into_inner().change.unwrap().learner_handle
    }

    /// The handle to which a student number leads.
    pub(crate) async fn handle_of(&self, institution: &str, number: &str) -> String {
        let request = GetBalanceRequest {
            learner: Some(student(institution, number)),
            ..Default::default()
        };
        let answer = self
            .accounts()
            .get_balance(acting("operator", request))
            .await;
        answer.unwrap().into_inner().learner_handle
    }

    pub(crate) async fn submit_as(
        &self,
        identity: &str,
        achievement: Achievement,
    ) -> std::result::Result<RecordOutcome, Refusal> {
        let request = SubmitRecordRequest {
            achievement: Some(achievement),
            validate_only: false,
        };
        let answer = self
            .records()
            .submit_record(acting(identity, request))
            .await?;
        Ok(answer.into_inner().outcome.unwrap())
    }

    pub(crate) async fn submit(
        &self,
        achievement: Achievement,
    ) -> std::result::Result<RecordOutcome, Refusal> {
        self.submit_as("institution:uni", achievement).await
    }

    pub(crate) async fn batch(&self, achievements: Vec<Achievement>) -> Vec<RecordOutcome> {
        let request = BatchSubmitRecordsRequest {
            achievements,
            ..Default::default()
        };
        let answer = self
            .records()
            .batch_submit_records(acting("institution:uni", request))
            .await;
        answer.unwrap().into_inner().outcomes
    }

    pub(crate) async fn size(&self) -> u64 {
        let answer = self
            .audit()
            .get_head(acting(
                "auditor",
                GetHeadRequest {
                    ..Default::default()
                },
            ))
            .await
            .unwrap();
        answer.into_inner().size
    }

    /// Stops the server and has the auditor's code judge the store.
    pub(crate) async fn stop_and_verify(self) {
        let Bank {
            running,
            channel,
            dir,
            ..
        } = self;
        drop(channel);
        running.stop().await;
        let store = dir.path().join("store");
        let options = verify::Options::default();
        let report = verify::verify(&durable::OsFs, &store, &options, &mut |_| {}).unwrap();
        assert!(report.findings.is_empty(), "{report}");
    }
}
