//! Opening, marking, building anew and closing: what a crash leaves, and what is made of it.
//!
//! Apart from `views` because every step here is about files. A directory holds `lock`, `mark` (see
//! `mark`) and sled's files under `sled`. sled's `flush` survives the end of the process but not the
//! loss of power, and sled may stop the process when it opens files that are harmed; so the mark tells,
//! before sled is asked, whether its files are to be trusted.
//!
//! Order, and what a crash after each step leaves:
//!
//! | step | a crash leaves |
//! | --- | --- |
//! | open: the mark says `Opening` | files that sled may not survive: removed by the next opening |
//! | open: sled opens, its own mark is checked | the same |
//! | open: the mark says `Open(reach)` | a directory to go on with in the same boot |
//! | apply: rare events into sled, the others into memory | values ahead of the mark; replay skips them |
//! | sweep: all that waits in memory into sled, list by list | the same |
//! | mark, after a sweep: see below | values as far as the mark, or further |
//! | close: all that waits, then as mark; sled is dropped, its files synced | the same |
//! | close: the mark says `Closed(reach, digest)` | a directory to go on with in any boot |
//! | remove: sled's files, one by one | the mark says `Opening`: removed by the next opening |
//!
//! A mark says the reach that the views had at the last sweep, when all below had been written. Reach into
//! sled, sled's flush, then the mark says `Open(reach)`.
//!
//! Durability: only `Closed` survives a power loss. After one, an `Open` mark is of another boot, and the
//! views are built anew. So marks written in between need no sync of sled's files, which would compete
//! with the log's.
//!
//! Between two marks sled brings back a state no older than its last flush; that a mark is not ahead of
//! it is checked against the reach that sled holds itself.

use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Mutex, RwLock};

use durable::{Fs, OsFs, make_dir};
use ledger::KeySecret;
use tokio::sync::{Notify, watch};

use crate::buffer::Buffer;
use crate::fault::{ViewsFault, Why};
use crate::files;
use crate::mark::{Mark, Phase, Reach, boot_id};
use crate::sealed::Sealed;
use crate::views::{Opened, Options, Trees, Views, Writer};

/// Key of the reach in sled.
const REACH_KEY: &[u8] = b"reach";

/// Removing the files and opening again helps once; a second failure has another cause.
const OPEN_TRIES: u32 = 2;

impl Views {
    /// Opens the views of a ledger, creating the directory. What cannot be used is removed, and the
    /// views begin empty: files that sled cannot open or that do not check, those of another ledger or
    /// format version, and those that were not closed before the machine stopped.
    ///
    /// # Errors
    /// [`ViewsFault::InUse`]; a file operation that failed; sled when it cannot open an empty directory.
    pub fn open(
        dir: &Path,
        ledger_id: [u8; 16],
        secret: KeySecret,
        options: Options,
    ) -> Result<(Views, Opened), ViewsFault> {
        make_dir(&OsFs, dir).map_err(ViewsFault::io("create the directory of the views"))?;
        let lock = OsFs.lock(&dir.join("lock")).map_err(|e| match e.kind() {
            std::io::ErrorKind::WouldBlock => ViewsFault::InUse,
            _ => ViewsFault::io("lock the views")(e),
        })?;
        let place = Place::new(dir, ledger_id, &options);
        let (trees, reach, opened) = match place.usable_reach()? {
            Ok(reach) => place.resume(reach)?,
            Err(why) => place.begin(why)?,
        };
        let views = Views {
            dir: dir.to_owned(),
            ledger_id,
            secret,
            options,
            trees: RwLock::new(Some(trees)),
            writer: Mutex::new(Writer { reach }),
            buffer: Buffer::default(),
            applied: watch::channel(reach.size).0,
            erasures: Mutex::new(0),
            damaged: AtomicBool::new(false),
            damage: Notify::new(),
            _lock: lock,
        };
        Ok((views, opened))
    }

