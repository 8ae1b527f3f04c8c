//! The sections of the configuration: settings, defaults, bounds and comments, section by section.
//!
//! Apart from the whole so that a setting is added in one file, from top to bottom of its section.

use serde::Deserialize;

use super::ConfigError;

/// The log on disk.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Storage {
    /// Length of new segment files.
    pub segment_bytes: u64,
    /// Milliseconds without a commit after which the head is marked.
    pub idle_mark_ms: u64,
    /// Keys that the index holds in memory before it writes a run.
    pub index_keys_max: usize,
    /// Bytes of filters of the index in memory.
    pub index_filter_bytes: u64,
    /// Sealed segments that stay open.
    pub open_segments_max: usize,
}

impl Default for Storage {
    fn default() -> Self {
        Storage {
            segment_bytes: 64 << 20,
            idle_mark_ms: 100,
            index_keys_max: 1 << 18,
            index_filter_bytes: 64 << 20,
            open_segments_max: 64,
        }
    }
}

impl Storage {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Storage {
            segment_bytes,
            idle_mark_ms,
            index_filter_bytes,
            ..
        } = *self;
        let (keys, segments) = (wide(self.index_keys_max), wide(self.open_segments_max));
        within(
            "storage.segment_bytes",
            segment_bytes,
            64 << 10,
            u64::from(u32::MAX),
        )?;
        within("storage.idle_mark_ms", idle_mark_ms, 1, DAY_MS)?;
        within("storage.index_keys_max", keys, 512, 1 << 26)?;
        within(
            "storage.index_filter_bytes",
            index_filter_bytes,
            1 << 20,
            1 << 40,
        )?;
        within("storage.open_segments_max", segments, 1, 1 << 16)
    }

    pub(super) fn to_toml(&self) -> String {
        let Storage {
            segment_bytes,
            idle_mark_ms,
            ..
        } = self;
        let Storage {
            index_keys_max,
            index_filter_bytes,
            open_segments_max,
            ..
        } = self;
        format!(
            r"
[storage]
# Length of new segment files, 64 KiB to less than 4 GiB. The next one is filled with zeros ahead of time.
segment_bytes = {segment_bytes}
# Milliseconds without a commit after which the head is marked on disk.
idle_mark_ms = {idle_mark_ms}
# Keys that the index holds in memory before it writes them out, about 50 bytes each; up to four times
# as many while it writes.
index_keys_max = {index_keys_max}
# Bytes of the index's filters that are kept in memory.
index_filter_bytes = {index_filter_bytes}
# Sealed segment files that stay open for reading, each with about 64 KiB of offsets.
open_segments_max = {open_segments_max}
"
        )
    }
}

/// The one writer.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Writer {
    /// Bytes that one commit gathers.
    pub group_bytes_max: u64,
    /// Commands that may wait; more are refused.
    pub queue_commands_max: usize,
    /// Facts about learners and records kept in memory.
    pub state_facts_max: usize,
    /// Learners whose accounts are kept in memory for intake.
    pub learners_cached_max: usize,
}

impl Default for Writer {
    fn default() -> Self {
        Writer {
            group_bytes_max: 1 << 20,
            queue_commands_max: 65_536,
            state_facts_max: 1 << 18,
            learners_cached_max: 1 << 20,
        }
    }
}

