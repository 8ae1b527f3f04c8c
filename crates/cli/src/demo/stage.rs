//! What every step of the demo uses: the connection, the headings, the width, and the promises.
//!
//! Apart from the steps so that they read as the story they tell.

use std::net::SocketAddr;
use std::path::Path;

use api::v1;
use api::v1::learner_reference::Reference;

use crate::account::{Labels, fetch_balance};
use crate::args::Global;
use crate::args::value::{Identity, student};
use crate::error::{Failure, Refusal};
use crate::output;
use crate::table::{Reader, Rows, columns, wrap};
use crate::wire::{Balance, FromWire, Learner, Receipt};
use client::Client;

/// Columns that the output fits.
pub(super) const WIDTH: u16 = 98;

/// The demo under way.
pub(super) struct Stage {
    /// Speaks as the operator.
    pub(super) operator: Client,
    /// Picks names and titles.
    pub(super) reader: Reader,
    /// Names the fields of education.
    pub(super) labels: Labels,
    step: u32,
}

impl Stage {
    /// Connects to the demo's server.
    pub(super) async fn open(global: &Global, address: SocketAddr) -> Result<Self, Failure> {
        let operator = Client::connect(&format!("http://{address}"), &Identity::Operator).await?;
        let labels = Labels::fetch(&operator).await?;
        let reader = Reader::new(global.language.as_deref());
        Ok(Self {
            operator,
            reader,
            labels,
            step: 0,
        })
    }

    /// The first heading: where everything is.
    pub(super) async fn opening(&mut self, dir: &Path, address: SocketAddr) -> Result<(), Failure> {
        self.heading("Start a server on an empty store")?;
        let head = self.head().await?;
        say(&format!(
            "ledger in {}, server on {address} (gRPC)",
            dir.display()
        ))?;
        say(&format!(
            "the new ledger opens with {} records: its id, frameworks, credit units, code lists",
            head.size
        ))
    }

    /// A heading with its number.
    pub(super) fn heading(&mut self, text: &str) -> Result<(), Failure> {
        self.step += 1;
        let title = format!("{}. {text}", self.step);
        let rule = "─".repeat(usize::from(WIDTH).saturating_sub(columns(&title) + 1));
        output::line(&format!("\n{title} {rule}"))
    }

    /// Speaks as an institution.
    pub(super) fn institution(&self, id: &str) -> Result<Client, Failure> {
        Ok(self
            .operator
            .acting_as(&Identity::Institution(id.to_owned()))?)
    }

    /// Who a student number is, such as `hill-university:2020H-0409`.
    pub(super) async fn who(&self, number: &str) -> Result<Learner, Failure> {
        let request = v1::GetLearnerRequest {
            learner: Some(by_number(number)?),
            ..Default::default()
        };
        let learner = self.operator.call(request).await?;
        Ok(Learner::from_wire(learner))
    }

    /// What somebody holds.
    pub(super) async fn balance(&self, handle: &str) -> Result<Balance, Failure> {
        fetch_balance(&self.operator, Some(by_handle(handle)), None).await
    }

    /// The ledger's head.
    pub(super) async fn head(&self) -> Result<v1::GetHeadResponse, Failure> {
        Ok(self.operator.head().await?)
    }
}

/// A line of the story.
pub(super) fn say(text: &str) -> Result<(), Failure> {
    output::line(text)
}

/// A block of text that stands in from the margin.
pub(super) fn show(text: &str) -> Result<(), Failure> {
    let lines: Vec<String> = text
        .lines()
        .map(|line| format!("  {line}").trim_end().to_owned())
        .collect();
    output::line(&lines.join("\n"))
}

/// Ends the story when a promise was not kept.
pub(super) fn promised(kept: bool, what: &str) -> Result<(), Failure> {
    if kept {
        Ok(())
    } else {
        Err(Failure::Unexpected(format!("{what}: that is not so")))
    }
}

/// Shows where a change was recorded; a rejection ends the story.
pub(super) fn outcome(outcome: Option<v1::RecordOutcome>) -> Result<(), Failure> {
    let outcome = outcome.unwrap_or_default();
    let Some(receipt) = outcome.receipt.map(Receipt::from_wire) else {
        let message = outcome.error.map(|error| error.message).unwrap_or_default();
        return Err(Failure::Unexpected(format!(
            "the record was not taken: {message}"
        )));
    };
    show(&format!("recorded at position {}", receipt.position))?;
    show(&format!("chain hash {}", receipt.chain_hash.as_str()))
}

/// Shows a refusal that was meant to happen.
pub(super) fn refusal<T>(result: Result<T, Refusal>, reason: &str) -> Result<(), Failure> {
    let Err(refusal) = result else {
        return Err(Failure::Unexpected(format!(
            "{reason} was promised, and it was taken"
        )));
    };
    if refusal.reason != reason {
        return Err(Failure::Refused(Box::new(refusal)));
    }
    let text = format!("refused, {}: {}", refusal.reason, refusal.message);
    show(&wrap(&text, usize::from(WIDTH) - 2))
}

/// What is held before and after.
pub(super) fn compare(before: &Balance, after: &Balance) -> Result<(), Failure> {
    let mut units: Vec<&str> = Vec::new();
    for total in before.totals.iter().chain(&after.totals) {
        if !units.contains(&total.unit.as_str()) {
            units.push(&total.unit);
        }
    }
    let mut rows = Rows::new(&["held", ">before", ">records", ">after", ">records"]).width(WIDTH);
    for unit in units {
        let of = |balance: &Balance| {
            let total = balance.totals.iter().find(|total| total.unit == unit);
            total.map_or_else(
                || ("0".to_owned(), "0".to_owned()),
                |total| (total.amount.clone(), total.achievement_count.to_string()),
            )
        };
        let ((old, olds), (new, news)) = (of(before), of(after));
        let name = if unit.is_empty() {
            "(without a size)"
        } else {
            unit
        };
        rows.add(vec![name.to_owned(), old, olds, new, news]);
    }
    show(&rows.render())
}

/// A reference by handle.
pub(super) fn by_handle(handle: &str) -> v1::LearnerReference {
    v1::LearnerReference {
        reference: Some(Reference::Handle(handle.to_owned())),
    }
}

/// A reference by student number, such as `hill-university:2020H-0409`.
pub(super) fn by_number(number: &str) -> Result<v1::LearnerReference, Failure> {
    let student = student(number).map_err(Failure::Unexpected)?;
    Ok(v1::LearnerReference {
        reference: Some(Reference::Student(student)),
    })
}
