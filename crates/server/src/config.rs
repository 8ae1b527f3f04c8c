//! Configuration: every setting with its default, its bounds and what it is for.
//!
//! Apart from what is configured so that one place shows it all. [`Config::to_toml`] is the documentation
//! that an operator reads (`serve --print-config`); reading it back gives the same configuration.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};
use std::time::Duration;

use serde::Deserialize;

use crate::limits::{Limits, StreamLimits};

mod sections;
mod watching;
mod web;

pub use sections::{RequestLimits, Storage, Streams, Transport, Writer};
pub use watching::{Http, LogFormat};
pub use web::Web;

/// Everything that can be set.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Config {
    /// Address and port on which the server listens; loopback only.
    pub listen: SocketAddr,
    /// Directory of the ledger.
    pub data_dir: PathBuf,
    /// What is logged, as `tracing` filter directives.
    pub log_level: String,
    /// The form of the log.
    pub log_format: LogFormat,
    /// The port for metrics and health.
    pub http: Http,
    /// The log on disk.
    pub storage: Storage,
    /// The one writer.
    pub writer: Writer,
    /// Limits of single requests.
    pub limits: RequestLimits,
    /// Streams.
    pub streams: Streams,
    /// Connections.
    pub transport: Transport,
    /// Browsers.
    pub web: Web,
}

impl Default for Config {
    fn default() -> Self {
        Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 7410)),
            data_dir: PathBuf::from("ledger-data/store"),
            log_level: "info".to_owned(),
            log_format: LogFormat::default(),
            http: Http::default(),
            storage: Storage::default(),
            writer: Writer::default(),
            limits: RequestLimits::default(),
            streams: Streams::default(),
            transport: Transport::default(),
            web: Web::default(),
        }
    }
}

/// Why a configuration is refused.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file could not be read.
    #[error("cannot read the configuration {}", .path.display())]
    Read {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: io::Error,
    },
    /// The text is no configuration; the source names line and key.
    #[error("cannot be read as settings")]
    Malformed(#[source] toml::de::Error),
    /// What is in the file is refused.
    #[error("the configuration {}", .path.display())]
    InFile {
        /// Which file.
        path: PathBuf,
        /// Why.
        #[source]
        source: Box<ConfigError>,
    },
    /// The address could be reached from elsewhere.
    #[error(
        "listen = \"{listen}\" is not a loopback address: callers are not authenticated yet, so that \
         anyone who reaches the server could act as the operator; use 127.0.0.1 or [::1]"
    )]
    NotLoopback {
        /// Which address.
        listen: SocketAddr,
    },
    /// The address for metrics and health could be reached from elsewhere.
    #[error(
        "http.listen = \"{listen}\" is not a loopback address: metrics are open to whoever reaches them; use \
         127.0.0.1 or [::1], or \"off\""
    )]
    HttpNotLoopback {
        /// Which address.
        listen: SocketAddr,
    },
    /// Pages cannot be let in by this name.
    #[error(
        "web.allowed_origins: {origin:?} {problem}; write the origins of the pages that may call, such as \
         \"https://registrar.example\""
    )]
    NotAnOrigin {
        /// What is written.
        origin: String,
        /// What is wrong with it.
        problem: &'static str,
    },
    /// A number is out of its bounds.
    #[error("{key} = {value} is out of bounds: from {min} to {max}")]
    OutOfBounds {
        /// Which setting.
        key: &'static str,
        /// What it is.
        value: u64,
        /// Least.
        min: u64,
        /// Most.
        max: u64,
    },
}

impl Config {
    /// Reads and checks a file.
    ///
    /// # Errors
    /// [`ConfigError`], naming the file and the key.
    pub fn load(path: &Path) -> Result<Self, ConfigError> {
        let read = |source| ConfigError::Read {
            path: path.to_path_buf(),
            source,
        };
        let bytes = durable::read_file(&durable::OsFs, path).map_err(read)?;
        let utf8 = |error| read(io::Error::new(io::ErrorKind::InvalidData, error));
        let text = String::from_utf8(bytes).map_err(utf8)?;
        Self::parse(&text).map_err(|refused| ConfigError::InFile {
            path: path.to_path_buf(),
            source: Box::new(refused),
        })
    }

