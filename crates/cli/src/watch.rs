//! `watch`: entries of a statement as they come.
//!
//! Apart from `account`, whose answers end.

use std::process::ExitCode;

use api::v1;
use api::v1::watch_response::Content;
use client::Client;
use serde_json::json;
use tonic::{Response, Status, Streaming};

use crate::account::{asking, what};
use crate::args::{Global, WatchArgs};
use crate::error::Failure;
use crate::following::{Follow, HEARTBEAT_SECONDS, Then, follow};
use crate::table::Reader;
use crate::wire::{Entry, FromWire};
use crate::{host, output};

/// Runs `watch`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn run(global: &Global, args: &WatchArgs) -> Result<ExitCode, Failure> {
    let learner = args.whose.reference();
    let identity = asking(global, learner.is_some())?;
    let mut watched = Watched {
        client: Client::connect(&global.server, &identity).await?,
        learner,
        from: args.from,
        token: args.resume.clone().unwrap_or_default(),
        handle: String::new(),
        is_caught_up: false,
        as_json: global.json,
        reader: Reader::new(global.language.as_deref()),
    };
    tokio::select! {
        told = host::told_to_stop() => told?,
        ended = follow(&mut watched) => ended?,
    }
    if !watched.as_json && !watched.token.is_empty() {
        output::note(&format!("to go on from here: --resume {}", watched.token));
    }
    Ok(ExitCode::SUCCESS)
}

/// An account that is watched.
struct Watched {
    client: Client,
    learner: Option<v1::LearnerReference>,
    from: u64,
    /// Goes on after what has been printed; empty before anything was.
    token: String,
    handle: String,
    is_caught_up: bool,
    as_json: bool,
    reader: Reader,
}

impl Follow for Watched {
    type Answer = v1::WatchResponse;

    async fn open(&self) -> Result<Response<Streaming<Self::Answer>>, Status> {
        let request = v1::WatchRequest {
            learner: self.learner.clone(),
            from_position: if self.token.is_empty() { self.from } else { 0 },
            heartbeat_seconds: HEARTBEAT_SECONDS,
            resume_token: self.token.clone(),
        };
        self.client.accounts().watch(request).await
    }

    fn take(&mut self, answer: v1::WatchResponse) -> Result<Then, Failure> {
        self.name(answer.learner_handle);
        match answer.content {
            Some(Content::Entries(some)) => {
                let entries = Vec::<Entry>::from_wire(some.entries);
                self.print(&entries, &answer.resume_token)?;
            }
            Some(Content::CaughtUp(caught_up)) if !self.is_caught_up => {
                self.is_caught_up = true;
                if !self.as_json {
                    let size = caught_up.size;
                    output::note(&format!(
                        "that is all, in a ledger of {size} records; more is printed as it comes, \
                         Ctrl-C stops"
                    ));
                }
            }
            _ => {}
        }
        self.token = answer.resume_token;
        Ok(Then::ReadOn)
    }
}

impl Watched {
    /// Says whose account it is, and when a merge has led to another one.
    fn name(&mut self, handle: String) {
        if self.handle == handle {
            return;
        }
        if !self.as_json {
            let said = match self.handle.is_empty() {
                true => format!("the account of {handle}"),
                false => format!(
                    "from here on the account of {handle}: accounts were merged or separated"
                ),
            };
            output::note(&said);
        }
        self.handle = handle;
    }

    fn print(&self, entries: &[Entry], resume_token: &str) -> Result<(), Failure> {
        if self.as_json {
            return output::json(&json!({
                "learner_handle": self.handle,
                "entries": entries,
                "resume_token": resume_token,
            }));
        }
        for entry in entries {
            output::line(&line(entry, &self.reader))?;
        }
        Ok(())
    }
}

/// An entry on one line: the columns of a statement, as wide as most values are.
fn line(entry: &Entry, reader: &Reader) -> String {
    let position = match entry.position {
        0 => String::new(),
        position => position.to_string(),
    };
    let amount = match (entry.amount_in.as_str(), entry.amount_out.as_str()) {
        ("", "") => String::new(),
        (into, "") => format!("+{into}"),
        ("", out) => format!("-{out}"),
        (into, out) => format!("-{out} +{into}"),
    };
    let day: String = entry.recorded_time.as_str().chars().take(10).collect();
    let (kind, balance, unit) = (entry.kind.to_string(), &entry.balance, &entry.unit);
    let what = what(entry, reader);
    let line =
        format!("{position:>10}  {day}  {kind:<11} {amount:>10} {balance:>10} {unit:<8} {what}");
    line.trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_entry_is_a_line() {
        let wire = v1::StatementEntry {
            position: 4711,
            kind: v1::EntryKind::Recorded.into(),
            code: "ST210".to_owned(),
            unit: "ects".to_owned(),
            amount_in: "6".to_owned(),
            balance: "18.5".to_owned(),
            ..v1::StatementEntry::default()
        };
        let expired = v1::StatementEntry {
            position: 0,
            kind: v1::EntryKind::Expired.into(),
            amount_in: String::new(),
            amount_out: "6".to_owned(),
            note: "valid until 2026-03-01".to_owned(),
            ..wire.clone()
        };
        let line = |it| format!("|{}\n", line(&Entry::from_wire(it), &Reader::new(None)));
        let shown = [wire, expired].map(line);
        expect_test::expect![[r#"
            |      4711    recorded            +6       18.5 ects     ST210
            |              expired             -6       18.5 ects     ST210: valid until 2026-03-01
        "#]]
        .assert_eq(&shown.concat());
    }
}
