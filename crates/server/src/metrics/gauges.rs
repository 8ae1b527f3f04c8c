//! Gauges: figures that are read off the server and the machine when the metrics are fetched.
//!
//! Apart from what is counted because nothing here costs anything while nobody asks.

use prometheus_client::metrics::info::Info;
use prometheus_client::registry::{Registry, Unit};
use store::EventStore;

use super::process::Process;
use super::{Gauge, Moment};
use crate::services::Context;

/// The gauges.
#[derive(Debug, Default)]
pub(crate) struct Gauges {
    head_records: Gauge,
    views_applied: Gauge,
    views_lag: Gauge,
    views_following: Gauge,
    writer_running: Gauge,
    clock_jumped: Gauge,
    in_flight: Gauge,
    in_flight_max: Gauge,
    streams_open: Gauge,
    streams_max: Gauge,
    data_available: Gauge,
    data_total: Gauge,
    resident: Gauge,
    open_files: Gauge,
    open_files_max: Gauge,
    threads: Gauge,
}

impl Gauges {
    pub(super) fn register(root: &mut Registry) -> Self {
        let gauges = Gauges::default();
        gauges.register_process(root);
        let ours = root.sub_registry_with_prefix("creditbank");
        let about = vec![
            ("version", env!("CARGO_PKG_VERSION").to_owned()),
            ("rules", ledger::RULES_VERSION.to_string()),
            ("segment_format", chain::SEGMENT_FORMAT.to_string()),
            ("views_format", views::FORMAT.to_string()),
        ];
        let help = "Versions of the program, the rules, and the formats of the log and the views";
        ours.register("build", help, Info::new(about));
        let plain = [
            ("head_records", "Size of the ledger", &gauges.head_records),
            (
                "views_applied_records",
                "Records that the views reflect",
                &gauges.views_applied,
            ),
            (
                "views_lag_records",
                "Records that the views do not reflect yet",
                &gauges.views_lag,
            ),
            (
                "views_following",
                "1 while the views follow the log, 0 when they have stopped",
                &gauges.views_following,
            ),
            (
                "writer_running",
                "1 while records are taken, 0 when the writer has stopped until a restart",
                &gauges.writer_running,
            ),
            (
                "clock_jumped",
                "1 while the wall clock has jumped and commits are refused",
                &gauges.clock_jumped,
            ),
            (
                "commands_in_flight",
                "Commands that are being carried out",
                &gauges.in_flight,
            ),
            (
                "commands_in_flight_max",
                "Commands that may be in flight; more are refused as OVERLOADED",
                &gauges.in_flight_max,
            ),
            (
                "streams_open",
                "Streams that are open",
                &gauges.streams_open,
            ),
            (
                "streams_open_max",
                "Streams that may be open; more are refused as TOO_MANY_STREAMS",
                &gauges.streams_max,
            ),
        ];
        for (name, help, gauge) in plain {
            ours.register(name, help, gauge.clone());
        }
        let help = "Bytes that may still be written where the ledger is";
        let available = gauges.data_available.clone();
        ours.register_with_unit("data_available", help, Unit::Bytes, available);
        let help = "Size of the file system that holds the ledger";
        ours.register_with_unit("data_total", help, Unit::Bytes, gauges.data_total.clone());
        gauges
    }

    /// Under the names that every Prometheus client gives them.
    fn register_process(&self, root: &mut Registry) {
        let process = root.sub_registry_with_prefix("process");
        let help = "Memory of the process";
        let resident = self.resident.clone();
        process.register_with_unit("resident_memory", help, Unit::Bytes, resident);
        process.register("open_fds", "Open files", self.open_files.clone());
        let max = self.open_files_max.clone();
        process.register("max_fds", "Files that may be open", max);
        process.register("threads", "Threads", self.threads.clone());
    }

    /// Reads them.
    pub(super) fn read<S: EventStore>(&self, context: &Context<S>, moment: Moment) {
        let engine = &context.engine;
        let applied = context.views.applied();
        self.views_applied.set(applied);
        if let Some(size) = moment.head_size {
            self.head_records.set(size);
            self.views_lag.set(size.saturating_sub(applied));
        }
        let is_none = |reason: &Option<String>| u64::from(reason.is_none());
        self.views_following
            .set(is_none(&context.views_stopped.borrow()));
        self.writer_running.set(is_none(&engine.stopped().borrow()));
        self.clock_jumped
            .set(u64::from(engine.clock_jumped().is_some()));
        let (in_flight, max) = context.in_flight();
        self.in_flight.set(in_flight);
        self.in_flight_max.set(max);
        let (open, max) = context.streams.open_count();
        self.streams_open.set(open);
        self.streams_max.set(max);
        if let Some(space) = moment.space {
            self.data_available.set(space.available);
            self.data_total.set(space.total);
        }
        let process = Process::read();
        let figures = [
            (process.resident_bytes, &self.resident),
            (process.open_files, &self.open_files),
            (process.open_files_max, &self.open_files_max),
            (process.threads, &self.threads),
        ];
        for (figure, gauge) in figures {
            if let Some(figure) = figure {
                gauge.set(figure);
            }
        }
    }
}