impl Writer {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (commands, facts) = (wide(self.queue_commands_max), wide(self.state_facts_max));
        within(
            "writer.group_bytes_max",
            self.group_bytes_max,
            64 << 10,
            // With the longest message, its leaves and its provisional accounts, below a block's 8 MiB.
            2 << 20,
        )?;
        // At least one batch of the greatest size.
        within("writer.queue_commands_max", commands, 1_000, 1 << 24)?;
        within("writer.state_facts_max", facts, 4_096, 1 << 28)?;
        let learners = wide(self.learners_cached_max);
        within("writer.learners_cached_max", learners, 1_024, 1 << 28)
    }

    pub(super) fn to_toml(&self) -> String {
        let Writer {
            group_bytes_max,
            queue_commands_max,
            state_facts_max,
            learners_cached_max,
        } = self;
        format!(
            r"
[writer]
# Bytes that one commit gathers, 64 KiB to 2 MiB: more is faster and later.
group_bytes_max = {group_bytes_max}
# Commands that may be in flight, 1000 or more; more are refused with RESOURCE_EXHAUSTED.
queue_commands_max = {queue_commands_max}
# Facts about learners and records that are kept in memory for decisions, about 200 bytes each.
state_facts_max = {state_facts_max}
# Learners whose number and last record are kept in memory, about 400 bytes each; intake looks up others
# in the ledger.
learners_cached_max = {learners_cached_max}
"
        )
    }
}

/// Limits of single requests.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct RequestLimits {
    /// Bytes of a message.
    pub message_bytes_max: usize,
    /// Records of a batch.
    pub batch_records_max: usize,
    /// Bytes of an achievement as it is recorded.
    pub achievement_body_bytes_max: usize,
    /// Milliseconds that a request may take.
    pub timeout_ms: u64,
}

impl Default for RequestLimits {
    fn default() -> Self {
        RequestLimits {
            message_bytes_max: MESSAGE_BYTES_MAX,
            batch_records_max: 1_000,
            achievement_body_bytes_max: ledger::shape::ACHIEVEMENT_BYTES_MAX,
            timeout_ms: 60_000,
        }
    }
}

impl RequestLimits {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (message, batch) = (wide(self.message_bytes_max), wide(self.batch_records_max));
        let body = wide(self.achievement_body_bytes_max);
        let body_max = wide(ledger::shape::ACHIEVEMENT_BYTES_MAX);
        within(
            "limits.message_bytes_max",
            message,
            64 << 10,
            wide(MESSAGE_BYTES_MAX),
        )?;
        within("limits.batch_records_max", batch, 1, 1_000)?;
        within("limits.achievement_body_bytes_max", body, 1 << 10, body_max)?;
        within("limits.timeout_ms", self.timeout_ms, 100, DAY_MS)
    }

    pub(super) fn to_toml(&self) -> String {
        let RequestLimits {
            message_bytes_max,
            batch_records_max,
            ..
        } = self;
        let RequestLimits {
            achievement_body_bytes_max,
            timeout_ms,
            ..
        } = self;
        format!(
            r"
[limits]
# Bytes of one message, 64 KiB to 4 MiB.
message_bytes_max = {message_bytes_max}
# Records of one batch, at most 1000.
batch_records_max = {batch_records_max}
# Bytes of one achievement as it is recorded, 1 KiB to 16 KiB.
achievement_body_bytes_max = {achievement_body_bytes_max}
# Milliseconds that a request may take; what was recorded by then stays recorded.
timeout_ms = {timeout_ms}
"
        )
    }
}

/// Streams.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Streams {
    /// Streams that may be open at once.
    pub open_max: usize,
    /// Bytes of records that one answer gathers.
    pub chunk_bytes: u64,
    /// Achievements that a stream is read ahead of those that are being recorded.
    pub ahead_records_max: u32,
    /// Bytes of requests that it is read ahead.
    pub ahead_bytes_max: u32,
}

impl Default for Streams {
    fn default() -> Self {
        Streams {
            open_max: 1_024,
            chunk_bytes: 256 << 10,
            ahead_records_max: 4_000,
            ahead_bytes_max: 4 << 20,
        }
    }
}

