//! What the ledger believes, for the lines that begin with `?`.
//!
//! Apart from the commands because nothing here changes or decides anything.

use ledger::InstitutionId;
use ledger::state::{Learner, Link, Record, RecordFact, RecordStanding, Standing};

use crate::bank::Bank;
use crate::language::pending;
use crate::vocabulary::{Words, handle, label, record, student};

/// What is believed of a record, a learner or a student number.
pub(crate) fn show(bank: &Bank, words: &Words<'_>) -> String {
    let secret = bank.state.secret().unwrap();
    match words.word(1) {
        "record" => {
            let name = record(words.word(2), &InstitutionId::operator());
            match bank.state.record(secret.record_name(&name)).unwrap() {
                None => "unknown".to_owned(),
                Some(RecordFact::Suppressed) => "suppressed".to_owned(),
                Some(RecordFact::Held(held)) => show_record(held),
            }
        }
        "learner" => match bank.state.learner(handle(words.word(2))).unwrap() {
            None => "unknown".to_owned(),
            Some(found) => show_learner(found),
        },
        "student" => match bank
            .state
            .linked(secret.student(&student(words.word(2))))
            .unwrap()
        {
            None => "linked to nobody".to_owned(),
            Some(Link { handle, .. }) => {
                let (holder, _) = bank.state.resolve(handle).unwrap();
                format!("leads to {}", label(holder))
            }
        },
        what => panic!("{what} cannot be shown"),
    }
}

fn show_record(held: &Record) -> String {
    let versions: Vec<_> = held
        .versions
        .iter()
        .map(|v| format!("@{}", v.position.0))
        .collect();
    let standing = match held.standing {
        RecordStanding::InForce => "in force".to_owned(),
        RecordStanding::Suspended(at) => format!("suspended @{}", at.0),
        RecordStanding::Revoked(at) => format!("revoked @{}", at.0),
    };
    format!(
        "with {}, {standing}, versions {}",
        label(held.learner),
        versions.join(" ")
    )
}

fn show_learner(found: &Learner) -> String {
    let standing = match found.standing {
        Standing::Open => "open".to_owned(),
        Standing::Merged(into) => format!("merged into {}", label(into)),
        Standing::Erased => "erased".to_owned(),
    };
    let waits = match &found.provisional {
        None => String::new(),
        Some((why, of)) => format!(", {} at {of}", pending(*why)),
    };
    format!("{standing}{waits}, revision {}", found.revision.0)
}
