//! Balances: sums of what is held, by unit, level, field and state.
//!
//! Computed from the holdings when asked, because the day decides what has expired.

use std::collections::BTreeMap;

use super::{Account, HoldingState};
use crate::amount::Credits;
use crate::ids::Date;
use crate::words::{Achievement, Level};

/// What an account holds on a day.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Balance {
    /// What counts, by unit. Achievements without a size are in no unit.
    pub totals: BTreeMap<String, Sum>,
    /// Everything, by unit, level, field and state; earlier versions too, as superseded.
    pub lines: BTreeMap<LineKey, Sum>,
}

/// What a line sums up. Ordered by unit, level, field, state.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct LineKey {
    /// The unit; empty without a size.
    pub unit: String,
    /// The level.
    pub level: Option<Level>,
    /// ISCED-F code; empty without one.
    pub field: String,
    /// The state.
    pub state: HoldingState,
}

/// A number of achievements and the sum of their sizes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Sum {
    /// How many.
    pub count: u64,
    /// How much.
    pub amount: Credits,
}

impl Sum {
    fn add(&mut self, amount: Credits) {
        self.count += 1;
        let sum = self.amount.checked_add(amount);
        self.amount = sum.expect(SUMS_FIT);
    }
}

/// 2^32 achievements, more than one learner can have, of at most 100,000 units in thousandths make
/// 4.3 * 10^17, below 2^63. The limit on one amount is kept by [`crate::codec`] as well.
pub(super) const SUMS_FIT: &str = "sums of bounded amounts stay within 64 bits";

impl Account {
    /// The balance on a day: what has expired before it does not count.
    #[must_use]
    pub fn balance(&self, on: Date) -> Balance {
        let mut balance = Balance::default();
        for (idx, held) in self
            .holdings
            .iter()
            .enumerate()
            .filter(|(_, held)| held.attached)
        {
            let state = self.state_of(idx, on);
            balance.add(held.achievement().map(AsRef::as_ref), state);
            if state == HoldingState::Erased {
                continue;
            }
            let earlier = held.versions.iter().rev().skip(1);
            for version in earlier {
                balance.add(version.achievement.as_deref(), HoldingState::Superseded);
            }
        }
        balance
    }
}

impl Balance {
    fn add(&mut self, content: Option<&Achievement>, state: HoldingState) {
        let size = content.and_then(|content| content.size.as_ref());
        let amount = size.map_or(Credits::ZERO, |size| size.amount);
        let key = LineKey {
            unit: size.map_or_else(String::new, |size| size.unit.clone()),
            level: content.and_then(|content| content.level.clone()),
            field: content.map_or_else(String::new, |content| content.field.clone()),
            state,
        };
        if let (HoldingState::Recorded, Some(size)) = (state, size) {
            self.totals
                .entry(size.unit.clone())
                .or_default()
                .add(amount);
        }
        self.lines.entry(key).or_default().add(amount);
    }
}
