//! The scenario language: one command a line, and what the ledger answers.
//!
//! `operator: merge L1 into L2 because the same person`: who acts, what is asked, of whom, options such as
//! `seen=3`, why. Without an actor: `today 2026-09-01` sets the day, `now 2026-09-01T11:00` the time (UTC),
//! `? record uni/r1`, `? learner L1`, `? student uni/S1` show what the ledger believes.

use ledger::event::LedgerOpened;
use ledger::words::{
    CodeList, Course, CreditUnit, Delegation, Framework, InstitutionKey, IntakeWindow,
    LearnerReference, PendingReason, RecordName,
};
use ledger::{
    Action, Actor, Command, Decision, Handle, InstitutionId, Key, Keyed, Rejection, Revision,
    Timestamp,
};

use crate::bank::{Bank, at_noon};
use crate::show::show;
use crate::signing::{public_key, signature};
use crate::vocabulary::{
    Words, achievement, attributes, date, handle, institution, label, learner, level, profile,
    record, size, student, text, unit_kind,
};

/// What the ledger answers.
pub(crate) struct Answer {
    /// For people.
    pub(crate) text: String,
    /// The reason of a rejection.
    pub(crate) reason: Option<&'static str>,
}

/// Runs a line.
pub(crate) fn run(bank: &mut Bank, line: &str) -> Answer {
    let words = Words::of(line);
    let said = |text: String| Answer { text, reason: None };
    match words.word(0) {
        "today" => {
            bank.now = at_noon(date(words.word(1)));
            said("so it is".to_owned())
        }
        "now" => {
            bank.now = time(words.word(1));
            said("so it is".to_owned())
        }
        "?" => said(show(bank, &words)),
        actor => {
            let actor = actor
                .strip_suffix(':')
                .unwrap_or_else(|| panic!("who acts? {line}"));
            let command = command(bank, actor, line);
            let first = bank.state.size();
            let outcome = bank.command(&command);
            answer(outcome, first, bank)
        }
    }
}

/// The command that a line with an actor says.
pub(crate) fn command(bank: &Bank, actor: &str, line: &str) -> Command {
    let (_, line) = line
        .split_once(": ")
        .unwrap_or_else(|| panic!("what is asked? {line}"));
    let words = Words::of(line);
    let (actor, own) = match actor {
        "operator" => (Actor::Operator, InstitutionId::operator()),
        id => (Actor::Institution(institution(id)), institution(id)),
    };
    let issuer = words.option("issuer").map_or(own, institution);
    let action = institution_action(&words)
        .or_else(|| publication(&words))
        .or_else(|| learner_action(bank, &words))
        .or_else(|| record_action(bank, &words, &issuer))
        .unwrap_or_else(|| panic!("{line} is no command"));
    Command { actor, action }
}

fn institution_action(words: &Words<'_>) -> Option<Action> {
    let reason = words.reason.clone();
    Some(match words.word(0) {
        "open" => Action::OpenLedger(LedgerOpened {
            ledger_id: [7; 16],
            format_version: 1,
            rules_version: ledger::RULES_VERSION,
            suppression_key: [9; 32],
        }),
        "institution" => Action::RegisterInstitution(profile(words)),
        "update-institution" => Action::UpdateInstitution(profile(words)),
        "suspend-institution" => Action::SuspendInstitution {
            institution: institution(words.word(1)),
            reason,
        },
        "reinstate-institution" => Action::ReinstateInstitution {
            institution: institution(words.word(1)),
            reason,
        },
        "close" => Action::CloseInstitution {
            institution: institution(words.word(1)),
            reason,
            successor: words.option("successor").map(institution),
        },
        "delegate" => {
            let delegate = institution(words.after("to").unwrap_or_default());
            let delegation = Delegation {
                delegate,
                during: words.span("during"),
            };
            Action::Delegate {
                issuer: institution(words.word(1)),
                delegation,
            }
        }
        "key" => {
            let key_id = words.word(2).to_owned();
            let secret = words.option("secret").unwrap_or(&key_id);
            Action::AddInstitutionKey {
                issuer: institution(words.word(1)),
                key: InstitutionKey {
                    public_key: public_key(secret),
                    during: words.span("during"),
                    key_id,
                },
            }
        }
        "revoke-key" => Action::RevokeInstitutionKey {
            issuer: institution(words.word(1)),
            key_id: words.word(2).to_owned(),
            reason,
        },
        _ => return None,
    })
}

