//! What the system says of this process: memory, open files, threads.
//!
//! Apart from the other gauges because it is read from `/proc`, which not every system has; without it
//! these figures are simply not given.

use std::path::Path;

use durable::{File, Fs, Mode, OsFs};

/// Figures of this process, each where the system tells it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Process {
    pub(super) resident_bytes: Option<u64>,
    pub(super) open_files: Option<u64>,
    pub(super) open_files_max: Option<u64>,
    pub(super) threads: Option<u64>,
}

impl Process {
    /// As of now.
    pub(super) fn read() -> Self {
        let status = text("/proc/self/status");
        let limits = text("/proc/self/limits");
        let files = OsFs.list(Path::new("/proc/self/fd")).ok();
        Process {
            resident_bytes: number_after(&status, "VmRSS:").map(|kib| kib.saturating_mul(1024)),
            // One of them was opened to count them.
            open_files: files.map(|names| {
                let count = u64::try_from(names.len()).unwrap_or(u64::MAX);
                count.saturating_sub(1)
            }),
            open_files_max: number_after(&limits, "Max open files"),
            threads: number_after(&status, "Threads:"),
        }
    }
}

/// The number that follows a word at the beginning of a line.
fn number_after(text: &str, word: &str) -> Option<u64> {
    let rest = text.lines().find_map(|line| line.strip_prefix(word))?;
    rest.split_whitespace().next()?.parse().ok()
}

/// A file of `/proc`, which has no length; empty where there is none.
fn text(path: &str) -> String {
    let mut bytes = vec![0; 8192];
    let read = OsFs
        .open(Path::new(path), Mode::Read)
        .and_then(|file| file.read_at(&mut bytes, 0));
    bytes.truncate(read.unwrap_or(0));
    String::from_utf8_lossy(&bytes).into_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_read_where_the_system_has_them() {
        let status = "Name:\tcreditbank\nVmRSS:\t   12 kB\nThreads:\t9\n";
        assert_eq!(number_after(status, "VmRSS:"), Some(12));
        assert_eq!(number_after(status, "Threads:"), Some(9));
        assert_eq!(number_after(status, "VmSwap:"), None);
        let limits = "Max open files            1024                 4096                 files\n";
        assert_eq!(number_after(limits, "Max open files"), Some(1024));
        let process = Process::read();
        if Path::new("/proc/self/status").exists() {
            assert!(process.resident_bytes > Some(1 << 20));
            assert!(process.open_files >= Some(3));
            assert!(process.threads >= Some(1));
        }
    }
}