    /// Reads and checks a text; what it leaves out keeps its default.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn parse(text: &str) -> Result<Self, ConfigError> {
        let config: Config = toml::from_str(text).map_err(ConfigError::Malformed)?;
        config.check()?;
        Ok(config)
    }

    /// Checks what types alone do not say.
    ///
    /// # Errors
    /// [`ConfigError`], naming the key.
    pub fn check(&self) -> Result<(), ConfigError> {
        if !self.listen.ip().is_loopback() {
            return Err(ConfigError::NotLoopback {
                listen: self.listen,
            });
        }
        self.http.check()?;
        self.storage.check()?;
        self.writer.check()?;
        self.limits.check()?;
        self.streams.check()?;
        self.transport.check()?;
        self.web.check()
    }

    /// The limits that services know.
    #[must_use]
    pub fn limits(&self) -> Limits {
        Limits {
            message_bytes_max: self.limits.message_bytes_max,
            batch_records_max: self.limits.batch_records_max,
            achievement_body_bytes_max: self.limits.achievement_body_bytes_max,
        }
    }

    /// The limits of streams.
    #[must_use]
    pub fn stream_limits(&self) -> StreamLimits {
        StreamLimits {
            open_max: self.streams.open_max,
            chunk_bytes: self.streams.chunk_bytes,
            ahead_records_max: self.streams.ahead_records_max,
            ahead_bytes_max: self.streams.ahead_bytes_max,
            together_bytes_max: self.writer.group_bytes_max,
        }
    }

    /// How long requests have to finish when the server stops.
    #[must_use]
    pub fn stop_timeout(&self) -> Duration {
        Duration::from_millis(self.transport.stop_timeout_ms)
    }

    /// The configuration as a commented file.
    #[must_use]
    pub fn to_toml(&self) -> String {
        let listen = self.listen;
        let data_dir = quoted(&self.data_dir.to_string_lossy());
        let log_level = quoted(&self.log_level);
        let log_format = self.log_format.word();
        let head = format!(
            r#"# Configuration of the credit bank's server. What is left out keeps the value shown here.

# Address and port. Loopback only (127.0.0.1 or [::1]) until callers prove who they are; port 0 takes any
# free one.
listen = "{listen}"
# Directory of the ledger; relative to where the server is started. Made when there is none.
data_dir = {data_dir}
# error, warn, info, debug or trace, also for parts: "info,creditbank_server=debug".
log_level = {log_level}
# text for people, json for programs: one object a line.
log_format = "{log_format}"
"#
        );
        let sections = [
            self.http.to_toml(),
            self.storage.to_toml(),
            self.writer.to_toml(),
            self.limits.to_toml(),
            self.streams.to_toml(),
            self.transport.to_toml(),
            self.web.to_toml(),
        ];
        head + &sections.concat()
    }
}

fn quoted(text: &str) -> String {
    toml::Value::String(text.to_owned()).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(text: &str) -> String {
        let error = Config::parse(text).unwrap_err();
        crate::causes::chain(&error)
    }

    #[test]
    fn what_is_printed_reads_back() {
        let default = Config::default();
        assert_eq!(Config::parse(&default.to_toml()).unwrap(), default);
        assert_eq!(Config::parse("").unwrap(), default);
        let mut other = default;
        other.listen = "[::1]:0".parse().unwrap();
        other.data_dir = PathBuf::from("/srv/credit \"bank\"");
        other.log_level = "warn".to_owned();
        other.log_format = LogFormat::Json;
        other.http = Http::off();
        other.storage.segment_bytes = 1 << 20;
        other.writer.state_facts_max = 5_000;
        other.limits.batch_records_max = 10;
        other.streams.open_max = 7;
        other.transport.stop_timeout_ms = 0;
        other.web.allowed_origins = vec!["https://registrar.example".to_owned()];
        assert_eq!(Config::parse(&other.to_toml()).unwrap(), other);
    }

    #[test]
    fn an_unknown_key_is_named() {
        assert!(refused("lisen = \"127.0.0.1:1\"").contains("`lisen`"));
        assert!(refused("[storage]\nsegment = 1").contains("`segment`"));
        assert!(refused("[limits]\ntimeout_ms = \"long\"").contains("timeout_ms"));
    }

    #[test]
    fn other_hosts_are_kept_out() {
        for listen in [
            "0.0.0.0:7410",
            "192.168.1.5:7410",
            "[::]:7410",
            "[::ffff:127.0.0.1]:1",
        ] {
            for section in ["", "[http]\n"] {
                let said = refused(&format!("{section}listen = \"{listen}\""));
                assert!(said.contains("not a loopback address"), "{said}");
            }
        }
    }

    #[test]
    fn numbers_out_of_bounds_are_named() {
        let said = refused("[limits]\nbatch_records_max = 1001");
        assert_eq!(
            said,
            "limits.batch_records_max = 1001 is out of bounds: from 1 to 1000"
        );
        assert!(refused("[limits]\nmessage_bytes_max = 8388608").contains("4194304"));
    }

    #[test]
    fn the_port_for_metrics_may_be_off() {
        for none in ["", "off"] {
            let config = Config::parse(&format!("[http]\nlisten = \"{none}\"")).unwrap();
            assert_eq!(config.http.listen, None);
        }
        let said = refused("[http]\nlisten = \"localhost\"");
        assert!(said.contains("no address and port"), "{said}");
        assert!(refused("log_format = \"xml\"").contains("log_format"));
    }

    #[test]
    fn a_file_with_a_mistake_is_named() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("creditbank.toml");
        for text in ["lisen = 1", "[limits]\nbatch_records_max = 0"] {
            std::fs::write(&path, text).unwrap();
            let said = crate::causes::chain(&Config::load(&path).unwrap_err());
            assert!(said.contains(path.to_str().unwrap()), "{said}");
        }
    }

    #[test]
    fn a_missing_file_is_named() {
        let error = Config::load(Path::new("/nowhere/creditbank.toml")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "cannot read the configuration /nowhere/creditbank.toml"
        );
    }
}