fn publication(words: &Words<'_>) -> Option<Action> {
    let first = || words.word(1).to_owned();
    let title = words.option("title").unwrap_or("A title").to_owned();
    let source = String::new();
    Some(match words.word(0) {
        "framework" => {
            let levels = words
                .words(2)
                .iter()
                .map(|level| (*level).to_owned())
                .collect();
            Action::PublishFramework(Framework {
                code: first(),
                title,
                levels,
                source,
            })
        }
        "unit" => {
            let kind = unit_kind(words.word(2));
            Action::PublishCreditUnit(CreditUnit {
                code: first(),
                title,
                kind,
                source,
            })
        }
        "codes" => {
            let entries = words.pairs();
            let title = "Codes".to_owned();
            Action::PublishCodeList(CodeList {
                code: first(),
                title,
                entries,
                source,
            })
        }
        "course" => Action::PublishCourse {
            issuer: institution(words.word(1)),
            course: Course {
                code: words.word(2).to_owned(),
                titles: vec![text(&title)],
                size: words.option("size").map(size),
                level: words.option("level").map(level),
                field: words.text("field"),
            },
        },
        "window" => Action::PublishIntakeWindow(IntakeWindow {
            id: first(),
            institutions: words.all("for").map(institution).collect(),
            awarded: words.span("awarded"),
            intake: words.span("intake"),
        }),
        _ => return None,
    })
}

fn learner_action(bank: &Bank, words: &Words<'_>) -> Option<Action> {
    let reason = words.reason.clone();
    let expected = words
        .option("seen")
        .map(|seen| Revision(seen.parse().unwrap()));
    let first = || learner(words.word(1));
    Some(match words.word(0) {
        "register" => Action::RegisterLearner {
            fresh: handle(words.word(1)),
            profile: attributes(words),
            students: words
                .words(2)
                .iter()
                .map(|number| student(number))
                .collect(),
            request_id: words.text("request"),
        },
        "update" => Action::UpdateLearner {
            learner: first(),
            profile: attributes(words),
            expected,
        },
        "link" => Action::LinkIdentity {
            learner: first(),
            student: student(words.word(2)),
        },
        "unlink" => Action::UnlinkIdentity {
            student: student(words.word(1)),
        },
        "merge" => Action::MergeLearners {
            from: handle(words.word(1)),
            into: handle(words.after("into").unwrap()),
            reason,
            expected,
        },
        "separate" => Action::SeparateLearners {
            from: handle(words.word(1)),
            reason,
        },
        "erase" | "erase-identity" => {
            let learner = handle(words.word(1));
            let (actual, suppressed) = history(bank, learner);
            let expected = expected.unwrap_or(actual);
            if words.word(0) == "erase" {
                Action::EraseLearner {
                    learner,
                    suppressed,
                    expected,
                }
            } else {
                Action::EraseIdentity { learner, expected }
            }
        }
        _ => return None,
    })
}

/// What a server reads before it erases: the revision, and the keys of the records.
fn history(bank: &Bank, learner: Handle) -> (Revision, Vec<Key>) {
    let Ok((handle, found)) = bank.state.resolve(learner) else {
        return Default::default();
    };
    let group = bank.state.group(handle).unwrap();
    (found.revision, bank.state.records_with(&group))
}

