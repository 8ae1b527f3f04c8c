//! A server in a process of its own, as its operator runs it: started, asked, killed, stopped.
//!
//! Shared by the tests that need a real process, because only a process can be killed.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::{Duration, Instant};

use api::v1::audit_service_client::AuditServiceClient;
use api::v1::registry_service_client::RegistryServiceClient;
use api::v1::{GetHeadRequest, GetHeadResponse};
use api::v1::{Institution, RegisterInstitutionRequest, Scope, Text};
use tonic::Request;
use tonic::transport::Channel;

/// The program under test.
pub(crate) const CREDITBANK: &str = env!("CARGO_BIN_EXE_creditbank");

/// A running server.
pub(crate) struct Server {
    child: Child,
    port: u16,
    data: PathBuf,
}

/// A port that nobody listens on now.
pub(crate) fn free_port() -> u16 {
    TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
        .port()
}

/// A request made as somebody.
pub(crate) fn acting<T>(identity: &str, message: T) -> Request<T> {
    let mut request = Request::new(message);
    request
        .metadata_mut()
        .insert("creditbank-identity", identity.parse().unwrap());
    request
}

impl Server {
    /// Starts a server and waits until it answers.
    pub(crate) async fn start(data: &Path, port: u16) -> Server {
        let child = Command::new(CREDITBANK)
            .args(["serve", "--listen", &format!("127.0.0.1:{port}")])
            .args(["--http", "off", "--data"])
            .arg(data)
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap();
        let server = Server {
            child,
            port,
            data: data.to_owned(),
        };
        let give_up = Instant::now() + Duration::from_secs(60);
        while server.try_head().await.is_none() {
            assert!(Instant::now() < give_up, "the server does not answer");
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
        server
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.port)
    }

    pub(crate) async fn channel(&self) -> Channel {
        Channel::from_shared(self.url())
            .unwrap()
            .connect()
            .await
            .unwrap()
    }

    /// The head, when the server answers.
    pub(crate) async fn try_head(&self) -> Option<GetHeadResponse> {
        let channel = Channel::from_shared(self.url())
            .unwrap()
            .connect()
            .await
            .ok()?;
        let request = acting(
            "auditor",
            GetHeadRequest {
                ..Default::default()
            },
        );
        Some(
            AuditServiceClient::new(channel)
                .get_head(request)
                .await
                .ok()?
                .into_inner(),
        )
    }

    /// Registers an institution that may issue anything.
    pub(crate) async fn register_institution(&self, id: &str) {
        let name = Text {
            value: format!("Institution {id}"),
            language: "en".to_owned(),
        };
        let institution = Institution {
            institution_id: id.to_owned(),
            names: vec![name],
            kind: "university".to_owned(),
            scopes: vec![Scope::default()],
            ..Institution::default()
        };
        let request = RegisterInstitutionRequest {
            institution: Some(institution),
        };
        RegistryServiceClient::new(self.channel().await)
            .register_institution(acting("operator", request))
            .await
            .unwrap();
    }

    /// Kills it as `kill -9` does.
    pub(crate) fn kill(mut self) {
        self.child.kill().unwrap();
        self.child.wait().unwrap();
    }

    /// Asks it to stop, and waits until it has.
    pub(crate) fn stop(mut self) {
        let pid = self.child.id().to_string();
        assert!(
            Command::new("kill")
                .args(["-TERM", &pid])
                .status()
                .unwrap()
                .success()
        );
        assert!(
            self.child.wait().unwrap().success(),
            "the server stops cleanly"
        );
    }

    /// Runs the program against this server.
    pub(crate) fn run(&self, args: &[&str]) -> Output {
        Command::new(CREDITBANK)
            .args(["--server", &self.url()])
            .args(args)
            .output()
            .unwrap()
    }

    pub(crate) fn data(&self) -> &Path {
        &self.data
    }
}

/// A test that fails leaves no server behind.
impl Drop for Server {
    fn drop(&mut self) {
        // It has ended already where a test killed or stopped it.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Judges a stopped store with the auditor's code.
pub(crate) fn verify(data: &Path) {
    let output = Command::new(CREDITBANK)
        .arg("verify")
        .arg(data)
        .output()
        .unwrap();
    let report = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(
        output.status.success(),
        "{report}{}",
        String::from_utf8_lossy(&output.stderr)
    );
}
