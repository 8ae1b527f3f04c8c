//! Pending accounts: records whose learner nobody knows yet, and how they find one.
//!
//! Apart from the other changes to accounts because this is the most common trouble of a credit bank,
//! and must be easy to see and to settle.

use std::process::ExitCode;

use api::v1;
use api::v1::learner_reference::Reference;

use crate::args::{Bind, Global, PendingArgs};
use crate::error::Failure;
use crate::learner::{link, merge};
use crate::output;
use crate::table::Rows;
use crate::wire::{Candidate, DocumentIdentity, FromWire, LearnerReference, Pending};
use client::Client;

/// Accounts asked for at a time.
const PAGE_SIZE: u32 = 1000;

/// Settles a pending account: an unlinked number is linked, which also serves later records; any other
/// reference is merged.
pub(crate) async fn bind(
    client: &Client,
    args: &Bind,
) -> Result<Option<v1::AccountChange>, Failure> {
    let pending = fetch_pending(client, &PendingArgs::default()).await?;
    let found = pending
        .into_iter()
        .find(|pending| pending.learner_handle == args.pending);
    let Some(found) = found else {
        return Err(Failure::Usage(format!(
            "no pending account has the handle {}; `creditbank learner pending` lists them",
            args.pending
        )));
    };
    let reference = found.reference.and_then(|reference| reference.reference);
    if let Some(Reference::Student(student)) = reference {
        return link(client, args.learner.reference(), student).await;
    }
    let request = v1::GetLearnerRequest {
        learner: args.learner.reference(),
        ..Default::default()
    };
    let into = client.call(request).await?.learner_handle;
    merge(client, &args.pending, &into, &args.reason).await
}

/// Pending accounts, oldest first.
pub(crate) async fn fetch_pending(
    client: &Client,
    args: &PendingArgs,
) -> Result<Vec<v1::PendingLearner>, Failure> {
    let mut request = v1::ListPendingLearnersRequest {
        page_size: PAGE_SIZE,
        page_token: String::new(),
        institution_id: args.from.clone().unwrap_or_default(),
        as_of: args.at.as_of(),
    };
    let mut all = Vec::new();
    loop {
        let page = client.call(request.clone()).await?;
        all.extend(page.learners);
        if page.next_page_token.is_empty() {
            return Ok(all);
        }
        request.page_token = page.next_page_token;
    }
}

/// Lists pending accounts.
pub(crate) async fn list(
    global: &Global,
    client: &Client,
    args: &PendingArgs,
) -> Result<ExitCode, Failure> {
    let pending: Vec<Pending> = FromWire::from_wire(fetch_pending(client, args).await?);
    if global.json {
        for account in &pending {
            output::json(account)?;
        }
    } else {
        output::line(&pending_text(&pending, None))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Pending accounts for people.
pub(crate) fn pending_text(pending: &[Pending], width: Option<u16>) -> String {
    if pending.is_empty() {
        return "no records wait for a learner".to_owned();
    }
    let mut rows = Rows::new(&["pending account", ">records", "reason", "waits for"]);
    if let Some(width) = width {
        rows = rows.width(width);
    }
    for account in pending {
        rows.add(vec![
            account.learner_handle.clone(),
            account.record_count.to_string(),
            account.reason.clone(),
            waits_for(account),
        ]);
    }
    let mut text = rows.whole(&[0, 2]).render();
    for account in pending {
        for candidate in &account.candidates {
            text.push_str("\n\n");
            text.push_str(&candidate_text(account, candidate));
        }
    }
    text
}

/// An account that it may be: what speaks for it, and how to give it the records.
fn candidate_text(account: &Pending, candidate: &Candidate) -> String {
    let why = match (&candidate.student, candidate.differing.as_slice()) {
        (Some(student), _) => format!(
            "the same number is linked to it at {}",
            student.institution_id
        ),
        (None, []) => "it carries that document, and name and birth date agree".to_owned(),
        (None, differing) => {
            let fields: Vec<String> = differing
                .iter()
                .map(|field| field.replace('_', " "))
                .collect();
            let verb = if fields.len() > 1 {
                "differ"
            } else {
                "differs"
            };
            format!("it carries that document; {} {verb}", fields.join(" and "))
        }
    };
    let (from, into) = (&account.learner_handle, &candidate.learner_handle);
    format!(
        "{from} may be {into}:\n  {why}\n  creditbank learner merge {from} \\\n      {into} --reason \"identity settled\""
    )
}

/// What was sent of the learner; with a document, also by whom.
fn waits_for(account: &Pending) -> String {
    match &account.reference {
        None => String::new(),
        Some(LearnerReference::Handle(handle)) => handle.clone(),
        Some(LearnerReference::Student(student)) => {
            format!("{}:{}", student.institution_id, student.number)
        }
        Some(LearnerReference::Document(identity)) => {
            let number = identity.document.clone().unwrap_or_default().number;
            let DocumentIdentity {
                name, birth_date, ..
            } = identity;
            format!("{number} {name} {birth_date}, {}", account.institution_id)
        }
    }
}
