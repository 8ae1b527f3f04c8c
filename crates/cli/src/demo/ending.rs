//! The end of the demo: the head, the auditor's verdict, and what to try next.
//!
//! Apart from the steps because from here on no server is asked: the files speak for themselves.

use std::path::Path;

use chain::Head;

use super::stage::{Stage, say, show};
use crate::error::Failure;
use crate::{judge, output};

/// Shows the head, which an auditor would keep elsewhere.
pub(super) async fn head(stage: &mut Stage) -> Result<Head, Failure> {
    stage.heading("Stop, and verify the files as an auditor would")?;
    let head = stage.head().await?;
    let hash: String = head
        .chain_hash
        .iter()
        .map(|byte| format!("{byte:02x}"))
        .collect();
    let text = format!("{}:{hash}", head.size);
    say("head of the ledger, to keep elsewhere:")?;
    show(&text)?;
    text.parse()
        .map_err(|_| Failure::Unexpected(format!("{text} is no head")))
}

/// Verifies the stopped store against the head; says whether it is clean.
pub(super) async fn verify(dir: &Path, head: Head) -> Result<bool, Failure> {
    let report = judge::quietly(dir, head)?;
    show(&report.to_string())?;
    Ok(report.clean)
}

/// Commands to try.
pub(super) fn what_next(dir: &Path) -> Result<(), Failure> {
    let program = std::env::args()
        .next()
        .unwrap_or_else(|| "creditbank".to_owned());
    let dir = dir.display();
    output::line(
        "\nTry next: the first command serves the ledger, the others go into a second terminal.",
    )?;
    for rest in [
        format!("serve --data {dir}"),
        "institution list --language en".to_owned(),
        "balance --student open-university:OU2022-10001".to_owned(),
        "statement --student open-university:OU2022-10001 --last 20".to_owned(),
        "records show 2021S-ST210-00024 --institution hill-university".to_owned(),
        "learner pending".to_owned(),
        "learner link township-school:TS-9041 --student village-school:ZC-043".to_owned(),
        "records list --institution hill-university --limit 10".to_owned(),
        format!("verify {dir}"),
    ] {
        output::line(&format!("  {program} {rest}"))?;
    }
    Ok(())
}