fn record_action(bank: &Bank, words: &Words<'_>, issuer: &InstitutionId) -> Option<Action> {
    let reason = words.reason.clone();
    let expected = words
        .option("seen")
        .map(|seen| Revision(seen.parse().unwrap()));
    let name = || record(words.word(1), issuer);
    let about = || words.after("for").map(learner);
    let said = || {
        words
            .option("id")
            .map_or_else(name, |id| record(id, issuer))
    };
    Some(match words.word(0) {
        "submit" => {
            let learner = about().unwrap_or(LearnerReference::Handle(Handle([0; 16])));
            Action::Submit {
                issuer: said().issuer,
                signature: signature(words, &said(), &learner),
                learner,
                achievement: achievement(words, &said()).into(),
                fresh: words.option("fresh").map_or_else(|| drawn(bank), handle),
                register: words
                    .words(1)
                    .contains(&"registering")
                    .then(|| attributes(words)),
            }
        }
        "supersede" => Action::Supersede {
            issuer: said().issuer,
            // Without a learner in the request the statement still names one.
            signature: signature(words, &said(), &about().unwrap_or_else(|| learner("L1"))),
            learner: about(),
            achievement: achievement(words, &said()).into(),
            reason,
            expected,
        },
        "suspend" => Action::Suspend {
            name: name(),
            reason,
        },
        "reinstate" => Action::Reinstate {
            name: name(),
            reason,
        },
        "revoke" => Action::Revoke {
            name: name(),
            reason,
        },
        "reassign" => {
            let name = name();
            let RecordName { issuer, record_id } = name.clone();
            let content = bank.contents.get(&(issuer, record_id)).cloned();
            // Of a record that never was there is no content: what is sent does not matter.
            let (achievement, signature) =
                content.unwrap_or_else(|| (achievement(words, &name), None));
            Action::Reassign {
                achievement: achievement.into(),
                signature,
                name,
                to: learner(words.after("to").unwrap()),
                reason,
                expected,
            }
        }
        _ => return None,
    })
}

/// The next handle of a provisional account: P1, P2, ...
fn drawn(bank: &Bank) -> Handle {
    let drawn = bank
        .state
        .learners()
        .filter(|(handle, _)| label(*handle).starts_with('P'));
    handle(&format!("P{}", drawn.count() + 1))
}

fn answer(outcome: Result<Decision, Rejection>, first: u64, bank: &Bank) -> Answer {
    let decision = match outcome {
        Ok(decision) => decision,
        Err(rejection) => {
            let reason = rejection.reason();
            return Answer {
                text: format!("rejected {reason}: {rejection}"),
                reason: Some(reason),
            };
        }
    };
    let whose = decision
        .learner
        .map_or_else(String::new, |of| format!(" for {}", label(of)));
    let pending = decision
        .pending
        .map_or_else(String::new, |why| format!(", {}", pending(why)));
    let text = match (decision.already, decision.events.as_slice()) {
        (Some(position), []) => format!("already @{}{whose}{pending}", position.0),
        (Some(position), events) => {
            let last = bank.state.size() - 1;
            format!(
                "already @{}{whose}{pending}, and @{first} to @{last}: {}",
                position.0,
                kinds(events)
            )
        }
        (None, [_]) => format!("recorded @{first}{whose}{pending}"),
        (None, events) => {
            let last = bank.state.size() - 1;
            format!(
                "recorded @{first} to @{last}{whose}{pending}: {}",
                kinds(events)
            )
        }
    };
    Answer { text, reason: None }
}

fn kinds(events: &[Keyed]) -> String {
    let kind = |keyed: &Keyed| {
        let name = keyed.event().body.kind().as_str_name();
        name.trim_start_matches("EVENT_KIND_")
            .to_lowercase()
            .replace('_', " ")
    };
    events.iter().map(kind).collect::<Vec<_>>().join(", ")
}

/// Why a record waits.
pub(crate) fn pending(reason: PendingReason) -> &'static str {
    match reason {
        PendingReason::Unlinked => "pending UNLINKED",
        PendingReason::IdentityMismatch => "pending IDENTITY_MISMATCH",
    }
}

/// `2026-09-01T11:00`, UTC.
fn time(text: &str) -> Timestamp {
    let (day, clock) = text
        .split_once('T')
        .unwrap_or_else(|| panic!("{text} is no time"));
    let (hours, minutes) = clock.split_once(':').unwrap();
    let noon = at_noon(date(day)).0 - 12 * 3_600_000_000;
    let minutes = hours.parse::<u64>().unwrap() * 60 + minutes.parse::<u64>().unwrap();
    Timestamp(noon + minutes * 60_000_000)
}
