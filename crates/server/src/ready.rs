//! Whether a server can do its work: what keeps it from it, each as a sentence for its operator.
//!
//! Apart from the services because it is asked of the whole: the writer, the views, the clock and the disk.

use durable::Space;
use store::EventStore;

use crate::clock::ClockJumped;
use crate::services::Context;

/// What readiness asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Needs {
    /// Records that the views may be behind.
    pub(crate) views_lag_max: u64,
    /// Bytes that must be left on the disk.
    pub(crate) space_min: u64,
}

/// What a server's work depends on, at one moment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Vitals {
    writer_stopped: bool,
    clock: Option<ClockJumped>,
    /// Bytes left on the disk, when the machine says it.
    available: Option<u64>,
    views_stopped: bool,
    views_lag: u64,
}

impl Vitals {
    pub(crate) fn of<S: EventStore>(
        context: &Context<S>,
        head_size: Option<u64>,
        space: Option<Space>,
    ) -> Self {
        let applied = context.views.applied();
        let writer_stopped = context.engine.stopped().borrow().is_some();
        Vitals {
            writer_stopped: writer_stopped || head_size.is_none(),
            clock: context.engine.clock_jumped(),
            available: space.map(|space| space.available),
            views_stopped: context.views_stopped.borrow().is_some(),
            views_lag: head_size.map_or(0, |size| size.saturating_sub(applied)),
        }
    }

    /// What keeps the server from its work; nothing when it is ready.
    pub(crate) fn obstacles(&self, needs: Needs) -> Vec<String> {
        let mut found = Vec::new();
        if self.writer_stopped {
            found.push(
                "the writer has stopped, and takes no records until the server is restarted; its log says \
                 why"
                .to_owned(),
            );
        }
        if let Some(jumped) = self.clock {
            found.push(jumped.to_string());
        }
        let short = self.available.filter(|bytes| *bytes < needs.space_min);
        if let Some(available) = short {
            let min = needs.space_min;
            found.push(format!(
                "{available} bytes are left on the disk of the ledger, and the next segment takes {min}: \
                 make room, or move the ledger to a larger disk"
            ));
        }
        let (lag, max) = (self.views_lag, needs.views_lag_max);
        if self.views_stopped {
            found.push(
                "the views have stopped, and lists are refused until the server is restarted; its log says \
                 why"
                .to_owned(),
            );
        } else if lag > max {
            found.push(format!(
                "the views are {lag} records behind, and {max} are allowed: they catch up by themselves; \
                 lists are refused meanwhile, and everything else is served"
            ));
        }
        found
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    const NEEDS: Needs = Needs {
        views_lag_max: 10,
        space_min: 1000,
    };
    const WELL: Vitals = Vitals {
        writer_stopped: false,
        clock: None,
        available: Some(1000),
        views_stopped: false,
        views_lag: 10,
    };

    #[test]
    fn a_server_that_is_well_is_ready() {
        assert_eq!(WELL.obstacles(NEEDS), Vec::<String>::new());
        let unknown = Vitals {
            available: None,
            ..WELL
        };
        assert_eq!(unknown.obstacles(NEEDS), Vec::<String>::new());
    }

    #[test]
    fn every_obstacle_is_a_sentence_with_what_to_do() {
        let jumped = ClockJumped {
            by: Duration::from_secs(900),
            forward: true,
        };
        let cases = [
            (
                Vitals {
                    writer_stopped: true,
                    ..WELL
                },
                "until the server is restarted",
            ),
            (
                Vitals {
                    clock: Some(jumped),
                    ..WELL
                },
                "put the clock right",
            ),
            (
                Vitals {
                    available: Some(999),
                    ..WELL
                },
                "999 bytes are left",
            ),
            (
                Vitals {
                    views_stopped: true,
                    views_lag: 11,
                    ..WELL
                },
                "the views have stopped",
            ),
            (
                Vitals {
                    views_lag: 11,
                    ..WELL
                },
                "the views are 11 records behind, and 10 are allowed",
            ),
        ];
        for (vitals, said) in cases {
            let found = vitals.obstacles(NEEDS);
            assert_eq!(found.len(), 1, "{found:?}");
            assert!(found[0].contains(said), "{found:?}");
        }
    }
}
