//! Waiting for a time: until it has come, and until nothing can be recorded any more as of before it.
//!
//! Apart from the engine's other questions because only streams ask it, at midnight: what expires on a day
//! has its place after every record of the day before.

use ledger::Timestamp;
use store::EventStore;

use super::{Engine, EngineFault, Mode};

impl<S: EventStore> Engine<S> {
    /// Returns when the wall clock has reached a time.
    pub async fn wait_until(&self, at: Timestamp) {
        self.inner.clock.wait_until(at).await;
    }

    /// The time, once every record that may be stamped with an earlier one is durable.
    ///
    /// Order: the time is read, then a job without commands goes through the writer. The writer stamps
    /// whatever it takes up after that job with a time of its own, which is no earlier.
    ///
    /// # Errors
    /// A fault: the clock cannot be believed, or the writer has stopped and records nothing more.
    pub async fn settled(&self) -> Result<Timestamp, EngineFault> {
        let now = self.now();
        self.execute(Vec::new(), Mode::Each).await?;
        Ok(now)
    }
}
