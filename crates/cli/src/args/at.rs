//! `--at`: which state of the ledger an answer shows.
//!
//! Apart from the commands because every one that asks takes it.

use api::v1;
use clap::Args;

use super::value;

/// Asks for an earlier state.
#[derive(Debug, Clone, Default, Args)]
pub(crate) struct At {
    /// As it was: with the first SIZE records, or at the end of that day in UTC; what has been erased
    /// since is not shown
    #[arg(long, value_name = "SIZE|DATE", value_parser = at)]
    at: Option<v1::AsOf>,
}

impl At {
    /// As it is sent; nothing for the ledger as it stands.
    pub(crate) fn as_of(&self) -> Option<v1::AsOf> {
        self.at.clone()
    }
}

fn at(text: &str) -> Result<v1::AsOf, String> {
    if let Ok(size) = text.parse::<u64>() {
        if size == 0 {
            return Err("there is nothing to show of a ledger without records".to_owned());
        }
        return Ok(v1::AsOf {
            size,
            ..v1::AsOf::default()
        });
    }
    let date = value::date(text)
        .map_err(|_| "say a number of records, or a day such as 2026-11-21".to_owned())?;
    Ok(v1::AsOf {
        date,
        ..v1::AsOf::default()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_state_is_a_size_or_a_day() {
        assert_eq!(at("41").unwrap().size, 41);
        assert_eq!(at("2026-11-21").unwrap().date, "2026-11-21");
        for bad in ["", "0", "-1", "yesterday", "2026-11"] {
            assert!(at(bad).is_err(), "{bad}");
        }
    }
}
