//! `learner`: accounts, student numbers, and who is who.
//!
//! Apart from `account`, which only asks what an account holds: these change whose a record is.

use std::io::{BufRead, IsTerminal};
use std::path::Path;
use std::process::ExitCode;

use api::v1;

use crate::args::value::Identity;
use crate::args::{
    Erase, Global, LearnerCommand, LearnerId, ProfileArgs, RegisterLearners, Scope, ShowLearner,
};
use crate::bulk::{LineResult, each_line};
use crate::error::{Failure, REFUSED};
use crate::table::facts;
use crate::wire::{AccountChange, FromWire, Learner, RegisterLearner, ToWire};
use crate::{output, pending};
use client::Client;

/// Runs `learner`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn run(global: &Global, command: &LearnerCommand) -> Result<ExitCode, Failure> {
    let identity = global.identity.clone().unwrap_or(Identity::Operator);
    if let LearnerCommand::Erase(args) = command {
        confirm_erasure(args)?;
    }
    if let LearnerCommand::Register(args) = command {
        somebody(args)?;
    }
    let client = Client::connect(&global.server, &identity).await?;
    let change = match command {
        LearnerCommand::Register(args) => match &args.file {
            Some(path) => return register_file(global, &client, path).await,
            None => register(&client, args).await?,
        },
        LearnerCommand::Update(args) => update(&client, &args.learner, &args.profile).await?,
        LearnerCommand::Link(args) => {
            link(&client, args.learner.reference(), args.number.clone()).await?
        }
        LearnerCommand::Unlink(args) => {
            let request = v1::UnlinkIdentityRequest {
                student: Some(args.number.clone()),
            };
            client.call(request).await?.change
        }
        LearnerCommand::Show(args) => return show(global, &client, args).await,
        LearnerCommand::Pending(args) => return pending::list(global, &client, args).await,
        LearnerCommand::Bind(args) => pending::bind(&client, args).await?,
        LearnerCommand::Merge(args) => merge(&client, &args.from, &args.into, &args.reason).await?,
        LearnerCommand::Separate(args) => {
            let request = v1::SeparateLearnersRequest {
                from_handle: args.from.clone(),
                reason: args.reason.clone(),
            };
            client.call(request).await?.change
        }
        LearnerCommand::Erase(args) => return erase(global, &client, args).await,
    };
    show_change(global, change)?;
    Ok(ExitCode::SUCCESS)
}

/// Refuses to open an account by a slip of the finger.
fn somebody(args: &RegisterLearners) -> Result<(), Failure> {
    let mut profile = v1::LearnerProfile::default();
    let said = apply(&mut profile, &args.profile) || !args.students.is_empty();
    if said || args.bare || args.file.is_some() {
        return Ok(());
    }
    Err(Failure::Usage(
        "say who it is, with --name, --document, --student or a FILE; --bare opens an account without \
         any of them"
            .to_owned(),
    ))
}

async fn register(
    client: &Client,
    args: &RegisterLearners,
) -> Result<Option<v1::AccountChange>, Failure> {
    let mut profile = v1::LearnerProfile::default();
    let given = apply(&mut profile, &args.profile);
    let request = v1::RegisterLearnerRequest {
        profile: given.then_some(profile),
        students: args.students.clone(),
        request_id: args.request_id.clone().unwrap_or_default(),
    };
    Ok(client.call(request).await?.change)
}

/// Registers a learner a line.
async fn register_file(global: &Global, client: &Client, path: &Path) -> Result<ExitCode, Failure> {
    let call = |client: Client, learner: RegisterLearner| async move {
        let request: v1::RegisterLearnerRequest = learner.to_wire();
        Ok(client.call(request).await?.change)
    };
    let mut bad: u64 = 0;
    let lines = each_line(path, client, |line: &RegisterLearner| &line.request_id, call, |progress, line, result| {
        let (value, text) = match result {
            LineResult::Answer(change) => {
                let change = AccountChange::from_wire(change.unwrap_or_default());
                let state = if change.already_so { "already_registered" } else { "registered" };
                let text = format!("{line:>6}  {state:<18}  {}", change.learner_handle);
                (serde_json::json!({ "line": line, "state": state, "learner_handle": change.learner_handle,
                    "revision": change.revision }), text)
            }
            LineResult::Refused(refusal) => {
                bad += 1;
                let text = format!("{line:>6}  rejected            {}: {}", refusal.reason, refusal.message);
                (serde_json::json!({ "line": line, "state": "rejected", "reason": refusal.reason,
                    "message": refusal.message }), text)
            }
            LineResult::Unreadable(problem) => {
                bad += 1;
                (serde_json::json!({ "line": line, "state": "unreadable", "reason": "UNREADABLE",
                    "column": problem.column, "message": problem.message }),
                 format!("{line:>6}  unreadable          {problem}"))
            }
        };
        progress.line(&if global.json { value.to_string() } else { text })
    })
    .await?;
    output::note(&format!(
        "{lines} lines: {} registered, {bad} not",
        lines - bad
    ));
    Ok(ExitCode::from(if bad > 0 { REFUSED } else { 0 }))
}

/// Puts what was given in place of what is there; says whether anything was.
fn apply(profile: &mut v1::LearnerProfile, given: &ProfileArgs) -> bool {
    if !given.names.is_empty() {
        profile.names.clone_from(&given.names);
    }
    if !given.documents.is_empty() {
        profile.documents.clone_from(&given.documents);
    }
    if let Some(date) = &given.birth_date {
        profile.birth_date.clone_from(date);
    }
    if let Some(region) = &given.region {
        profile.region.clone_from(region);
    }
    *profile != v1::LearnerProfile::default()
}

