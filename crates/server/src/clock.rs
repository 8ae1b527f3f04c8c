//! The clock: the only place of the project that reads the time.
//!
//! Apart from everything else because a ledger's recorded-at may never decrease: a wall clock that
//! jumps far ahead once would poison every later record. So the wall clock is compared with the
//! monotonic clock at every reading, and a jump stops commits until an operator has looked at it.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use ledger::Timestamp;
use tokio::sync::watch;

/// How far the two clocks may part between two readings.
pub const JUMP_MAX: Duration = Duration::from_secs(5 * 60);

/// Longest sleep before the wall clock is looked at again.
const LOOK_AGAIN: Duration = Duration::from_secs(60);

/// The wall clock moved by itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the wall clock jumped by {} s {} (more than {} s): commits are stopped; put the clock right, or \
     restart the server if it is right now",
    .by.as_secs(),
    if *.forward { "ahead" } else { "back" },
    JUMP_MAX.as_secs()
)]
pub struct ClockJumped {
    /// By how much.
    pub by: Duration,
    /// Whether ahead, rather than back.
    pub forward: bool,
}

/// Reads the time and notices when it jumps.
#[derive(Debug)]
pub struct Clock {
    source: Source,
    /// The last reading that was believed.
    believed: Mutex<Reading>,
}

impl Clock {
    /// The machine's clock, believed as it stands now.
    #[must_use]
    pub fn system() -> Self {
        Self::on(Source::Machine { started: start() })
    }

    /// A clock that stands still until it is told otherwise, for tests.
    #[must_use]
    pub fn manual(now: Timestamp) -> (Self, ManualClock) {
        let reading = Reading {
            wall: Duration::from_micros(now.0),
            monotonic: Duration::ZERO,
        };
        let hands = ManualClock(Arc::new(watch::Sender::new(reading)));
        (Self::on(Source::Manual(hands.clone())), hands)
    }

    fn on(source: Source) -> Self {
        let believed = Mutex::new(source.read());
        Clock { source, believed }
    }

    /// The time, for a commit.
    ///
    /// Small differences are followed, so that slow drift never adds up to a jump. A jump is believed
    /// neither now nor later: the answer is an error until the wall clock is back where it should be.
    /// The monotonic clock may stand still while a machine sleeps, which then counts as a jump.
    ///
    /// # Errors
    /// [`ClockJumped`] when the wall clock left the monotonic one by more than [`JUMP_MAX`] since the
    /// last time that was believed.
    pub fn now(&self) -> Result<Timestamp, ClockJumped> {
        let read = self.source.read();
        let mut believed = lock(&self.believed);
        if let Some(jumped) = believed.parted_from(read) {
            return Err(jumped);
        }
        // Two threads may come here out of order; the later reading stays.
        if read.monotonic >= believed.monotonic {
            *believed = read;
        }
        Ok(timestamp(read.wall))
    }

    /// By how much the wall clock has jumped, if a commit would be refused for it now.
    #[must_use]
    pub fn jumped(&self) -> Option<ClockJumped> {
        let believed = *lock(&self.believed);
        believed.parted_from(self.source.read())
    }

    /// The wall clock as it stands, jumped or not, for what is never recorded.
    #[must_use]
    pub fn wall(&self) -> Timestamp {
        timestamp(self.source.read().wall)
    }

    /// Returns when the wall clock has reached a time. It is looked at once a minute at least, because it
    /// may be put forward and the machine may sleep.
    pub async fn wait_until(&self, at: Timestamp) {
        let at = Duration::from_micros(at.0);
        match &self.source {
            Source::Machine { .. } => loop {
                let left = at.saturating_sub(wall());
                if left.is_zero() {
                    return;
                }
                tokio::time::sleep(left.min(LOOK_AGAIN)).await;
            },
            Source::Manual(hands) => {
                let mut moved = hands.0.subscribe();
                // The hands are held here, so that they cannot have gone.
                let _ = moved.wait_for(|reading| reading.wall >= at).await;
            }
        }
    }
}

/// The hands of a manual clock.
#[derive(Debug, Clone)]
pub struct ManualClock(Arc<watch::Sender<Reading>>);

impl ManualClock {
    /// Lets time pass.
    pub fn advance(&self, by: Duration) {
        self.0.send_modify(|reading| {
            reading.wall = reading.wall.saturating_add(by);
            reading.monotonic = reading.monotonic.saturating_add(by);
        });
    }

