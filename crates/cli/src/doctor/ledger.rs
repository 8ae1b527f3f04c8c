//! The ledger on disk: who has it open, which versions wrote it, whether its end is whole, how its views
//! were left.
//!
//! Apart from the server's checks because all of this can be told without one.

use std::path::Path;

use chain::{Head, SEGMENT_FORMAT};
use server::{VIEWS_FORMAT, ViewsLeft};
use verify::Tail;

use super::check::Check;

/// Who has the ledger open.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Holder {
    /// Nobody.
    Nobody,
    /// Somebody: the process, as far as it can be told.
    Somebody(Option<(u32, String)>),
}

/// Reads who holds the lock.
pub(super) fn holder(data: &Path) -> Result<Holder, std::io::Error> {
    Ok(match durable::lock_holder(&data.join("LOCK"))? {
        None => Holder::Nobody,
        Some(process) => Holder::Somebody(process.map(|number| {
            let name = std::fs::read_to_string(format!("/proc/{number}/comm"));
            (number, name.unwrap_or_default().trim().to_owned())
        })),
    })
}

/// Who has it open, in words.
pub(super) fn lock(holder: &Holder) -> Check {
    let found = match holder {
        Holder::Nobody => "no server has the ledger open".to_owned(),
        Holder::Somebody(None) => "held by a process that cannot be named".to_owned(),
        Holder::Somebody(Some((number, name))) => format!("held by process {number} ({name})"),
    };
    Check::ok("lock", found)
}

/// The versions that are in play.
pub(super) fn versions() -> Check {
    let found = format!(
        "creditbank {}, rules {}, segments {SEGMENT_FORMAT}, views {VIEWS_FORMAT}",
        env!("CARGO_PKG_VERSION"),
        ledger::RULES_VERSION
    );
    Check::ok("versions", found)
}

/// The log: how long it is, and how it ends.
pub(super) fn log(tail: &Tail, holder: &Holder) -> Check {
    let Head { size, .. } = tail.head;
    let found = format!(
        "{size} records; segments {}, {} bytes on disk",
        tail.segments, tail.bytes_total
    );
    match (&tail.torn, holder) {
        (None, _) => Check::ok("log", found),
        (Some(_), Holder::Somebody(_)) => {
            Check::ok("log", format!("{found}; the server is just writing more"))
        }
        (Some(torn), Holder::Nobody) => {
            let found = format!("{found}; {torn}");
            let advice = "start the server: it cuts them off and says so; find out why the last one ended \
                          without closing (a crash, a kill, a loss of power)";
            Check::warning("log", found, advice)
        }
    }
}

/// Whether the last records are what they were when they were recorded.
pub(super) fn last_records(tail: &Tail, data: &Path) -> Check {
    let name = "last records";
    let Some(first) = tail.findings.first() else {
        let erased = match tail.erased {
            0 => String::new(),
            n => format!(", {n} of them without their body"),
        };
        return Check::ok(
            name,
            format!(
                "{} from position {} on{erased}: checksums, chains and commitments hold; earlier records, the \
                 rules and erasures are for `creditbank verify`",
                tail.records, tail.from
            ),
        );
    };
    let found = format!(
        "{} findings; the first at {}: {}; expected {}, found {}",
        tail.findings_total,
        first.place,
        first.invariant.replace('_', " "),
        first.expected,
        first.found
    );
    let advice = format!(
        "stop the server, keep a copy of the directory as it is, and run `creditbank verify {}` for all that is \
         wrong; then bring back the last backup that verifies, and look at the disk",
        data.display()
    );
    Check::problem(name, found, advice)
}

/// How the views were left, when no server has them open.
pub(super) fn views(left: Result<ViewsLeft, String>, size: u64, holder: &Holder) -> Check {
    let name = "views";
    let rebuilt = "nothing has to be done: the next start builds them anew from the log, which takes minutes for \
                   millions of records, and lists are refused until then";
    match left {
        Err(error) => Check::warning(name, error, "make the directory of the views readable"),
        Ok(ViewsLeft::Nothing) => Check::ok(name, "none yet; the server makes them"),
        Ok(ViewsLeft::Closed { size: applied }) if applied >= size => {
            Check::ok(name, format!("closed, up to date with {applied} records"))
        }
        Ok(ViewsLeft::Closed { size: applied }) => Check::ok(
            name,
            format!(
                "closed at {applied} records; the next start applies {} more",
                size - applied
            ),
        ),
        Ok(ViewsLeft::Open { size: applied }) => match holder {
            Holder::Somebody(_) => {
                Check::ok(name, format!("open, at least {applied} records written"))
            }
            Holder::Nobody => Check::warning(
                name,
                format!("not closed; they hold at least {applied} records"),
                "nothing has to be done: the next start takes them up, or builds them anew if the machine was \
                 restarted in between",
            ),
        },
        Ok(ViewsLeft::OtherVersion { found }) => {
            let found = format!("of format {found}, and this program writes {VIEWS_FORMAT}");
            Check::warning(name, found, rebuilt)
        }
        Ok(ViewsLeft::Unusable) => Check::warning(name, "they do not check", rebuilt),
    }
}

#[cfg(test)]
mod tests {
    use super::super::check::State;
    use super::*;

    #[test]
    fn views_are_judged_by_how_they_were_left() {
        let held = Holder::Somebody(None);
        for (left, holder, state) in [
            (ViewsLeft::Nothing, &Holder::Nobody, State::Ok),
            (ViewsLeft::Closed { size: 9 }, &Holder::Nobody, State::Ok),
            (ViewsLeft::Closed { size: 3 }, &Holder::Nobody, State::Ok),
            (ViewsLeft::Open { size: 3 }, &held, State::Ok),
            (ViewsLeft::Open { size: 3 }, &Holder::Nobody, State::Warning),
            (ViewsLeft::OtherVersion { found: 1 }, &held, State::Warning),
            (ViewsLeft::Unusable, &Holder::Nobody, State::Warning),
        ] {
            assert_eq!(views(Ok(left), 9, holder).state, state, "{left:?}");
        }
    }
}
