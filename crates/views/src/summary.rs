//! A summary: what of an account its balance on any day is made from, and nothing else.
//!
//! Apart from `account`, which says when a summary may be used. The account's rules stay with
//! [`ledger::account`]: a summary holds their outcome, summed up. Only expiry depends on the day, so a
//! line says what its holdings are up to their last day of validity and what after it.

use std::collections::{BTreeMap, BTreeSet};

use ledger::account::{Account, Balance, Holding, HoldingState, LineKey, Sum};
use ledger::words::{Achievement, Level};
use ledger::{Credits, Date, Handle, Revision};
use serde::{Deserialize, Serialize};

/// An account in numbers and codes.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(crate) struct Summary {
    /// The accounts whose events it is made from, each with the position of its last one.
    pub(crate) tips: Vec<([u8; 16], u64)>,
    pub(crate) provisional: bool,
    pub(crate) closed: bool,
    /// Whether any of the accounts has been erased as a whole; then it is not stored.
    #[serde(skip)]
    pub(crate) erased: bool,
    /// Whose records are with it, in order.
    pub(crate) issuers: Vec<String>,
    revision: u64,
    lines: Vec<Line>,
}

/// Holdings and earlier versions that are alike.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
struct Line {
    alike: Alike,
    count: u64,
    /// In thousandths.
    amount: u64,
}

/// In what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Alike {
    /// `None` without a size.
    unit: Option<String>,
    /// Framework and code.
    level: Option<(String, String)>,
    field: String,
    #[serde(with = "State")]
    state: HoldingState,
    expiry: Option<Expiry>,
}

/// When the state changes without an event, and to what.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
struct Expiry {
    /// Last day of validity, in days since 1970-01-01.
    last_day: i32,
    #[serde(with = "State")]
    state_after: HoldingState,
}

/// How [`HoldingState`] is encoded; the compiler compares the two.
#[derive(Serialize, Deserialize)]
#[serde(remote = "HoldingState")]
enum State {
    Recorded,
    Pending,
    Suspended,
    Revoked,
    Expired,
    Superseded,
    Duplicate,
    Erased,
    NoDeposit,
}

impl Summary {
    /// Sums an account up.
    pub(crate) fn of(account: &Account, tips: &BTreeMap<Handle, u64>) -> Summary {
        let mut sums = BTreeMap::<Alike, (u64, u64)>::new();
        let mut add = |content: Option<&Achievement>, alike: Alike| {
            let size = content.and_then(|content| content.size.as_ref());
            let (count, amount) = sums.entry(alike).or_default();
            *count += 1;
            *amount += size.map_or(0, |size| size.amount.thousandths());
        };
        for held in account.holdings() {
            let content = held.achievement().map(|content| &**content);
            add(content, alike_of_holding(account, held, content));
            if held.is_erased() {
                continue;
            }
            for earlier in held.versions().iter().rev().skip(1) {
                let content = earlier.achievement.as_deref();
                add(content, alike(content, HoldingState::Superseded, None));
            }
        }
        let names = account.holdings().filter_map(Holding::name);
        let issuers: BTreeSet<_> = names.map(|name| name.issuer.as_str().to_owned()).collect();
        let line = |(alike, (count, amount))| Line {
            alike,
            count,
            amount,
        };
        Summary {
            tips: tips.iter().map(|(member, tip)| (member.0, *tip)).collect(),
            issuers: issuers.into_iter().collect(),
            provisional: account.is_provisional(),
            closed: account.is_closed(),
            erased: false,
            revision: account.revision().0,
            lines: sums.into_iter().map(line).collect(),
        }
    }

    /// The balance on a day, equal to [`Account::balance`].
    pub(crate) fn balance(&self, on: Date) -> Balance {
        let mut balance = Balance::default();
        for Line {
            alike,
            count,
            amount,
        } in &self.lines
        {
            let state = match &alike.expiry {
                Some(expiry) if on.to_epoch_days() > expiry.last_day => expiry.state_after,
                _ => alike.state,
            };
            let level = alike.level.clone();
            let key = LineKey {
                unit: alike.unit.clone().unwrap_or_default(),
                level: level.map(|(framework, code)| Level { framework, code }),
                field: alike.field.clone(),
                state,
            };
            if let (HoldingState::Recorded, Some(unit)) = (state, &alike.unit) {
                add(
                    balance.totals.entry(unit.clone()).or_default(),
                    *count,
                    *amount,
                );
            }
            add(balance.lines.entry(key).or_default(), *count, *amount);
        }
        balance
    }

    pub(crate) fn revision(&self) -> Revision {
        Revision(self.revision)
    }
}

fn add(sum: &mut Sum, count: u64, amount: u64) {
    let amount = sum.amount.checked_add(Credits::from_thousandths(amount));
    sum.amount = amount.expect("the account's own sums of the same amounts fit");
    sum.count += count;
}

fn alike_of_holding(account: &Account, held: &Holding, content: Option<&Achievement>) -> Alike {
    let (Some(name), Some(content)) = (held.name(), content) else {
        return alike(None, HoldingState::Erased, None);
    };
    let state = |on| account.state(name, on).unwrap_or(HoldingState::Erased);
    // A last day at the end of the calendar never passes.
    match content
        .expires
        .and_then(|last| Some((last, last.succ_opt()?)))
    {
        None => alike(Some(content), state(content.awarded), None),
        Some((last, next)) => {
            let expiry = Expiry {
                last_day: last.to_epoch_days(),
                state_after: state(next),
            };
            alike(Some(content), state(last), Some(expiry))
        }
    }
}

fn alike(content: Option<&Achievement>, state: HoldingState, expiry: Option<Expiry>) -> Alike {
    let size = content.and_then(|content| content.size.as_ref());
    let level = content.and_then(|content| content.level.as_ref());
    Alike {
        unit: size.map(|size| size.unit.clone()),
        level: level.map(|level| (level.framework.clone(), level.code.clone())),
        field: content.map_or_else(String::new, |content| content.field.clone()),
        state,
        // Where nothing changes, the day makes no difference and lines need not be apart.
        expiry: expiry.filter(|expiry| expiry.state_after != state),
    }
}