impl Streams {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let (records, bytes) = (self.ahead_records_max, self.ahead_bytes_max);
        within("streams.open_max", wide(self.open_max), 1, 1 << 20)?;
        within("streams.chunk_bytes", self.chunk_bytes, 1 << 10, 2 << 20)?;
        within("streams.ahead_records_max", records.into(), 1, 1 << 20)?;
        within("streams.ahead_bytes_max", bytes.into(), 64 << 10, 1 << 30)
    }

    pub(super) fn to_toml(&self) -> String {
        let Streams {
            open_max,
            chunk_bytes,
            ahead_records_max,
            ahead_bytes_max,
        } = self;
        format!(
            r"
[streams]
# Streams that may be open at once: StreamSubmitRecords, Subscribe and Watch together. More are refused
# with RESOURCE_EXHAUSTED.
open_max = {open_max}
# Bytes of records that one answer of Subscribe gathers, 1 KiB to 2 MiB. A reader that does not read costs
# three answers of memory.
chunk_bytes = {chunk_bytes}
# Achievements, and bytes of requests, that StreamSubmitRecords reads ahead of those that are being
# recorded; beyond, the sender is slowed down. One request more may wait, whatever its size.
ahead_records_max = {ahead_records_max}
ahead_bytes_max = {ahead_bytes_max}
"
        )
    }
}

/// Connections.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(default, deny_unknown_fields)]
pub struct Transport {
    /// Requests at once on one connection.
    pub concurrent_streams_max: u32,
    /// Bytes of a request's headers.
    pub header_list_bytes_max: u32,
    /// Milliseconds of silence after which a connection is probed.
    pub keepalive_interval_ms: u64,
    /// Milliseconds that a probe may stay unanswered.
    pub keepalive_timeout_ms: u64,
    /// Milliseconds that requests have to finish when the server stops.
    pub stop_timeout_ms: u64,
}

impl Default for Transport {
    fn default() -> Self {
        Transport {
            concurrent_streams_max: 256,
            header_list_bytes_max: 16 << 10,
            keepalive_interval_ms: 30_000,
            keepalive_timeout_ms: 20_000,
            stop_timeout_ms: 10_000,
        }
    }
}

impl Transport {
    pub(super) fn check(&self) -> Result<(), ConfigError> {
        let Transport {
            keepalive_interval_ms,
            keepalive_timeout_ms,
            stop_timeout_ms,
            ..
        } = *self;
        let streams = u64::from(self.concurrent_streams_max);
        let headers = u64::from(self.header_list_bytes_max);
        within("transport.concurrent_streams_max", streams, 1, 1 << 16)?;
        within("transport.header_list_bytes_max", headers, 4 << 10, 1 << 20)?;
        within(
            "transport.keepalive_interval_ms",
            keepalive_interval_ms,
            100,
            DAY_MS,
        )?;
        within(
            "transport.keepalive_timeout_ms",
            keepalive_timeout_ms,
            100,
            DAY_MS,
        )?;
        within("transport.stop_timeout_ms", stop_timeout_ms, 0, DAY_MS)
    }

    pub(super) fn to_toml(&self) -> String {
        let Transport {
            concurrent_streams_max,
            header_list_bytes_max,
            ..
        } = self;
        let Transport {
            keepalive_interval_ms,
            keepalive_timeout_ms,
            stop_timeout_ms,
            ..
        } = self;
        format!(
            r"
[transport]
# Requests at once on one connection; further ones wait.
concurrent_streams_max = {concurrent_streams_max}
# Bytes of the headers of one request.
header_list_bytes_max = {header_list_bytes_max}
# Milliseconds of silence after which a connection is probed, and then closed if it stays silent.
keepalive_interval_ms = {keepalive_interval_ms}
keepalive_timeout_ms = {keepalive_timeout_ms}
# Milliseconds that requests have to finish when the server is told to stop.
stop_timeout_ms = {stop_timeout_ms}
"
        )
    }
}

/// A batch of the longest message fits into one block of 8 MiB.
const MESSAGE_BYTES_MAX: usize = 4 << 20;

const DAY_MS: u64 = 86_400_000;

fn within(key: &'static str, value: u64, min: u64, max: u64) -> Result<(), ConfigError> {
    if value < min || value > max {
        return Err(ConfigError::OutOfBounds {
            key,
            value,
            min,
            max,
        });
    }
    Ok(())
}

fn wide(n: usize) -> u64 {
    u64::try_from(n).unwrap_or(u64::MAX)
}