    /// Makes everything durable and says so in the mark. Every later call on these views returns
    /// [`ViewsFault::Closed`]; dropping them without this costs a replay, or after a power loss a
    /// rebuild.
    ///
    /// # Errors
    /// A step that failed; then the next opening finds views that were not closed.
    pub fn close(&self) -> Result<(), ViewsFault> {
        let writer = self.lock_writer();
        let trees = self.lock_trees().take().ok_or(ViewsFault::Closed)?;
        let place = self.place();
        let damaged = self.damaged.load(Ordering::Acquire);
        let written = if damaged {
            Ok(())
        } else {
            self.write_all(&trees, writer.reach)
        };
        drop(trees);
        place.wait_released()?;
        if damaged {
            // Nobody is left to build them anew: the next opening does.
            return place.mark(Phase::Damaged);
        }
        written?;
        files::sync_all(&place.sled)?;
        let digest = files::digest_all(&place.sled)?;
        place.mark(Phase::Closed(writer.reach, digest))
    }

    /// Writes what waits in memory, and the mark, when it is too much.
    pub(crate) fn sweep(&self, trees: &Trees, reach: Reach) -> Result<(), ViewsFault> {
        if self.buffer.len() <= self.options.buffer_entries {
            return Ok(());
        }
        self.write_all(trees, reach)?;
        self.place().mark(Phase::Open(reach))
    }

    fn write_all(&self, trees: &Trees, reach: Reach) -> Result<(), ViewsFault> {
        self.buffer.write(trees)?;
        write_reach(trees, reach)
    }

    /// Removes everything and begins at position 0.
    pub(crate) fn rebuild(&self, why: Why) -> Result<(), ViewsFault> {
        tracing::warn!(%why, "the views are built anew");
        let mut writer = self.lock_writer();
        let mut trees = self.lock_trees();
        drop(trees.take().ok_or(ViewsFault::Closed)?);
        let place = self.place();
        place.wait_released()?;
        let (begun, reach, _) = place.begin(why)?;
        *trees = Some(begun);
        self.buffer.clear();
        *writer = Writer { reach };
        self.damaged.store(false, Ordering::Release);
        self.applied.send_replace(reach.size);
        Ok(())
    }

    fn place(&self) -> Place {
        Place::new(&self.dir, self.ledger_id, &self.options)
    }
}

/// Where the files are, and what the mark must say of them.
struct Place {
    dir: PathBuf,
    sled: PathBuf,
    ledger_id: [u8; 16],
    boot: String,
    cache_bytes: u64,
}

impl Place {
    fn new(dir: &Path, ledger_id: [u8; 16], options: &Options) -> Place {
        Place {
            dir: dir.to_owned(),
            sled: dir.join("sled"),
            ledger_id,
            boot: options.boot_id.clone().unwrap_or_else(boot_id),
            cache_bytes: options.cache_bytes,
        }
    }

    /// How far the files reach, judged by the mark alone.
    fn usable_reach(&self) -> Result<Result<Reach, Why>, ViewsFault> {
        let mark = match Mark::read(&self.dir)? {
            Ok(mark) => mark,
            Err(why) => return Ok(Err(why)),
        };
        if mark.ledger_id != self.ledger_id {
            return Ok(Err(Why::OtherLedger));
        }
        Ok(match mark.phase {
            Phase::Opening => Err(Why::StoppedWhileOpening),
            Phase::Damaged => Err(Why::Damaged {
                what: "noticed before they were closed".to_owned(),
            }),
            // Where boots have no names, every one counts as another.
            Phase::Open(_) if mark.boot.is_empty() || mark.boot != self.boot => Err(Why::PowerLoss),
            Phase::Open(reach) => Ok(reach),
            Phase::Closed(reach, digest) => match files::digest_all(&self.sled) {
                Ok(found) if found == digest => Ok(reach),
                Ok(_) => Err(Why::Damaged {
                    what: "sled's files have changed".to_owned(),
                }),
                Err(fault) => Err(Why::Damaged {
                    what: fault.with_causes(),
                }),
            },
        })
    }

