//! Carrying out achievements alone: no store, no threads, no disk. What one core of the writer can decide,
//! beside what the hashing in it costs by itself in the same run.

#![allow(
    missing_docs,
    clippy::as_conversions,
    clippy::float_arithmetic,
    clippy::print_stdout,
    clippy::unwrap_used,
    reason = "a benchmark prints figures for people, and stops when anything fails"
)]

use std::time::Duration;

use creditbank_benches::sample::{AT, SECRET, opening, submissions};
use creditbank_benches::{is_full_size, median, per_second};
use ledger::{Command, KeySecret, State, carry_out, likely_needs};

/// Time that this thread was on a core: what others do meanwhile does not count. Source: Linux,
/// schedstat. Where there is none, no time passes.
fn on_core() -> Duration {
    let stat = std::fs::read_to_string("/proc/thread-self/schedstat").unwrap_or_default();
    let nanoseconds = stat.split(' ').next().and_then(|text| text.parse().ok());
    Duration::from_nanos(nanoseconds.unwrap_or(0))
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = on_core();
    let result = work();
    (result, on_core() - start)
}

/// Carries all out, a savepoint every 500, as a server does; the bytes and keys to store.
fn carry_all(state: &mut State, secret: &KeySecret, commands: &[Command]) -> usize {
    let mut n = 0;
    for group in commands.chunks(500) {
        let _taken_back_by_nobody = state.savepoint();
        for command in group {
            let decision = carry_out(state, command, AT).unwrap();
            for keyed in &decision.events {
                n += keyed.body().len() + keyed.keys(secret).len();
            }
        }
        state.settle();
    }
    n
}

fn main() {
    let (records, learners, runs) = if is_full_size() {
        (300_000, 20_000, 5)
    } else {
        (500, 100, 1)
    };
    let secret = KeySecret(SECRET);
    let commands = submissions(records, learners);
    let mut state = State::new();
    for command in opening(learners) {
        carry_out(&mut state, &command, AT).unwrap();
    }
    let (mut carried, mut hashed, mut guessed, mut aged) = (vec![], vec![], vec![], vec![]);
    for _ in 0..runs {
        let mut state = state.clone();
        let (bytes, time) = timed(|| carry_all(&mut state, &secret, &commands));
        assert!(bytes > 0);
        carried.push(time);
        let body = [b'x'; 120];
        let hash = |_| secret.content(&body);
        let (keys, time) = timed(|| (0..records).map(hash).collect::<Vec<_>>());
        assert_eq!(keys.first(), keys.last());
        hashed.push(time);
        let partial = state.without_facts();
        let guess = |command| likely_needs(&partial, command).len();
        let (needs, time) = timed(|| commands.iter().map(guess).sum::<usize>());
        assert!(needs > 0);
        guessed.push(time);
        let mut partial = partial;
        state.facts().for_each(|fact| partial.load(fact));
        partial.age();
        aged.push(timed(|| partial.age()).1);
    }
    let each = |time| 1e9 / per_second(records, time);
    println!("{records} records, {learners} learners, median of {runs}, ns of one core per record");
    println!(
        "  carried out, with body and keys   {:>7.0}",
        each(median(carried))
    );
    println!(
        "  one hash of 120 bytes, beside it  {:>7.0}",
        each(median(hashed))
    );
    println!(
        "  likely needs, nothing known       {:>7.0}",
        each(median(guessed))
    );
    println!(
        "  forgotten by age, all at once     {:>7.0}",
        each(median(aged))
    );
}
