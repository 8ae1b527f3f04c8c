//! Which records to list.
//!
//! Apart from records because a filter describes none: what it says is compared, never recorded.

use ledger::account::HoldingState;
use ledger::words::{Achievement, Span};
use ledger::{InstitutionId, Rejection};
use views::Search;

use api::v1;

use super::{At, Problems, shapeless, span};

/// A filter as it is meant: all of it must be satisfied.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecordFilter {
    code: String,
    offering: String,
    awarded: Span,
    states: Vec<HoldingState>,
}

/// A filter; none takes everything.
///
/// # Errors
/// [`Rejection::Malformed`] with every field that cannot be read.
pub fn record_filter(wire: Option<v1::RecordFilter>) -> Result<RecordFilter, Rejection> {
    let wire = wire.unwrap_or_default();
    let (mut problems, filter) = (Problems::default(), At::field("filter"));
    let awarded = span(&mut problems, filter.sub("awarded"), wire.awarded);
    if let (Some(from), Some(until)) = (awarded.from, awarded.until)
        && until <= from
    {
        let problem =
            format!("is {until}, not after the first day, {from}: it is the first day after");
        problems.say(filter.sub("awarded").sub("until"), problem);
    }
    let mut states = Vec::with_capacity(wire.states.len());
    for (idx, wire) in wire.states.iter().enumerate() {
        match v1::RecordState::try_from(*wire).ok().and_then(state) {
            Some(state) => states.push(state),
            None => problems.say(
                filter.sub("states").entry(idx),
                "is no state that a record as a whole can have",
            ),
        }
    }
    let filter = RecordFilter {
        code: wire.code,
        offering: wire.offering,
        awarded,
        states,
    };
    problems.finish(filter, shapeless)
}

impl RecordFilter {
    /// What to search for.
    #[must_use]
    pub fn search<'a>(&'a self, issuer: &'a InstitutionId) -> Search<'a> {
        let standing =
            |state: &HoldingState| matches!(state, HoldingState::Suspended | HoldingState::Revoked);
        Search {
            issuer: issuer.as_str(),
            code: Some(&*self.code).filter(|code| !code.is_empty()),
            awarded_from: self.awarded.from,
            awarded_until: self.awarded.until,
            suspended_or_revoked: !self.states.is_empty() && self.states.iter().all(standing),
        }
    }

    /// Whether a record with that content in force may match.
    #[must_use]
    pub fn takes_content(&self, content: &Achievement) -> bool {
        let Span { from, until } = self.awarded;
        (self.code.is_empty() || self.code == content.code)
            && (self.offering.is_empty() || self.offering == content.offering)
            && from.is_none_or(|from| from <= content.awarded)
            && until.is_none_or(|until| content.awarded < until)
    }

    /// Whether a record in that state may match.
    #[must_use]
    pub fn takes_state(&self, state: HoldingState) -> bool {
        self.states.is_empty() || self.states.contains(&state)
    }

    /// Whether a record without content matches: not when the content is asked for.
    #[must_use]
    pub fn takes_erased(&self) -> bool {
        let any = self.awarded.from.is_none() && self.awarded.until.is_none();
        any && self.code.is_empty()
            && self.offering.is_empty()
            && self.takes_state(HoldingState::Erased)
    }
}

fn state(wire: v1::RecordState) -> Option<HoldingState> {
    Some(match wire {
        v1::RecordState::Recorded => HoldingState::Recorded,
        v1::RecordState::Pending => HoldingState::Pending,
        v1::RecordState::Suspended => HoldingState::Suspended,
        v1::RecordState::Revoked => HoldingState::Revoked,
        v1::RecordState::Expired => HoldingState::Expired,
        v1::RecordState::Duplicate => HoldingState::Duplicate,
        v1::RecordState::Erased => HoldingState::Erased,
        v1::RecordState::NoDeposit => HoldingState::NoDeposit,
        v1::RecordState::Unspecified | v1::RecordState::Superseded => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_wrong_with_a_filter_is_said_at_once() {
        let wire = v1::RecordFilter {
            awarded: Some(v1::Span {
                from: "2024-13-01".to_owned(),
                until: "x".to_owned(),
            }),
            states: vec![1, 0, 5, 99],
            ..v1::RecordFilter::default()
        };
        let Err(Rejection::Malformed(found)) = record_filter(Some(wire)) else {
            panic!("it is taken");
        };
        let fields: Vec<_> = found.iter().map(|violation| &*violation.field).collect();
        let expected = [
            "filter.awarded.from",
            "filter.awarded.until",
            "filter.states[1]",
            "filter.states[3]",
        ];
        assert_eq!(fields, expected);
        let empty = v1::RecordFilter {
            awarded: Some(v1::Span {
                from: "2024-02-01".to_owned(),
                until: "2024-02-01".to_owned(),
            }),
            ..v1::RecordFilter::default()
        };
        assert!(record_filter(Some(empty)).is_err());
        let all = record_filter(None).unwrap();
        assert!(all.takes_erased() && all.takes_state(HoldingState::Duplicate));
    }
}
