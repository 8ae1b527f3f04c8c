//! What an auditor subscribes to.
//!
//! Apart from the subscription so that bad filters are refused with all their fields before it begins.

use std::collections::BTreeSet;

use api::v1;
use chain::Leaf;
use ledger::{EventKind, Handle, InstitutionId, Rejection};

use super::{At, Problems, handle_at, institution_id, shapeless};

/// Most entries of each list of a filter; the proto file promises it.
const FILTER_ENTRIES_MAX: usize = 1_000;

/// Which records to send. An empty set lets everything through.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Filter {
    kinds: BTreeSet<u16>,
    issuers: BTreeSet<InstitutionId>,
    /// Learners whose chains to follow.
    pub learners: BTreeSet<Handle>,
}

impl Filter {
    /// Whether a record is to be sent, which its leaf alone says.
    #[must_use]
    pub fn lets_through(&self, leaf: &Leaf) -> bool {
        let of_learner = || {
            let handle = leaf.learner.map(|link| Handle(link.handle.0));
            handle.is_some_and(|handle| self.learners.contains(&handle))
        };
        let of_issuer = || {
            let issuer = leaf.issuer.as_str();
            self.issuers.iter().any(|id| id.as_str() == issuer)
        };
        (self.kinds.is_empty() || self.kinds.contains(&leaf.kind))
            && (self.issuers.is_empty() || of_issuer())
            && (self.learners.is_empty() || of_learner())
    }
}

/// The filter of a subscription.
///
/// # Errors
/// [`Rejection::Malformed`] with every entry that cannot be read.
pub fn filter(wire: v1::SubscribeFilter) -> Result<Filter, Rejection> {
    let mut problems = Problems::default();
    let filter = At::field("filter");
    let lists = [
        ("kinds", wire.kinds.len()),
        ("issuer_ids", wire.issuer_ids.len()),
        ("learner_handles", wire.learner_handles.len()),
    ];
    for (name, len) in lists {
        if len > FILTER_ENTRIES_MAX {
            let problem = format!("has {len} entries: at most {FILTER_ENTRIES_MAX}");
            problems.say(filter.sub(name), problem);
            return problems.finish(Filter::default(), shapeless);
        }
    }
    let mut read = Filter::default();
    for (idx, number) in wire.kinds.into_iter().enumerate() {
        match kind(number) {
            Some(kind) => drop(read.kinds.insert(kind)),
            None => problems.say(
                filter.sub("kinds").entry(idx),
                format!("is {number}, which is no kind of event (creditbank.event.v1.EventKind)"),
            ),
        }
    }
    for (idx, id) in wire.issuer_ids.iter().enumerate() {
        let at = filter.sub("issuer_ids");
        let id = match id.as_str() {
            "" => InstitutionId::operator(),
            id => institution_id(&mut problems, at.entry(idx), id),
        };
        read.issuers.insert(id);
    }
    for (idx, handle) in wire.learner_handles.iter().enumerate() {
        let at = filter.sub("learner_handles");
        let handle = handle_at(&mut problems, at.entry(idx), handle);
        read.learners.insert(handle);
    }
    problems.finish(read, shapeless)
}

/// The kind of that number, as leaves carry it.
fn kind(number: u32) -> Option<u16> {
    let kind = EventKind::try_from(i32::try_from(number).ok()?).ok()?;
    (kind != EventKind::Unspecified)
        .then(|| u16::try_from(number).ok())
        .flatten()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(wire: v1::SubscribeFilter) -> Vec<String> {
        match filter(wire) {
            Err(Rejection::Malformed(found)) => found
                .into_iter()
                .map(|violation| format!("{} {}", violation.field, violation.problem))
                .collect(),
            other => panic!("not malformed: {other:?}"),
        }
    }

    #[test]
    fn every_bad_entry_is_named() {
        let wire = v1::SubscribeFilter {
            kinds: vec![50, 0, 49],
            issuer_ids: vec![String::new(), "uni".to_owned(), "a b".to_owned()],
            learner_handles: vec!["ab".repeat(16), "ab".to_owned()],
        };
        let problems = refused(wire);
        let fields: Vec<&str> = problems
            .iter()
            .filter_map(|p| p.split(' ').next())
            .collect();
        assert_eq!(
            fields,
            [
                "filter.kinds[1]",
                "filter.kinds[2]",
                "filter.issuer_ids[2]",
                "filter.learner_handles[1]"
            ]
        );
    }

    #[test]
    fn a_long_list_is_refused_whole() {
        let wire = v1::SubscribeFilter {
            learner_handles: vec!["x".to_owned(); 1_001],
            ..v1::SubscribeFilter::default()
        };
        assert_eq!(
            refused(wire),
            ["filter.learner_handles has 1001 entries: at most 1000"]
        );
    }
}
