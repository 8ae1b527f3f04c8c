//! What holds of a state, however it came about.

use std::collections::{BTreeMap, BTreeSet};

use super::{Broken, broken, held, must};
use crate::Refusal;
use crate::ids::{Handle, Key};
use crate::registry::InstitutionStanding;
use crate::state::{Awaited, Fact, Learner, Record, RecordStanding, Standing, State, Version};

/// Following merges from any account ends.
///
/// # Errors
/// An account from which it does not.
pub fn merges_form_no_circle(state: &State) -> Result<(), Broken> {
    for (start, _) in state.learners() {
        let mut seen = BTreeSet::from([start]);
        let mut next = merged_into(state, start);
        while let Some(handle) = next {
            must(seen.insert(handle), "merges_form_no_circle", &start)?;
            next = merged_into(state, handle);
        }
    }
    Ok(())
}

/// What an account has taken in is closed into it, except between the two events of a separation.
///
/// # Errors
/// Absorber and absorbed.
pub fn every_absorbed_account_is_merged_into_its_absorber(state: &State) -> Result<(), Broken> {
    for (by, learner) in state.learners() {
        for of in &learner.absorbed {
            let Some(absorbed) = known(state, *of) else {
                continue;
            };
            let holds = absorbed.standing == Standing::Merged(by);
            must(
                holds,
                "every_absorbed_account_is_merged_into_its_absorber",
                &(by, of),
            )?;
        }
    }
    Ok(())
}

/// Whoever is closed by a merge stands once in the list of the account that took it in, except between the
/// two events of a merge or a separation.
///
/// # Errors
/// Absorbed and absorber.
pub fn every_merged_account_is_absorbed_once(state: &State) -> Result<(), Broken> {
    for (of, learner) in state.learners() {
        let Standing::Merged(by) = learner.standing else {
            continue;
        };
        let Some(absorber) = known(state, by) else {
            continue;
        };
        let n = absorber
            .absorbed
            .iter()
            .filter(|handle| **handle == of)
            .count();
        let awaited = match state.awaited() {
            Some(Awaited::Absorbed {
                by: awaited_by,
                of: awaited_of,
            }) => (*awaited_by, *awaited_of) == (by, of),
            Some(Awaited::Reopened {
                of: awaited_of,
                from,
            }) => (*from, *awaited_of) == (by, of),
            _ => false,
        };
        let expected = usize::from(!awaited);
        must(
            n == expected,
            "every_merged_account_is_absorbed_once",
            &(of, by, n),
        )?;
    }
    Ok(())
}

/// An account that is bound to no person carries no documents and no identities.
///
/// # Errors
/// The account.
pub fn a_provisional_account_has_no_attributes(state: &State) -> Result<(), Broken> {
    for (handle, learner) in state.learners() {
        let bare = learner.documents.is_empty() && learner.identities.is_empty();
        let holds = learner.provisional.is_none() || bare;
        must(holds, "a_provisional_account_has_no_attributes", &handle)?;
    }
    Ok(())
}

/// A record has at least one version, each recorded after the one before, and none after the head.
///
/// # Errors
/// The record.
pub fn versions_are_in_order_of_position_and_never_none(state: &State) -> Result<(), Broken> {
    for (key, record) in held(state) {
        let positions: Vec<u64> = record.versions.iter().map(|v| v.position.0).collect();
        let holds = positions.is_sorted_by(|one, next| one < next)
            && positions.last().is_some_and(|last| *last < state.size());
        must(
            holds,
            "versions_are_in_order_of_position_and_never_none",
            &(key, positions),
        )?;
    }
    Ok(())
}

/// The account that a record is with, and the one that it was first recorded for, exist.
///
/// # Errors
/// The record.
pub fn every_record_is_with_a_known_account(state: &State) -> Result<(), Broken> {
    for (key, record) in held(state) {
        let exists = |handle| !matches!(state.learner(handle), Ok(None));
        let holds = exists(record.learner) && exists(record.first_learner);
        must(
            holds,
            "every_record_is_with_a_known_account",
            &(key, record.learner),
        )?;
    }
    Ok(())
}

/// Who is erased holds nothing: the list of the erasure named every record.
///
/// # Errors
/// The record and the account.
pub fn no_record_is_with_an_erased_account(state: &State) -> Result<(), Broken> {
    for (key, record) in held(state) {
        let Ok((holder, account)) = state.resolve(record.learner) else {
            continue;
        };
        let holds = account.standing != Standing::Erased;
        must(holds, "no_record_is_with_an_erased_account", &(key, holder))?;
    }
    Ok(())
}

