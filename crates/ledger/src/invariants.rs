//! The invariants of a ledger's state, one function each, named as a sentence.
//!
//! Apart from [`crate::admit`](mod@crate::admit) because these are not rules for one event but what the rules
//! together must keep true: tests check them after every event, and whoever rebuilt a complete state may.
//! Each looks at all that the state knows, so its cost grows with the state. On a partial state they say
//! less, never something wrong: what is not loaded is passed over.

mod standing;
mod step;

use std::fmt::Debug;

use crate::event::Event;
use crate::ids::Key;
use crate::state::{Record, RecordFact, State};

pub use standing::{
    a_provisional_account_has_no_attributes, every_absorbed_account_is_merged_into_its_absorber,
    every_claim_names_a_known_record, every_merged_account_is_absorbed_once,
    every_record_is_with_a_known_account, every_request_names_the_account_that_it_opened,
    every_student_number_leads_to_one_account_or_nobody, merges_form_no_circle,
    no_pair_is_left_half_done, no_record_is_with_an_erased_account,
    no_result_is_held_twice_outside_of_merges,
    only_closed_institutions_have_successors_and_not_themselves, parents_form_no_circle,
    versions_are_in_order_of_position_and_never_none,
};
pub use step::{
    a_closed_institution_stays_closed, a_published_level_keeps_its_place,
    a_request_keeps_its_answer, a_revoked_record_stays_revoked,
    a_suppressed_record_stays_suppressed, a_unit_keeps_what_it_measures,
    an_erased_account_stays_erased, every_event_has_the_next_position, pairs_are_neighbours,
    revision_counts_the_events_on_the_chain, versions_are_only_added,
};

/// An invariant that does not hold: its name and what contradicts it.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{invariant}: {found}")]
pub struct Broken {
    /// The name of the function in this module.
    pub invariant: &'static str,
    /// What was found.
    pub found: String,
}

/// Everything that holds of a state after any event.
///
/// # Errors
/// The first that does not hold.
pub fn of_state(state: &State) -> Result<(), Broken> {
    merges_form_no_circle(state)?;
    every_absorbed_account_is_merged_into_its_absorber(state)?;
    every_merged_account_is_absorbed_once(state)?;
    a_provisional_account_has_no_attributes(state)?;
    versions_are_in_order_of_position_and_never_none(state)?;
    every_record_is_with_a_known_account(state)?;
    no_record_is_with_an_erased_account(state)?;
    no_result_is_held_twice_outside_of_merges(state)?;
    every_claim_names_a_known_record(state)?;
    every_student_number_leads_to_one_account_or_nobody(state)?;
    every_request_names_the_account_that_it_opened(state)?;
    parents_form_no_circle(state)?;
    only_closed_institutions_have_successors_and_not_themselves(state)
}

/// Everything that holds from one state to the next.
///
/// # Errors
/// The first that does not hold.
pub fn of_step(before: &State, event: &Event, after: &State) -> Result<(), Broken> {
    every_event_has_the_next_position(before, after)?;
    revision_counts_the_events_on_the_chain(before, event, after)?;
    a_revoked_record_stays_revoked(before, after)?;
    a_suppressed_record_stays_suppressed(before, after)?;
    versions_are_only_added(before, after)?;
    an_erased_account_stays_erased(before, after)?;
    a_request_keeps_its_answer(before, after)?;
    a_published_level_keeps_its_place(before, after)?;
    a_unit_keeps_what_it_measures(before, after)?;
    a_closed_institution_stays_closed(before, after)
}

fn held(state: &State) -> impl Iterator<Item = (Key, &Record)> {
    state.records().filter_map(|(key, fact)| match fact {
        RecordFact::Held(record) => Some((key, record)),
        RecordFact::Suppressed => None,
    })
}

fn must(holds: bool, invariant: &'static str, found: &impl Debug) -> Result<(), Broken> {
    if holds {
        Ok(())
    } else {
        broken(invariant, found)
    }
}

fn broken(invariant: &'static str, found: &impl Debug) -> Result<(), Broken> {
    Err(Broken {
        invariant,
        found: format!("{found:?}"),
    })
}
