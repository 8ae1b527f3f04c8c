//! `balance` and `statement`: what a learner holds, and how it came about.
//!
//! Apart from `learner`, which changes accounts: these only ask, and the demo shows the same tables.

use std::collections::BTreeMap;
use std::process::ExitCode;

use api::v1;

use crate::args::value::Identity;
use crate::args::{BalanceArgs, Global, StatementArgs};
use crate::error::Failure;
use crate::output;
use crate::table::{Reader, Rows, facts};
use crate::wire::{Balance, Entry, FromWire, Level, Statement};
use client::Client;

/// Entries asked for at a time.
const PAGE_SIZE: u32 = 1000;

/// Runs `balance`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn balance(global: &Global, args: &BalanceArgs) -> Result<ExitCode, Failure> {
    let identity = asking(global, args.whose.reference().is_some())?;
    let client = Client::connect(&global.server, &identity).await?;
    let balance = fetch_balance(&client, args.whose.reference(), args.at.as_of()).await?;
    if global.json {
        output::json(&balance)?;
    } else {
        let labels = Labels::fetch(&client).await?;
        output::line(&balance_text(&balance, &labels, None))?;
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs `statement`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn statement(global: &Global, args: &StatementArgs) -> Result<ExitCode, Failure> {
    let identity = asking(global, args.whose.reference().is_some())?;
    let client = Client::connect(&global.server, &identity).await?;
    let mut statement = fetch_statement(&client, args.whose.reference(), args.at.as_of()).await?;
    let earlier = keep_last(&mut statement, args.last);
    if global.json {
        output::json(&statement)?;
        return Ok(ExitCode::SUCCESS);
    }
    let reader = Reader::new(global.language.as_deref());
    output::line(&statement_text(&statement, earlier, &reader, None))?;
    Ok(ExitCode::SUCCESS)
}

/// Who asks. A learner may leave out whose account; everybody else says it.
pub(crate) fn asking(global: &Global, named: bool) -> Result<Identity, Failure> {
    match &global.identity {
        Some(identity @ Identity::Learner(_)) => Ok(identity.clone()),
        _ if !named => Err(Failure::Usage(
            "say whose: --student INSTITUTION:NUMBER, --handle HANDLE or --as learner:HANDLE"
                .to_owned(),
        )),
        other => Ok(other.clone().unwrap_or(Identity::Operator)),
    }
}

/// Asks for a balance.
pub(crate) async fn fetch_balance(
    client: &Client,
    learner: Option<v1::LearnerReference>,
    as_of: Option<v1::AsOf>,
) -> Result<Balance, Failure> {
    let request = v1::GetBalanceRequest { learner, as_of };
    let response = client.call(request).await?;
    Ok(Balance::from_wire(response))
}

/// Asks for a statement, page by page.
pub(crate) async fn fetch_statement(
    client: &Client,
    learner: Option<v1::LearnerReference>,
    as_of: Option<v1::AsOf>,
) -> Result<Statement, Failure> {
    let mut request = v1::GetStatementRequest {
        learner,
        page_size: PAGE_SIZE,
        page_token: String::new(),
        as_of,
    };
    let mut whole: Option<Statement> = None;
    loop {
        let page = client.call(request.clone()).await?;
        request.page_token.clone_from(&page.next_page_token);
        let page = Statement::from_wire(page);
        match &mut whole {
            Some(statement) => statement.entries.extend(page.entries),
            None => whole = Some(page),
        }
        if let (true, Some(statement)) = (request.page_token.is_empty(), &mut whole) {
            return Ok(statement.clone());
        }
    }
}

/// Keeps only the last entries; says how many went.
pub(crate) fn keep_last(statement: &mut Statement, last: Option<usize>) -> usize {
    let count = statement.entries.len();
    let earlier = last.map_or(0, |last| count.saturating_sub(last));
    statement.entries.drain(..earlier);
    earlier
}

/// What the codes of fields of education mean.
#[derive(Debug, Default)]
pub(crate) struct Labels(BTreeMap<String, String>);

impl Labels {
    /// Asks for the published list.
    pub(crate) async fn fetch(client: &Client) -> Result<Self, Failure> {
        let request = v1::GetCodeListRequest {
            code: "isced-f-2013".to_owned(),
            ..Default::default()
        };
        let list = client.call(request).await?.code_list;
        let entries = list.unwrap_or_default().entries;
        Ok(Self(
            entries
                .into_iter()
                .map(|entry| (entry.code, entry.label))
                .collect(),
        ))
    }

    /// A code and what it means.
    fn of(&self, code: &str) -> String {
        let label = self.0.get(code).map_or("", String::as_str);
        format!("{code} {label}").trim().to_owned()
    }
}

/// A balance for people.
pub(crate) fn balance_text(balance: &Balance, labels: &Labels, width: Option<u16>) -> String {
    let held: Vec<String> = balance
        .totals
        .iter()
        .map(|total| match total.unit.as_str() {
            "" => format!("{} without a size", total.achievement_count),
            unit => format!("{} {unit} ({})", total.amount, total.achievement_count),
        })
        .collect();
    let none = "nothing".to_owned();
    let mut text = facts(&[
        ("learner", balance.learner_handle.clone()),
        (
            "held",
            if held.is_empty() {
                none
            } else {
                held.join(", ")
            },
        ),
        (
            "as of",
            format!(
                "{}, ledger of {} records",
                balance.as_of_date, balance.as_of_size
            ),
        ),
    ]);
    if balance.provisional {
        text.push_str(
            "\nThis account is provisional: nothing of it counts until it is bound to a learner.",
        );
    }
    let mut rows = Rows::new(&["unit", "level", "field", "state", ">records", ">amount"]);
    if let Some(width) = width {
        rows = rows.width(width);
    }
    for line in &balance.lines {
        rows.add(vec![
            line.unit.clone(),
            level(line.level.as_ref()),
            labels.of(&line.field),
            line.state.to_string(),
            line.achievement_count.to_string(),
            line.amount.clone(),
        ]);
    }
    if !rows.is_empty() {
        text.push_str("\n\n");
        text.push_str(&rows.render());
    }
    text
}

/// A level as one word.
pub(crate) fn level(level: Option<&Level>) -> String {
    level.map_or_else(String::new, |level| {
        format!("{} {}", level.framework, level.code)
    })
}

/// A statement for people.
pub(crate) fn statement_text(
    statement: &Statement,
    earlier: usize,
    reader: &Reader,
    width: Option<u16>,
) -> String {
    let count = statement.entries.len();
    let mut text = facts(&[
        ("learner", statement.learner_handle.clone()),
        (
            "entries",
            match earlier {
                0 => count.to_string(),
                _ => format!("the last {count} of {}", count + earlier),
            },
        ),
        (
            "as of",
            format!("ledger of {} records", statement.as_of_size),
        ),
    ]);
    let mut rows = Rows::new(&[
        ">position",
        "day",
        "entry",
        "what",
        ">in",
        ">out",
        ">balance",
        "unit",
        "signed",
    ]);
    if let Some(width) = width {
        rows = rows.width(width);
    }
    for entry in &statement.entries {
        rows.add(vec![
            entry.position.to_string(),
            entry.recorded_time.as_str().chars().take(10).collect(),
            entry.kind.to_string(),
            what(entry, reader),
            entry.amount_in.clone(),
            entry.amount_out.clone(),
            entry.balance.clone(),
            entry.unit.clone(),
            if entry.signed { "yes" } else { "" }.to_owned(),
        ]);
    }
    if !rows.is_empty() {
        text.push_str("\n\n");
        text.push_str(&rows.render());
    }
    text
}

/// What an entry is about, on one line: code, title, record id where there is no code, and the note.
pub(crate) fn what(entry: &Entry, reader: &Reader) -> String {
    let mut parts = vec![entry.code.as_str(), reader.pick(&entry.titles)];
    let record_id = entry
        .name
        .as_ref()
        .map_or("", |name| name.record_id.as_str());
    if entry.code.is_empty() {
        parts.push(record_id);
    }
    let mut text = parts
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(" ");
    if !entry.note.is_empty() {
        let separator = if text.is_empty() { "" } else { ": " };
        text.push_str(separator);
        text.push_str(&entry.note);
    }
    text
}
