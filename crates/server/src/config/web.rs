//! The section about browsers: which pages may call, by gRPC-Web.
//!
//! Apart from the other sections because it holds names instead of numbers, and says why `*` is none.

use serde::Deserialize;

use super::{ConfigError, quoted};

/// Browsers.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Web {
    /// Origins of the pages that may call.
    pub allowed_origins: Vec<String>,
}

impl Web {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        for origin in &self.allowed_origins {
            if let Some(problem) = problem(origin) {
                return Err(ConfigError::NotAnOrigin {
                    origin: origin.clone(),
                    problem,
                });
            }
        }
        Ok(())
    }

    pub(super) fn to_toml(&self) -> String {
        let origins: Vec<String> = self.allowed_origins.iter().map(|o| quoted(o)).collect();
        let origins = origins.join(", ");
        format!(
            r#"
[web]
# Origins of the pages that may call by gRPC-Web, such as "https://registrar.example". With none, every call
# that a browser makes for a page is refused; other programs may speak gRPC-Web all the same. There is no
# "*": callers prove nothing yet, so any page that a person opens on this machine could act as the operator.
allowed_origins = [{origins}]
"#
        )
    }
}

/// What is wrong with an origin (RFC 6454: scheme, host, port and nothing else, as browsers write it).
fn problem(origin: &str) -> Option<&'static str> {
    if origin.contains('*') {
        return Some("would let in pages that nobody has named");
    }
    let rest = ["https://", "http://"]
        .iter()
        .find_map(|scheme| origin.strip_prefix(scheme));
    let Some(rest) = rest else {
        return Some("does not begin with https:// or http://");
    };
    let allowed = |byte: u8| byte.is_ascii_graphic() && !b"/?#@\\\"".contains(&byte);
    if rest.is_empty() || !rest.bytes().all(allowed) {
        return Some("is more or less than scheme, host and port");
    }
    if origin.bytes().any(|byte| byte.is_ascii_uppercase()) {
        return Some("has capitals, which browsers do not send");
    }
    let default_port = if origin.starts_with("https:") {
        ":443"
    } else {
        ":80"
    };
    if rest.ends_with(':') || rest.ends_with(default_port) {
        return Some("ends in a port that browsers do not send");
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_write_it() {
        for good in [
            "https://registrar.example",
            "http://localhost:5173",
            "http://[::1]:8080",
        ] {
            assert_eq!(problem(good), None, "{good}");
        }
        for bad in [
            "*",
            "https://*.example",
            "null",
            "",
            "registrar.example",
            "https://",
            "https://registrar.example/",
            "https://a@b",
            "https://Registrar.example",
            "https://registrar.example:443",
            "http://registrar.example:",
            "http://a b",
        ] {
            assert!(problem(bad).is_some(), "{bad}");
        }
    }
}
