//! What a check found, and what to do about it, for people and for programs.
//!
//! Apart from the checks so that all of them speak alike.

use serde::Serialize;

use crate::error::Failure;
use crate::output;

/// How serious it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "lowercase")]
pub(super) enum State {
    /// As it should be.
    Ok,
    /// Somebody should look at it.
    Warning,
    /// Something is wrong.
    Problem,
}

/// One check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Check {
    pub(super) name: &'static str,
    pub(super) state: State,
    pub(super) found: String,
    /// What to do; nothing when all is well.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(super) advice: Option<String>,
}

impl Check {
    /// As it should be.
    pub(super) fn ok(name: &'static str, found: impl Into<String>) -> Self {
        Check {
            name,
            state: State::Ok,
            found: found.into(),
            advice: None,
        }
    }

    /// Somebody should look at it.
    pub(super) fn warning(
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Check {
            state: State::Warning,
            advice: Some(advice.into()),
            ..Self::ok(name, found)
        }
    }

    /// Something is wrong.
    pub(super) fn problem(
        name: &'static str,
        found: impl Into<String>,
        advice: impl Into<String>,
    ) -> Self {
        Check {
            state: State::Problem,
            ..Self::warning(name, found, advice)
        }
    }
}

/// All checks, as a program reads them.
#[derive(Debug, Serialize)]
struct Report<'a> {
    state: State,
    checks: &'a [Check],
}

/// The most serious state of all.
pub(super) fn worst(checks: &[Check]) -> State {
    let states = checks.iter().map(|check| check.state);
    states.max().unwrap_or(State::Ok)
}

/// Prints all checks.
pub(super) fn print(checks: &[Check], json: bool) -> Result<(), Failure> {
    if json {
        let state = worst(checks);
        return output::json(&Report { state, checks });
    }
    output::line(&text(checks))
}

fn text(checks: &[Check]) -> String {
    let mut lines = Vec::new();
    for check in checks {
        let state = match check.state {
            State::Ok => "ok",
            State::Warning => "warning",
            State::Problem => "PROBLEM",
        };
        lines.push(format!("{state:<8} {:<12} {}", check.name, check.found));
        if let Some(advice) = &check.advice {
            lines.push(format!("{:<21} -> {advice}", ""));
        }
    }
    lines.push(String::new());
    let count = |state| checks.iter().filter(|check| check.state == state).count();
    let named = |n: usize, one: &str| match n {
        0 => None,
        1 => Some(format!("1 {one}")),
        n => Some(format!("{n} {one}s")),
    };
    let problems = named(count(State::Problem), "problem");
    let warnings = named(count(State::Warning), "warning");
    let found: Vec<String> = [problems, warnings].into_iter().flatten().collect();
    lines.push(match found.is_empty() {
        true => "all is well".to_owned(),
        false => found.join(", "),
    });
    lines.join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_found_reads_with_its_advice() {
        let checks = [
            Check::ok("log", "whole"),
            Check::warning("disk", "almost full", "make room"),
            Check::warning("sync", "slow", "look at the disk"),
        ];
        let said = "ok       log          whole\n\
                    warning  disk         almost full\n                      -> make room\n\
                    warning  sync         slow\n                      -> look at the disk\n\n\
                    2 warnings";
        assert_eq!(text(&checks), said);
        assert_eq!(worst(&checks), State::Warning);
        let well = text(&checks[..1]);
        assert!(well.ends_with("\n\nall is well"), "{well}");
        let bad = [Check::problem("log", "cut", "verify")];
        assert!(text(&bad).ends_with("\n\n1 problem"));
        assert_eq!(worst(&[]), State::Ok);
    }
}