/// Outside of merges no account holds one result under two record ids that are not revoked.
///
/// # Errors
/// The account and the two records.
pub fn no_result_is_held_twice_outside_of_merges(state: &State) -> Result<(), Broken> {
    let mut seen: BTreeMap<(Handle, Key), Key> = BTreeMap::new();
    for (key, record) in held(state) {
        let revoked = matches!(record.standing, RecordStanding::Revoked(_));
        let result = latest(record).and_then(|version| version.result);
        let Some(result) = result.filter(|_| !revoked) else {
            continue;
        };
        // Two accounts that were joined may each have brought it.
        if let Some(other) = seen.insert((record.learner, result), key) {
            let found = (record.learner, key, other);
            return broken("no_result_is_held_twice_outside_of_merges", &found);
        }
    }
    Ok(())
}

/// Who claimed a result is a record that exists.
///
/// # Errors
/// The result and the record.
pub fn every_claim_names_a_known_record(state: &State) -> Result<(), Broken> {
    for fact in state.facts() {
        let Fact::Result(result, Some(record)) = fact else {
            continue;
        };
        let holds = !matches!(state.record(record), Ok(None));
        must(holds, "every_claim_names_a_known_record", &(result, record))?;
    }
    Ok(())
}

/// A student number that is linked leads to one account, open or erased.
///
/// # Errors
/// The student number and the account.
pub fn every_student_number_leads_to_one_account_or_nobody(state: &State) -> Result<(), Broken> {
    for fact in state.facts() {
        let Fact::Student(student, Some(link)) = fact else {
            continue;
        };
        let holds = !matches!(state.resolve(link.handle), Err(Refusal::Rejected(_)));
        let found = (student, link.handle);
        must(
            holds,
            "every_student_number_leads_to_one_account_or_nobody",
            &found,
        )?;
    }
    Ok(())
}

/// A request id that was used names an account.
///
/// # Errors
/// The request and the account.
pub fn every_request_names_the_account_that_it_opened(state: &State) -> Result<(), Broken> {
    for fact in state.facts() {
        let Fact::Request(request, Some(used)) = fact else {
            continue;
        };
        let holds =
            !matches!(state.learner(used.learner), Ok(None)) && used.position.0 < state.size();
        let found = (request, used.learner);
        must(
            holds,
            "every_request_names_the_account_that_it_opened",
            &found,
        )?;
    }
    Ok(())
}

/// Following parents from any institution ends, at one that is registered.
///
/// # Errors
/// An institution from which it does not.
pub fn parents_form_no_circle(state: &State) -> Result<(), Broken> {
    let institutions = &state.registry().institutions;
    for start in institutions.keys() {
        let mut seen = BTreeSet::from([start]);
        let mut next = institutions
            .get(start)
            .and_then(|found| found.profile.parent.as_ref());
        while let Some(id) = next {
            let holds = seen.insert(id) && institutions.contains_key(id);
            must(holds, "parents_form_no_circle", start)?;
            next = institutions
                .get(id)
                .and_then(|found| found.profile.parent.as_ref());
        }
    }
    Ok(())
}

/// A closed institution's successor is another one that is registered.
///
/// # Errors
/// The institution.
pub fn only_closed_institutions_have_successors_and_not_themselves(
    state: &State,
) -> Result<(), Broken> {
    let name = "only_closed_institutions_have_successors_and_not_themselves";
    let institutions = &state.registry().institutions;
    for (id, institution) in institutions {
        let InstitutionStanding::Closed {
            successor: Some(successor),
        } = &institution.standing
        else {
            continue;
        };
        must(
            successor != id && institutions.contains_key(successor),
            name,
            id,
        )?;
    }
    Ok(())
}

/// Between commands no pair of events is half done.
///
/// # Errors
/// What is awaited.
pub fn no_pair_is_left_half_done(state: &State) -> Result<(), Broken> {
    must(
        state.awaited().is_none(),
        "no_pair_is_left_half_done",
        &state.awaited(),
    )
}

fn merged_into(state: &State, handle: Handle) -> Option<Handle> {
    match known(state, handle)?.standing {
        Standing::Merged(into) => Some(into),
        Standing::Open | Standing::Erased => None,
    }
}

fn known(state: &State, handle: Handle) -> Option<&Learner> {
    state.learner(handle).ok().flatten()
}

fn latest(record: &Record) -> Option<&Version> {
    record.versions.last()
}
