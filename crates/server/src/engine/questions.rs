//! Questions: what a reference or a record's name leads to, now or when the ledger was smaller.
//!
//! Apart from the commands because nothing is decided by the answers: they come from the store alone,
//! and neither the writer nor the views are waited for.

use std::sync::Arc;

use ledger::registry::Registry;
use ledger::state::RecordFact;
use ledger::words::{LearnerReference, RecordName};
use ledger::{Actor, Handle, Refusal, Rejection, State};
use store::EventStore;

use super::fault::EngineFault;
use super::load::Loader;
use super::open::{registry_after, registry_positions};
use super::{Engine, Found, Inner};

impl<S: EventStore> Engine<S> {
    /// The learner that a record is with, after merges; `None` when there is no such record.
    ///
    /// # Errors
    /// A fault.
    pub async fn record(&self, name: &RecordName) -> Result<Option<Handle>, EngineFault> {
        self.record_below(name, None).await
    }

    /// The same, by the first so many records alone.
    ///
    /// # Errors
    /// A fault.
    pub async fn record_below(
        &self,
        name: &RecordName,
        below: Option<u64>,
    ) -> Result<Option<Handle>, EngineFault> {
        let key = self.inner.secret.record_name(name);
        let found = self
            .inner
            .ask_below(below, |state| match state.record(key)? {
                Some(RecordFact::Held(record)) => Ok(Some(state.resolve(record.learner)?.0)),
                _ => Ok(None),
            });
        Ok(found.await?.unwrap_or_default())
    }

    /// The open account that a reference leads to, after merges.
    ///
    /// # Errors
    /// A fault; a rejection is inside.
    pub async fn resolve(
        &self,
        actor: &Actor,
        reference: &LearnerReference,
    ) -> Result<Result<Found, Rejection>, EngineFault> {
        self.resolve_below(actor, reference, None).await
    }

    /// The same, by the first so many records alone. Who may name whom is judged as things stand now.
    ///
    /// # Errors
    /// A fault; a rejection is inside.
    pub async fn resolve_below(
        &self,
        actor: &Actor,
        reference: &LearnerReference,
        below: Option<u64>,
    ) -> Result<Result<Found, Rejection>, EngineFault> {
        let now = self.now();
        self.inner
            .ask_below(below, |state| {
                ledger::find_learner(state, actor, reference, now)
            })
            .await
    }

    /// Institutions and vocabulary, as far as durable, and how many records they reflect.
    #[must_use]
    pub fn registry_and_size(&self) -> (Arc<Registry>, u64) {
        let published = self.inner.published();
        (Arc::clone(published.base.registry()), published.head.size)
    }

    /// Where the registry's events lie, among the first so many records.
    ///
    /// # Errors
    /// When the store fails.
    pub async fn registry_positions(&self, size: u64) -> Result<Vec<chain::Position>, EngineFault> {
        registry_positions(&*self.inner.store, &self.inner.opened, size).await
    }

    /// The registry as these events made it.
    ///
    /// # Errors
    /// When the store fails, or what lies there is none.
    pub async fn registry_after(
        &self,
        positions: &[chain::Position],
    ) -> Result<Arc<Registry>, EngineFault> {
        let state = registry_after(&*self.inner.store, positions).await?;
        Ok(Arc::clone(state.registry()))
    }
}

impl<S: EventStore> Inner<S> {
    /// Asks a question of a partial state, loading what it lacks, until it answers.
    pub(super) async fn ask<T>(
        &self,
        question: impl Fn(&State) -> Result<T, Refusal>,
    ) -> Result<Result<T, Rejection>, EngineFault> {
        self.ask_below(None, question).await
    }

    async fn ask_below<T>(
        &self,
        below: Option<u64>,
        question: impl Fn(&State) -> Result<T, Refusal>,
    ) -> Result<Result<T, Rejection>, EngineFault> {
        let mut state = self.published().base;
        let loader = Loader {
            below,
            ..self.loader()
        };
        loop {
            match question(&state) {
                Ok(answer) => return Ok(Ok(answer)),
                Err(Refusal::Rejected(rejection)) => return Ok(Err(rejection)),
                Err(Refusal::Unloaded(need)) => {
                    for loaded in loader.load(&[need]).await? {
                        state.load(loaded.fact);
                    }
                }
            }
        }
    }
}
