//! `log follow`: leaves of the log as they come, for auditors.
//!
//! Apart from `judge`, which checks a log on disk: this asks a server, and trusts it as far as the chain
//! hashes that it prints can be compared.

use std::process::ExitCode;

use api::v1;
use api::v1::subscribe_response::Content;
use chain::Leaf;
use client::Client;
use serde_json::json;
use tonic::{Response, Status, Streaming};

use crate::args::value::{Identity, event_kind_word};
use crate::args::{FollowArgs, Global, LogCommand};
use crate::error::Failure;
use crate::following::{Follow, HEARTBEAT_SECONDS, Then, follow};
use crate::wire::{FromWire, Hex};
use crate::{host, output};

/// Runs `log`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn run(global: &Global, command: &LogCommand) -> Result<ExitCode, Failure> {
    let LogCommand::Follow(args) = command;
    if args.bodies && !global.json {
        let sentence = "--bodies needs --json: salts and bodies are bytes, for programs";
        return Err(Failure::Usage(sentence.to_owned()));
    }
    let identity = global.identity.clone().unwrap_or(Identity::Auditor);
    let mut followed = Followed {
        client: Client::connect(&global.server, &identity).await?,
        filter: filter(args),
        next: args.from,
        bodies: args.bodies,
        until_head: args.until_head,
        as_json: global.json,
        is_caught_up: false,
    };
    tokio::select! {
        told = host::told_to_stop() => told?,
        ended = follow(&mut followed) => ended?,
    }
    if !followed.as_json {
        output::note(&format!("to go on from here: --from {}", followed.next));
    }
    Ok(ExitCode::SUCCESS)
}

fn filter(args: &FollowArgs) -> v1::SubscribeFilter {
    v1::SubscribeFilter {
        kinds: args.kinds.clone(),
        issuer_ids: args.institutions.clone(),
        learner_handles: args.learners.clone(),
    }
}

/// A log that is followed.
struct Followed {
    client: Client,
    filter: v1::SubscribeFilter,
    /// Everything below has been printed or filtered out.
    next: u64,
    bodies: bool,
    until_head: bool,
    as_json: bool,
    is_caught_up: bool,
}

impl Follow for Followed {
    type Answer = v1::SubscribeResponse;

    async fn open(&self) -> Result<Response<Streaming<Self::Answer>>, Status> {
        let request = v1::SubscribeRequest {
            from_position: self.next,
            filter: Some(self.filter.clone()),
            include_bodies: self.bodies,
            heartbeat_seconds: HEARTBEAT_SECONDS,
        };
        self.client.audit().subscribe(request).await
    }

    fn take(&mut self, answer: v1::SubscribeResponse) -> Result<Then, Failure> {
        match answer.content {
            Some(Content::Records(some)) => {
                for record in some.records {
                    let position = record.position;
                    self.print(record)?;
                    // Also when the output ends in the middle of an answer.
                    self.next = position + 1;
                }
            }
            Some(Content::CaughtUp(_)) if self.until_head => {
                self.next = answer.next_position;
                return Ok(Then::Stop);
            }
            Some(Content::CaughtUp(caught_up)) if !self.is_caught_up => {
                self.is_caught_up = true;
                if !self.as_json {
                    let size = caught_up.size;
                    output::note(&format!(
                        "that is all of {size} records; more is printed as it comes, Ctrl-C stops"
                    ));
                }
            }
            _ => {}
        }
        self.next = answer.next_position;
        Ok(Then::ReadOn)
    }
}

impl Followed {
    fn print(&self, record: v1::RawRecord) -> Result<(), Failure> {
        let leaf = Leaf::decode(&record.leaf).map_err(|error| {
            let position = record.position;
            Failure::Unexpected(format!(
                "the leaf of position {position} does not read: {error}"
            ))
        })?;
        match self.as_json {
            true => output::json(&object(record, &leaf)),
            false => output::line(&line(&record, &leaf)),
        }
    }
}

/// A record for programs.
fn object(record: v1::RawRecord, leaf: &Leaf) -> serde_json::Value {
    let chain_hash = chain::chain_hash(&record.leaf).0.to_vec();
    let mut object = json!({
        "position": record.position,
        "recorded_time": time(leaf),
        "kind": event_kind_word(leaf.kind),
        "issuer_id": leaf.issuer.as_str(),
        "submitter_id": leaf.submitter.as_str(),
        "learner_handle": leaf.learner.map(|link| Hex::from_wire(link.handle.0.to_vec())),
        "revision": leaf.learner.map(|link| link.revision),
        "erased": record.erased,
        "chain_hash": Hex::from_wire(chain_hash),
        "leaf": Hex::from_wire(record.leaf),
    });
    if !record.body.is_empty() {
        object["salt"] = json!(Hex::from_wire(record.salt));
        object["body"] = json!(Hex::from_wire(record.body));
    }
    object
}

/// A record for people.
fn line(record: &v1::RawRecord, leaf: &Leaf) -> String {
    let kind = event_kind_word(leaf.kind);
    let issuer = match leaf.issuer.as_str() {
        "" => "operator",
        id => id,
    };
    let learner = leaf.learner.map_or_else(String::new, |link| {
        let handle = Hex::from_wire(link.handle.0.to_vec());
        format!("{}:{}", handle.as_str(), link.revision)
    });
    let erased = if record.erased { "erased" } else { "" };
    let (position, time) = (record.position, time(leaf));
    let line = format!("{position:>10}  {time}  {kind:<24} {issuer:<20} {learner} {erased}");
    line.trim_end().to_owned()
}

/// When it was recorded, in RFC 3339 to the second.
fn time(leaf: &Leaf) -> String {
    let seconds = i64::try_from(leaf.recorded_at.0 / 1_000_000).unwrap_or(i64::MAX);
    let micros = i32::try_from(leaf.recorded_at.0 % 1_000_000).unwrap_or_default();
    prost_types::Timestamp {
        seconds,
        nanos: micros * 1_000,
    }
    .to_string()
}