/// Reads, changes and sends back, naming the revision read: what changed in between is not overwritten.
async fn update(
    client: &Client,
    id: &LearnerId,
    given: &ProfileArgs,
) -> Result<Option<v1::AccountChange>, Failure> {
    let request = v1::GetLearnerRequest {
        learner: id.reference(),
        ..Default::default()
    };
    let found = client.call(request).await?;
    let mut profile = found.profile.unwrap_or_default();
    apply(&mut profile, given);
    let request = v1::UpdateLearnerRequest {
        learner: id.reference(),
        profile: Some(profile),
        expected_revision: Some(found.revision),
    };
    Ok(client.call(request).await?.change)
}

/// Links a student number.
pub(crate) async fn link(
    client: &Client,
    learner: Option<v1::LearnerReference>,
    student: v1::StudentNumber,
) -> Result<Option<v1::AccountChange>, Failure> {
    let request = v1::LinkIdentityRequest {
        learner,
        student: Some(student),
    };
    Ok(client.call(request).await?.change)
}

/// Merges one account into another.
pub(crate) async fn merge(
    client: &Client,
    from: &str,
    into: &str,
    reason: &str,
) -> Result<Option<v1::AccountChange>, Failure> {
    let request = v1::MergeLearnersRequest {
        from_handle: from.to_owned(),
        into_handle: into.to_owned(),
        reason: reason.to_owned(),
        expected_revision: None,
    };
    Ok(client.call(request).await?.change)
}

async fn show(global: &Global, client: &Client, args: &ShowLearner) -> Result<ExitCode, Failure> {
    let request = v1::GetLearnerRequest {
        learner: args.learner.reference(),
        as_of: args.at.as_of(),
    };
    let learner = client.call(request).await?;
    let learner = Learner::from_wire(learner);
    if global.json {
        output::json(&learner)?;
    } else {
        output::line(&learner_text(&learner))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn learner_text(learner: &Learner) -> String {
    let profile = learner.profile.clone().unwrap_or_default();
    let names: Vec<&str> = profile
        .names
        .iter()
        .map(|name| name.value.as_str())
        .collect();
    let documents: Vec<String> = profile
        .documents
        .iter()
        .map(|document| format!("{} {}", document.kind, document.number))
        .collect();
    let students: Vec<String> = learner
        .students
        .iter()
        .map(|student| format!("{}:{}", student.institution_id, student.number))
        .collect();
    let provisional = "provisional: bind it with `creditbank learner bind`";
    facts(&[
        ("learner", learner.learner_handle.clone()),
        (
            "state",
            if learner.provisional {
                provisional.to_owned()
            } else {
                String::new()
            },
        ),
        ("names", names.join(" / ")),
        ("documents", documents.join(", ")),
        ("birth date", profile.birth_date),
        ("region", profile.region),
        ("numbers", students.join("\n            ")),
        ("revision", learner.revision.to_string()),
    ])
}

/// Asks before what cannot be undone.
fn confirm_erasure(args: &Erase) -> Result<(), Failure> {
    if args.yes {
        return Ok(());
    }
    let input = std::io::stdin();
    if !input.is_terminal() {
        return Err(Failure::Usage(
            "an erasure cannot be undone; add --yes to go ahead".to_owned(),
        ));
    }
    let (what, stays) = match args.scope {
        Scope::Identity => (
            "the identity",
            " What issuers wrote and signed stays (see --help).",
        ),
        Scope::All => ("everything", ""),
    };
    output::note(&format!(
        "Erase {what} of {}? It cannot be undone.{stays} Type yes:",
        args.handle
    ));
    let mut answer = String::new();
    let read = input.lock().read_line(&mut answer);
    if read.is_ok() && answer.trim() == "yes" {
        return Ok(());
    }
    Err(Failure::Usage("nothing was erased".to_owned()))
}

async fn erase(global: &Global, client: &Client, args: &Erase) -> Result<ExitCode, Failure> {
    let scope = match args.scope {
        Scope::Identity => v1::ErasureScope::Identity,
        Scope::All => v1::ErasureScope::All,
    };
    let request = v1::EraseLearnerRequest {
        learner_handle: args.handle.clone(),
        scope: i32::from(scope),
    };
    let answer = client.call(request).await?;
    let change = AccountChange::from_wire(answer.change.unwrap_or_default());
    if global.json {
        output::json(
            &serde_json::json!({ "change": change, "erased_count": answer.erased_count }),
        )?;
    } else {
        let count = answer.erased_count;
        output::line(&format!(
            "{}\nerased    the content of {count} records",
            change_text(&change)
        ))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn show_change(global: &Global, change: Option<v1::AccountChange>) -> Result<(), Failure> {
    let change = AccountChange::from_wire(change.unwrap_or_default());
    if global.json {
        return output::json(&change);
    }
    output::line(&change_text(&change))
}

fn change_text(change: &AccountChange) -> String {
    let positions: Vec<String> = change
        .receipts
        .iter()
        .map(|receipt| receipt.position.to_string())
        .collect();
    let note = if change.already_so {
        "it was so already; nothing changed"
    } else {
        ""
    };
    facts(&[
        ("learner", change.learner_handle.clone()),
        (
            "records",
            if positions.is_empty() {
                String::new()
            } else {
                format!("position {}", positions.join(", "))
            },
        ),
        ("revision", change.revision.to_string()),
        ("note", note.to_owned()),
    ])
}