    /// Sets the wall clock, while no time passes.
    pub fn set_wall(&self, to: Timestamp) {
        let wall = Duration::from_micros(to.0);
        self.0.send_modify(|reading| reading.wall = wall);
    }
}

#[derive(Debug)]
enum Source {
    Machine { started: Instant },
    Manual(ManualClock),
}

/// Both clocks at one moment.
#[derive(Debug, Clone, Copy)]
struct Reading {
    /// Since the Unix epoch.
    wall: Duration,
    /// Since the clock was made.
    monotonic: Duration,
}

impl Reading {
    /// How far a later reading is from what this one lets expect, if too far to be believed.
    fn parted_from(self, later: Reading) -> Option<ClockJumped> {
        let passed = later.monotonic.saturating_sub(self.monotonic);
        let expected = self.wall.saturating_add(passed);
        let by = later.wall.abs_diff(expected);
        (by > JUMP_MAX).then_some(ClockJumped {
            by,
            forward: later.wall > expected,
        })
    }
}

impl Source {
    fn read(&self) -> Reading {
        match self {
            Self::Machine { started } => Reading {
                wall: wall(),
                monotonic: started.elapsed(),
            },
            Self::Manual(hands) => *hands.0.borrow(),
        }
    }
}

#[allow(clippy::disallowed_methods, reason = "this file alone reads the time")]
fn start() -> Instant {
    Instant::now()
}

/// A wall clock before 1970 counts as 1970: the jump check tells the operator soon enough.
#[allow(clippy::disallowed_methods, reason = "this file alone reads the time")]
fn wall() -> Duration {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .unwrap_or(Duration::ZERO)
}

fn timestamp(wall: Duration) -> Timestamp {
    Timestamp(u64::try_from(wall.as_micros()).unwrap_or(u64::MAX))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    // Nothing panics while it holds one of these locks.
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_764_000_000_000_000);

    fn after(seconds: u64) -> Timestamp {
        Timestamp(NOON.0 + seconds * 1_000_000)
    }

    #[test]
    fn time_that_passes_is_believed() {
        let (clock, hands) = Clock::manual(NOON);
        assert_eq!(clock.now(), Ok(NOON));
        hands.advance(Duration::from_secs(7 * 86_400));
        assert_eq!(clock.now(), Ok(after(7 * 86_400)));
    }

    #[test]
    fn small_corrections_are_followed_and_do_not_add_up() {
        let (clock, hands) = Clock::manual(NOON);
        for step in 1..=10 {
            hands.set_wall(after(step * 299));
            assert_eq!(clock.now(), Ok(after(step * 299)));
        }
    }

    #[test]
    fn a_jump_is_refused_until_the_clock_is_back() {
        let (clock, hands) = Clock::manual(NOON);
        hands.set_wall(after(301));
        let jumped = ClockJumped {
            by: Duration::from_secs(301),
            forward: true,
        };
        assert_eq!(clock.now(), Err(jumped));
        assert_eq!(clock.jumped(), Some(jumped));
        assert_eq!(clock.wall(), after(301));
        assert!(
            jumped
                .to_string()
                .starts_with("the wall clock jumped by 301 s ahead")
        );
        hands.set_wall(after(1));
        assert_eq!(clock.jumped(), None);
        assert_eq!(clock.now(), Ok(after(1)));
        hands.set_wall(Timestamp(0));
        assert!(matches!(
            clock.now(),
            Err(ClockJumped { forward: false, .. })
        ));
    }

    #[tokio::test]
    async fn a_time_can_be_waited_for() {
        let (clock, hands) = Clock::manual(NOON);
        clock.wait_until(NOON).await;
        let (ended, ()) = tokio::join!(
            async {
                clock.wait_until(after(2)).await;
                clock.wall()
            },
            async {
                hands.advance(Duration::from_secs(1));
                tokio::task::yield_now().await;
                hands.advance(Duration::from_secs(1));
            }
        );
        assert_eq!(ended, after(2));
        let machine = Clock::system();
        machine.wait_until(machine.wall()).await;
    }

    #[test]
    fn the_machine_has_a_clock() {
        let clock = Clock::system();
        let first = clock.now().unwrap();
        assert!(first <= clock.now().unwrap());
        assert!(first > Timestamp(1_700_000_000_000_000));
    }
}