    /// Opens what is there, or else begins.
    fn resume(&self, reach: Reach) -> Result<(Trees, Reach, Opened), ViewsFault> {
        self.wait_released()?;
        self.mark(Phase::Opening)?;
        let tried = self
            .open_trees()
            .and_then(|trees| match check_reach(&trees, reach) {
                Ok(()) => Ok(trees),
                Err(fault) => {
                    drop(trees);
                    Err(fault)
                }
            });
        match tried {
            Ok(trees) => {
                self.mark(Phase::Open(reach))?;
                Ok((
                    trees,
                    reach,
                    Opened::Resumed {
                        applied: reach.size,
                    },
                ))
            }
            Err(fault) => self.begin(Why::Damaged {
                what: fault.with_causes(),
            }),
        }
    }

    /// Removes what is there and opens empty files.
    fn begin(&self, why: Why) -> Result<(Trees, Reach, Opened), ViewsFault> {
        let mut last = ViewsFault::Closed;
        for _ in 0..OPEN_TRIES {
            self.mark(Phase::Opening)?;
            self.wait_released()?;
            files::remove_all(&self.sled)?;
            match self.open_trees() {
                Ok(trees) => {
                    write_reach(&trees, Reach::NOTHING)?;
                    self.mark(Phase::Open(Reach::NOTHING))?;
                    return Ok((trees, Reach::NOTHING, Opened::Rebuilding { why }));
                }
                Err(fault) => last = fault,
            }
        }
        Err(last)
    }

    fn open_trees(&self) -> Result<Trees, ViewsFault> {
        let config = sled::Config::new()
            .path(&self.sled)
            .cache_capacity(self.cache_bytes)
            // The mark flushes; what is lost between two marks is replayed.
            .flush_every_ms(None);
        let db = config
            .open()
            .map_err(ViewsFault::sled("open the files of the views"))?;
        Ok(Trees {
            meta: Sealed::open(&db, "meta")?,
            lists: Sealed::open(&db, "lists")?,
            changed: Sealed::open(&db, "changed")?,
            provisional: Sealed::open(&db, "provisional")?,
            registered: Sealed::open(&db, "registered")?,
            pending: Sealed::open(&db, "pending")?,
            settled: Sealed::open(&db, "settled")?,
            accounts: Sealed::open(&db, "accounts")?,
            db,
        })
    }

    fn wait_released(&self) -> Result<(), ViewsFault> {
        files::wait_released(&self.sled.join("db"))
    }

    fn mark(&self, phase: Phase) -> Result<(), ViewsFault> {
        let boot = self.boot.clone();
        Mark {
            ledger_id: self.ledger_id,
            boot,
            phase,
        }
        .write(&self.dir)
    }
}

/// Order: values were written before; the reach follows them in sled's log, and the flush takes both.
fn write_reach(trees: &Trees, reach: Reach) -> Result<(), ViewsFault> {
    trees.meta.put_as(REACH_KEY, &reach)?;
    trees
        .db
        .flush()
        .map(drop)
        .map_err(ViewsFault::sled("flush the views"))
}

/// Whether sled brought back at least what the mark says.
fn check_reach(trees: &Trees, marked: Reach) -> Result<(), ViewsFault> {
    match trees.meta.get_as::<Reach>(REACH_KEY)? {
        Some(found) if found.size >= marked.size => Ok(()),
        _ => Err(ViewsFault::damaged(
            "sled brought back less than the mark says",
        )),
    }
}

#[cfg(test)]
mod tests {
    //! Here and not outside, because no test can stop a process in the middle of sled.

    use super::*;

    #[test]
    fn what_stopped_the_process_while_opening_is_not_opened_again() {
        let dir = tempfile::tempdir().unwrap();
        let open =
            || Views::open(dir.path(), [1; 16], KeySecret([7; 32]), Options::default()).unwrap();
        let (views, _) = open();
        views.close().unwrap();
        views.place().mark(Phase::Opening).unwrap();
        drop(views);
        let (views, opened) = open();
        assert_eq!(
            opened,
            Opened::Rebuilding {
                why: Why::StoppedWhileOpening
            }
        );
        drop(views);
        assert_eq!(open().1, Opened::Resumed { applied: 0 });
    }
}
