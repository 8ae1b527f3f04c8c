//! Metrics: what a server counts while it works, and what is read off it when somebody asks.
//!
//! Apart from what is measured so that every name, unit and label is in one place. Counting costs a few
//! atomic additions a call or block; whatever can be read off the engine, the views or the machine is read
//! only when the metrics are fetched. No label holds anything of a person or an institution, and each has
//! a small closed set of values.

mod append;
mod calls;
mod gauges;
mod process;

use std::sync::atomic::AtomicU64;
use std::time::Duration;

use prometheus_client::encoding::EncodeLabelSet;
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use store::EventStore;

use crate::engine::{Outcome, Refused};
use crate::services::Context;

pub use append::Measured;
pub(crate) use calls::Counted;
pub(crate) use gauges::Gauges;

/// Content type of [`Metrics::render`].
pub(crate) const CONTENT_TYPE: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";

/// A call and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct CallCode {
    call: &'static str,
    code: &'static str,
}

/// A call.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Call {
    call: &'static str,
}

/// A stable reason of ours.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Reason {
    reason: String,
}

/// What became of a command.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct Became {
    outcome: &'static str,
}

/// Everything that is counted.
#[derive(Debug)]
pub struct Metrics {
    registry: Registry,
    gauges: Gauges,
    rpcs: Family<CallCode, Counter>,
    rpc_seconds: Family<Call, Histogram, fn() -> Histogram>,
    rpc_refusals: Family<Reason, Counter>,
    rejections: Family<Reason, Counter>,
    recorded: Counter,
    repeated: Counter,
    pending: Counter,
    validated: Counter,
    rejected: Counter,
    not_attempted: Counter,
    records: Counter,
    blocks: Counter,
    bytes: Counter,
    append_failures: Counter,
    block_records: Histogram,
    append_seconds: Histogram,
    erasures: Counter,
    erased_bodies: Counter,
}

impl Default for Metrics {
    fn default() -> Self {
        Self::new()
    }
}

impl Metrics {
    /// With nothing counted yet.
    #[must_use]
    pub fn new() -> Self {
        let mut root = Registry::default();
        let gauges = Gauges::register(&mut root);
        let commands: Family<Became, Counter> = Family::default();
        let became = |outcome| commands.get_or_create(&Became { outcome }).clone();
        let mut metrics = Metrics {
            registry: Registry::default(),
            gauges,
            rpcs: Family::default(),
            rpc_seconds: Family::new_with_constructor(|| Histogram::new(from_half_a_millisecond())),
            rpc_refusals: Family::default(),
            rejections: Family::default(),
            recorded: became("recorded"),
            repeated: became("repeated"),
            pending: became("pending"),
            validated: became("validated"),
            rejected: became("rejected"),
            not_attempted: became("not_attempted"),
            records: Counter::default(),
            blocks: Counter::default(),
            bytes: Counter::default(),
            append_failures: Counter::default(),
            block_records: Histogram::new(exponential_buckets(1.0, 4.0, 8)),
            append_seconds: Histogram::new(exponential_buckets(0.000_062_5, 2.0, 16)),
            erasures: Counter::default(),
            erased_bodies: Counter::default(),
        };
        metrics.register_calls(&mut root, commands);
        metrics.register_log(&mut root);
        metrics.registry = root;
        metrics
    }

    fn register_calls(&self, root: &mut Registry, commands: Family<Became, Counter>) {
        let ours = root.sub_registry_with_prefix("creditbank");
        let help = "Calls that have ended, by call and gRPC code";
        ours.register("rpcs", help, self.rpcs.clone());
        let help = "Time from a call's arrival to the end of its answer, streams left out";
        let seconds = self.rpc_seconds.clone();
        ours.register_with_unit("rpc_duration", help, Unit::Seconds, seconds);
        let help = "Calls that were refused as a whole, by the reason that the caller was told";
        ours.register("rpc_refusals", help, self.rpc_refusals.clone());
        let help = "Commands that were answered, by what became of them; a batch has many";
        ours.register("commands", help, commands);
        let help = "Commands that were rejected, by the reason that the caller was told";
        ours.register("command_rejections", help, self.rejections.clone());
    }

    fn register_log(&self, root: &mut Registry) {
        let log = root.sub_registry_with_prefix("creditbank");
        let help = "Records made durable since the start";
        log.register("records_appended", help, self.records.clone());
        let help = "Blocks made durable since the start, each with one write and one fdatasync";
        log.register("blocks_appended", help, self.blocks.clone());
        let help = "Bytes of the blocks made durable since the start";
        log.register_with_unit("appended", help, Unit::Bytes, self.bytes.clone());
        let help = "Blocks that could not be made durable";
        log.register("append_failures", help, self.append_failures.clone());
        let help = "Records of one block: how many commands were committed together";
        log.register("block_records", help, self.block_records.clone());
        let help = "Time of one append: write, fdatasync, and keys made findable";
        let seconds = self.append_seconds.clone();
        log.register_with_unit("append_duration", help, Unit::Seconds, seconds);
        let help = "Erasures carried out since the start";
        log.register("erasures", help, self.erasures.clone());
        let help = "Bodies overwritten by erasures since the start";
        log.register("erased_bodies", help, self.erased_bodies.clone());
    }

    /// A call has ended.
    fn called(&self, call: &'static str, code: &'static str, took: Option<Duration>) {
        let labels = CallCode { call, code };
        self.rpcs.get_or_create(&labels).inc();
        if let Some(took) = took {
            let seconds = self.rpc_seconds.get_or_create(&Call { call });
            seconds.observe(took.as_secs_f64());
        }
    }

    /// A call was refused as a whole.
    fn refused(&self, reason: String) {
        self.rpc_refusals.get_or_create(&Reason { reason }).inc();
    }

    /// What became of commands.
    pub(crate) fn outcomes(&self, outcomes: &[Outcome], validates: bool) {
        for outcome in outcomes {
            let counter = match outcome {
                Ok(_) if validates => &self.validated,
                Ok(done) if done.already => &self.repeated,
                Ok(done) if done.pending.is_some() => &self.pending,
                Ok(_) => &self.recorded,
                Err(Refused::NotAttempted) => &self.not_attempted,
                Err(Refused::Rejected(rejection)) => {
                    self.rejection(rejection.reason());
                    continue;
                }
            };
            counter.inc();
        }
    }

    /// A command was rejected.
    pub(crate) fn rejection(&self, reason: &'static str) {
        let reason = reason.to_owned();
        self.rejected.inc();
        self.rejections.get_or_create(&Reason { reason }).inc();
    }

    /// Everything, in the text format of OpenMetrics.
    pub(crate) fn render<S: EventStore>(&self, context: &Context<S>, moment: Moment) -> String {
        self.gauges.read(context, moment);
        let mut text = String::new();
        let written = prometheus_client::encoding::text::encode(&mut text, &self.registry);
        written.expect("a text takes any text");
        text
    }
}

/// What is asked of store and machine before the rest is read.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Moment {
    /// Size of the ledger, when the store says it.
    pub(crate) head_size: Option<u64>,
    /// Room for the data, when the machine says it.
    pub(crate) space: Option<durable::Space>,
}

fn from_half_a_millisecond() -> impl Iterator<Item = f64> {
    exponential_buckets(0.000_5, 2.0, 16)
}

/// A gauge of whole numbers that are never negative.
type Gauge = prometheus_client::metrics::gauge::Gauge<u64, AtomicU64>;
