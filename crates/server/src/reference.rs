//! The vocabulary that ships with the project, as what an empty ledger opens with.
//!
//! Apart from the engine because it is data: the files in `ledger-data/frameworks` are compiled in, so
//! that a server needs nothing but its binary. A change there reaches new ledgers only; an old one
//! publishes it through the registry.

use ledger::Action;
use ledger::words::{CodeList, CreditUnit, Framework, UnitKind};
use serde::Deserialize;
use serde::de::DeserializeOwned;

const FRAMEWORKS: &str = include_str!("../../../ledger-data/frameworks/frameworks.toml");
const UNITS: &str = include_str!("../../../ledger-data/frameworks/units.toml");
const FIELDS: &str = include_str!("../../../ledger-data/frameworks/isced-f-2013.toml");
const SOURCE_KINDS: &str = include_str!("../../../ledger-data/frameworks/source-kinds.toml");

/// What the operator publishes on an empty ledger: frameworks, units, then code lists.
///
/// # Panics
/// Never: a test reads the same bytes.
#[must_use]
pub fn opening_actions() -> Vec<Action> {
    let frameworks: Frameworks = read(FRAMEWORKS);
    let units: Units = read(UNITS);
    let lists: [Codes; 2] = [read(SOURCE_KINDS), read(FIELDS)];
    let frameworks = frameworks
        .framework
        .into_iter()
        .map(framework)
        .map(Action::PublishFramework);
    let units = units
        .unit
        .into_iter()
        .map(unit)
        .map(Action::PublishCreditUnit);
    let lists = lists
        .into_iter()
        .map(code_list)
        .map(Action::PublishCodeList);
    frameworks.chain(units).chain(lists).collect()
}

fn read<T: DeserializeOwned>(text: &str) -> T {
    toml::from_str(text).expect("the shipped vocabulary is read by a test")
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Frameworks {
    framework: Vec<ShippedFramework>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShippedFramework {
    code: String,
    title: String,
    levels: Vec<String>,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Units {
    unit: Vec<ShippedUnit>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShippedUnit {
    code: String,
    title: String,
    kind: ShippedKind,
    source: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "lowercase")]
enum ShippedKind {
    Credits,
    Hours,
    Points,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Codes {
    code_list: ShippedList,
    entry: Vec<ShippedEntry>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShippedList {
    code: String,
    title: String,
    source: String,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct ShippedEntry {
    code: String,
    label: String,
}

fn framework(shipped: ShippedFramework) -> Framework {
    let ShippedFramework {
        code,
        title,
        levels,
        source,
    } = shipped;
    Framework {
        code,
        title,
        levels,
        source,
    }
}

fn unit(shipped: ShippedUnit) -> CreditUnit {
    let kind = match shipped.kind {
        ShippedKind::Credits => UnitKind::Credits,
        ShippedKind::Hours => UnitKind::Hours,
        ShippedKind::Points => UnitKind::Points,
    };
    CreditUnit {
        code: shipped.code,
        title: shipped.title,
        kind,
        source: shipped.source,
    }
}

fn code_list(shipped: Codes) -> CodeList {
    let ShippedList {
        code,
        title,
        source,
    } = shipped.code_list;
    let entries = shipped
        .entry
        .into_iter()
        .map(|entry| (entry.code, entry.label))
        .collect();
    CodeList {
        code,
        title,
        entries,
        source,
    }
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use ledger::words::{FIELD_LIST, SOURCE_KIND_LIST};

    use super::*;

    /// A line count of the files, so that an entry that is silently dropped is noticed.
    fn lines_with(text: &str, word: &str) -> usize {
        text.lines()
            .filter(|line| line.trim_start().starts_with(word))
            .count()
    }

    #[test]
    fn every_shipped_entry_is_published_once() {
        let actions = opening_actions();
        let (mut frameworks, mut units, mut lists) = (vec![], vec![], vec![]);
        for action in &actions {
            match action {
                Action::PublishFramework(framework) => frameworks.push(framework),
                Action::PublishCreditUnit(unit) => units.push(unit),
                Action::PublishCodeList(list) => lists.push(list),
                other => panic!("not a publication of vocabulary: {other:?}"),
            }
        }
        assert_eq!(frameworks.len(), lines_with(FRAMEWORKS, "[[framework]]"));
        assert_eq!(units.len(), lines_with(UNITS, "[[unit]]"));
        let codes: Vec<_> = lists.iter().map(|list| list.code.as_str()).collect();
        assert_eq!(codes, [SOURCE_KIND_LIST, FIELD_LIST]);
        assert_eq!(
            lists[0].entries.len(),
            lines_with(SOURCE_KINDS, "[[entry]]")
        );
        assert_eq!(lists[1].entries.len(), lines_with(FIELDS, "{ code ="));
        assert!(frameworks.len() > 10 && units.len() > 10 && lists[1].entries.len() > 200);
        for list in lists {
            let distinct: BTreeSet<_> = list.entries.iter().map(|(code, _)| code).collect();
            assert_eq!(
                distinct.len(),
                list.entries.len(),
                "{} repeats a code",
                list.code
            );
        }
    }
}
