//! A server, and the calls that every test of it makes.
//!
//! Apart from the tests so that they read as what clients do.

use api::v1;
use api::v1::account_service_client::AccountServiceClient;
use api::v1::audit_service_client::AuditServiceClient;
use api::v1::learner_reference::Reference;
use api::v1::learner_service_client::LearnerServiceClient;
use api::v1::record_service_client::RecordServiceClient;
use api::v1::registry_service_client::RegistryServiceClient;
use creditbank_server::config::Http;
use creditbank_server::{Config, Running};
use tonic::metadata::MetadataValue;
use tonic::transport::Channel;
use tonic::{Request, Status};
use tonic_types::StatusExt;

pub(crate) async fn started(dir: &std::path::Path) -> (Running, Channel) {
    let mut config = Config {
        data_dir: dir.to_owned(),
        ..Config::default()
    };
    config.listen.set_port(0);
    config.http = Http::off();
    config.storage.segment_bytes = 1 << 20;
    config.limits.message_bytes_max = 64 << 10;
    config.limits.batch_records_max = 10;
    let running = creditbank_server::start(config).await.unwrap();
    let address = format!("http://{}", running.local_addr());
    let channel = Channel::from_shared(address)
        .unwrap()
        .connect()
        .await
        .unwrap();
    (running, channel)
}

pub(crate) fn by<M>(identity: &str, message: M) -> Request<M> {
    let mut request = Request::new(message);
    request.metadata_mut().insert(
        "creditbank-identity",
        MetadataValue::try_from(identity).unwrap(),
    );
    request
}

pub(crate) fn reason(status: &Status) -> String {
    status
        .get_details_error_info()
        .map(|info| info.reason)
        .unwrap_or_default()
}

pub(crate) fn student(number: &str) -> Option<v1::LearnerReference> {
    let number = number.to_owned();
    let student = v1::StudentNumber {
        institution_id: String::new(),
        number,
    };
    Some(v1::LearnerReference {
        reference: Some(Reference::Student(student)),
    })
}

pub(crate) fn handle(handle: &str) -> Option<v1::LearnerReference> {
    Some(v1::LearnerReference {
        reference: Some(Reference::Handle(handle.to_owned())),
    })
}

pub(crate) fn text(value: &str) -> v1::Text {
    v1::Text {
        value: value.to_owned(),
        language: "en".to_owned(),
    }
}

pub(crate) fn course(record_id: &str, number: &str, amount: &str) -> v1::Achievement {
    v1::Achievement {
        record_id: record_id.to_owned(),
        learner: student(number),
        r#type: "Course".to_owned(),
        code: format!("C-{record_id}"),
        titles: vec![text("A course")],
        size: Some(v1::Size {
            amount: amount.to_owned(),
            unit: "ects".to_owned(),
        }),
        awarded: "2024-07-01".to_owned(),
        ..v1::Achievement::default()
    }
}

pub(crate) const COLLEGE: &str = "institution:college-a";

pub(crate) async fn register_college(
    channel: &Channel,
    id: &str,
) -> v1::RegisterInstitutionResponse {
    let institution = v1::Institution {
        institution_id: id.to_owned(),
        names: vec![text("A college")],
        scopes: vec![v1::Scope::default()],
        ..v1::Institution::default()
    };
    let request = v1::RegisterInstitutionRequest {
        institution: Some(institution),
    };
    let mut registry = RegistryServiceClient::new(channel.clone());
    registry
        .register_institution(by("operator", request))
        .await
        .unwrap()
        .into_inner()
}

pub(crate) async fn register_learner(channel: &Channel, number: &str) -> String {
    let request = v1::RegisterLearnerRequest {
        profile: Some(v1::LearnerProfile {
            names: vec![text("Ada")],
            ..v1::LearnerProfile::default()
        }),
        students: vec![v1::StudentNumber {
            institution_id: String::new(),
            number: number.to_owned(),
        }],
        request_id: format!("register {number}"),
    };
    let mut learners = LearnerServiceClient::new(channel.clone());
    let response = learners
        .register_learner(by(COLLEGE, request))
        .await
        .unwrap()
        .into_inner();
    response.change.unwrap().learner_handle
}

pub(crate) async fn submit(channel: &Channel, achievement: v1::Achievement) -> v1::RecordOutcome {
    let request = v1::SubmitRecordRequest {
        achievement: Some(achievement),
        validate_only: false,
    };
    let mut records = RecordServiceClient::new(channel.clone());
    let response = records.submit_record(by(COLLEGE, request)).await.unwrap();
    response.into_inner().outcome.unwrap()
}

pub(crate) async fn balance(
    channel: &Channel,
    identity: &str,
    learner: Option<v1::LearnerReference>,
) -> Result<v1::GetBalanceResponse, Status> {
    let mut accounts = AccountServiceClient::new(channel.clone());
    let request = by(
        identity,
        v1::GetBalanceRequest {
            learner,
            ..Default::default()
        },
    );
    accounts
        .get_balance(request)
        .await
        .map(tonic::Response::into_inner)
}

pub(crate) fn name(record_id: &str) -> Option<v1::RecordName> {
    let record_id = record_id.to_owned();
    Some(v1::RecordName {
        issuer_id: String::new(),
        record_id,
    })
}

pub(crate) async fn read_head(channel: &Channel) -> v1::GetHeadResponse {
    let mut audit = AuditServiceClient::new(channel.clone());
    audit
        .get_head(by(
            "auditor",
            v1::GetHeadRequest {
                ..Default::default()
            },
        ))
        .await
        .unwrap()
        .into_inner()
}
