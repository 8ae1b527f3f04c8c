//! The settings of whoever watches over the server: the HTTP port and the form of the log.
//!
//! Apart from the other sections because an address may be "off" here, and a form is a word.

use std::net::{Ipv4Addr, SocketAddr};

use serde::de::Error as _;
use serde::{Deserialize, Deserializer};

use super::ConfigError;

/// The form of the log.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// Lines for people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

impl LogFormat {
    /// As it is written.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Text => "text",
            Self::Json => "json",
        }
    }
}

/// The port for metrics and health.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Http {
    /// Where it listens; `None` when it does not.
    #[serde(deserialize_with = "address_or_off")]
    pub listen: Option<SocketAddr>,
    /// Records that the views may be behind while the server calls itself ready.
    pub ready_views_lag_max: u64,
}

impl Default for Http {
    fn default() -> Self {
        Http {
            listen: Some(SocketAddr::from((Ipv4Addr::LOCALHOST, 7411))),
            ready_views_lag_max: 100_000,
        }
    }
}

impl Http {
    /// No port.
    #[must_use]
    pub fn off() -> Self {
        Http {
            listen: None,
            ..Http::default()
        }
    }

    /// Reads an address and port, or a word for none.
    ///
    /// # Errors
    /// A sentence that says what may be written.
    pub fn address(text: &str) -> Result<Option<SocketAddr>, String> {
        if matches!(text, "" | "off") {
            return Ok(None);
        }
        text.parse().map(Some).map_err(|_| {
            format!(
                "{text:?} is no address and port, such as 127.0.0.1:7411, and not \"off\" either"
            )
        })
    }

    pub(super) fn check(&self) -> Result<(), ConfigError> {
        match self.listen {
            Some(listen) if !listen.ip().is_loopback() => {
                Err(ConfigError::HttpNotLoopback { listen })
            }
            _ => Ok(()),
        }
    }

    pub(super) fn to_toml(&self) -> String {
        let listen = self
            .listen
            .map_or_else(|| "off".to_owned(), |listen| listen.to_string());
        let ready_views_lag_max = self.ready_views_lag_max;
        format!(
            r#"
[http]
# Address and port of /metrics, /healthz and /readyz, loopback only as yet; port 0 takes any free one, and
# "off" none.
listen = "{listen}"
# Records that the views may be behind while /readyz says that the server is ready.
ready_views_lag_max = {ready_views_lag_max}
"#
        )
    }
}

fn address_or_off<'de, D: Deserializer<'de>>(text: D) -> Result<Option<SocketAddr>, D::Error> {
    let text = String::deserialize(text)?;
    Http::address(&text).map_err(D::Error::custom)
}
