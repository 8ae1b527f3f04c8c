//! The directory of a demo: made, known again, and replaced.
//!
//! Apart because it deletes: nothing is removed that does not carry the mark of a demo, and nothing that
//! a server has open.

use std::io;
use std::path::Path;

use durable::{Fs, OsFs};

use crate::error::Failure;
use client::root_cause;

/// The file that says that everything beside it may be deleted.
const MARK: &str = "DEMO";
const MARK_TEXT: &[u8] =
    b"Made by `creditbank demo`, which deletes this directory at its next run.\n";
/// The lock of a ledger in use, see ledger-data/README.md, section 2.
const LOCK: &str = "LOCK";

/// Makes an empty directory, in place of an earlier demo's.
///
/// # Errors
///
/// [`Failure::Usage`] when something else is there, or a server uses it.
pub(super) fn prepare(dir: &Path) -> Result<(), Failure> {
    let shown = dir.display();
    let failed = |doing: &str, error: &io::Error| {
        Failure::Usage(format!("{shown} cannot be {doing}: {}", root_cause(error)))
    };
    match OsFs.list(dir) {
        Err(error) if error.kind() == io::ErrorKind::NotFound => {}
        Err(error) => return Err(failed("used", &error)),
        Ok(names) if names.is_empty() => {}
        Ok(names) if names.iter().any(|name| name == MARK) => {
            if names.iter().any(|name| name == LOCK) && OsFs.lock(&dir.join(LOCK)).is_err() {
                return Err(Failure::Usage(format!(
                    "{shown} is in use by a server: stop it first, or choose another with --data"
                )));
            }
            std::fs::remove_dir_all(dir).map_err(|e| failed("replaced", &e))?;
        }
        Ok(_) => {
            return Err(Failure::Usage(format!(
                "{shown} is not a demo's: it holds no file {MARK}, so nothing in it is deleted; choose \
                 another with --data"
            )));
        }
    }
    durable::make_dir(&OsFs, dir).map_err(|e| failed("made", &e))?;
    durable::write_atomic(&OsFs, dir, MARK, MARK_TEXT).map_err(|e| failed("written", &e))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_a_demos_directory_is_replaced() {
        let home = tempfile::tempdir().unwrap();
        let fresh = home.path().join("a/b");
        prepare(&fresh).unwrap();
        std::fs::write(fresh.join("log"), "x").unwrap();
        prepare(&fresh).unwrap();
        assert_eq!(OsFs.list(&fresh).unwrap(), [MARK]);

        let others = home.path().join("others");
        std::fs::create_dir(&others).unwrap();
        prepare(&others).unwrap();
        std::fs::remove_file(others.join(MARK)).unwrap();
        std::fs::write(others.join("thesis"), "x").unwrap();
        let said = prepare(&others).unwrap_err().to_string();
        assert!(said.contains("is not a demo's"), "{said}");
        assert_eq!(OsFs.list(&others).unwrap(), ["thesis"]);
        assert!(prepare(&others.join("thesis")).is_err());
    }

    #[test]
    fn what_a_server_uses_stays() {
        let home = tempfile::tempdir().unwrap();
        prepare(home.path()).unwrap();
        let _held = OsFs.lock(&home.path().join(LOCK)).unwrap();
        let said = prepare(home.path()).unwrap_err().to_string();
        assert!(said.contains("in use by a server"), "{said}");
    }
}
