//! A baseline that anybody could build instead: a hash-chained table in PostgreSQL, written through a
//! trigger row by row, or through one function a batch.
//!
//! Apart from the benchmarks because starting a server of one's own takes a page. It listens on a Unix
//! socket in a directory of its own, with the durability that it has by default (fsync and
//! synchronous_commit on), and is gone when dropped. A machine without a server is told so in one line.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use tokio_postgres::{Client, NoTls};

/// A running server.
pub struct Postgres {
    server: Child,
    dir: tempfile::TempDir,
}

/// One record as the table has it.
#[derive(Debug, Clone)]
pub struct Row {
    /// The issuer's record id: unique.
    pub record_id: String,
    /// The learner, indexed with the position.
    pub learner: String,
    /// What is hashed and stored.
    pub body: Vec<u8>,
}

/// How long a server may take to come up.
const START_MAX: Duration = Duration::from_secs(30);

/// The chained table, and the two ways to write it. Both take the head's row for update, as a chain must.
const SCHEMA: &str = "
    CREATE TABLE head (one boolean PRIMARY KEY DEFAULT true, size bigint NOT NULL, hash bytea NOT NULL);
    INSERT INTO head (size, hash) VALUES (0, '');
    CREATE TABLE records (
        position bigint PRIMARY KEY,
        record_id text NOT NULL UNIQUE,
        learner text NOT NULL,
        body bytea NOT NULL,
        hash bytea NOT NULL
    );
    CREATE INDEX records_by_learner ON records (learner, position);
    CREATE VIEW intake AS SELECT record_id, learner, body FROM records;

    CREATE FUNCTION chain_one() RETURNS trigger LANGUAGE plpgsql AS $$
    DECLARE at bigint; before bytea;
    BEGIN
        SELECT size, hash INTO at, before FROM head FOR UPDATE;
        INSERT INTO records VALUES (at, NEW.record_id, NEW.learner, NEW.body, sha256(before || NEW.body));
        UPDATE head SET size = at + 1, hash = sha256(before || NEW.body);
        RETURN NEW;
    END $$;
    CREATE TRIGGER chain INSTEAD OF INSERT ON intake FOR EACH ROW EXECUTE FUNCTION chain_one();

    CREATE FUNCTION append(ids text[], learners text[], bodies bytea[]) RETURNS bigint
    LANGUAGE plpgsql AS $$
    DECLARE at bigint; link bytea; links bytea[] := '{}';
    BEGIN
        SELECT size, hash INTO at, link FROM head FOR UPDATE;
        FOR i IN 1 .. array_length(bodies, 1) LOOP
            link := sha256(link || bodies[i]);
            links := links || link;
        END LOOP;
        INSERT INTO records
            SELECT at + row - 1, id, learner, body, hash
            FROM unnest(ids, learners, bodies, links) WITH ORDINALITY AS rows (id, learner, body, hash, row);
        UPDATE head SET size = at + array_length(bodies, 1), hash = link;
        RETURN at;
    END $$;";

impl Postgres {
    /// Starts a server, or says in one line why there is none.
    ///
    /// # Errors
    /// Why there is none.
    pub async fn start() -> Result<Postgres, String> {
        let programs = programs().ok_or("no PostgreSQL server is installed (initdb, postgres)")?;
        let dir = tempfile::tempdir().map_err(|error| error.to_string())?;
        let user = server_user()?;
        give_to(user.as_deref(), dir.path())?;
        let data = dir.path().join("data");
        let initdb = as_user(user.as_deref(), &programs.join("initdb"))
            .args(["--auth=trust", "--username=bench", "--no-sync", "-D"])
            .arg(&data)
            .stdout(Stdio::null())
            .status();
        if !initdb.is_ok_and(|status| status.success()) {
            return Err("initdb failed".to_owned());
        }
        let server = as_user(user.as_deref(), &programs.join("postgres"))
            .arg("-D")
            .arg(&data)
            .arg("-k")
            .arg(dir.path())
            .args(["-c", "listen_addresses=", "-c", "log_min_messages=fatal"])
            .args(["-c", "shared_buffers=1GB", "-c", "max_wal_size=8GB"])
            .args(["-c", "track_wal_io_timing=off"])
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("postgres does not start: {error}"))?;
        let postgres = Postgres { server, dir };
        postgres.prepare().await?;
        Ok(postgres)
    }

    async fn prepare(&self) -> Result<(), String> {
        let since = Instant::now();
        let client = loop {
            match self.connect().await {
                Ok(client) => break client,
                Err(error) if since.elapsed() > START_MAX => return Err(error.to_string()),
                Err(_) => tokio::time::sleep(Duration::from_millis(50)).await,
            }
        };
        client
            .batch_execute(SCHEMA)
            .await
            .map_err(|error| error.to_string())
    }

    /// A connection of its own.
    ///
    /// # Errors
    /// When the server cannot be reached.
    pub async fn connect(&self) -> Result<Client, tokio_postgres::Error> {
        let mut config = tokio_postgres::Config::new();
        config
            .host_path(self.dir.path())
            .user("bench")
            .dbname("postgres");
        let (client, connection) = config.connect(NoTls).await?;
        // Ends with the client; an error shows at its next call.
        tokio::spawn(async move { drop(connection.await) });
        Ok(client)
    }

    /// Empties the table.
    ///
    /// # Errors
    /// When the server says no.
    pub async fn empty(&self) -> Result<(), tokio_postgres::Error> {
        let sql = "TRUNCATE records; UPDATE head SET size = 0, hash = ''; CHECKPOINT";
        self.connect().await?.batch_execute(sql).await
    }

    /// How often the server has synced its write-ahead log.
    ///
    /// # Errors
    /// When the server says no.
    pub async fn syncs(&self) -> Result<i64, tokio_postgres::Error> {
        let client = self.connect().await?;
        let row = client.query_one("SELECT wal_sync FROM pg_stat_wal", &[]);
        Ok(row.await?.get(0))
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // SIGKILL is enough: nothing of it is kept. The launcher of another user passes it on by ending.
        let _ = self.server.kill();
        let _ = self.server.wait();
    }
}

/// Writes rows through the trigger, in one transaction and one statement.
///
/// # Errors
/// When the server says no.
pub async fn append_by_trigger(client: &Client, rows: &[Row]) -> Result<(), tokio_postgres::Error> {
    let (ids, learners, bodies) = columns(rows);
    let sql = "INSERT INTO intake SELECT * FROM unnest($1::text[], $2::text[], $3::bytea[])";
    client
        .execute(sql, &[&ids, &learners, &bodies])
        .await
        .map(drop)
}

/// Writes rows through the function.
///
/// # Errors
/// When the server says no.
pub async fn append_by_function(
    client: &Client,
    rows: &[Row],
) -> Result<(), tokio_postgres::Error> {
    let (ids, learners, bodies) = columns(rows);
    let sql = "SELECT append($1, $2, $3)";
    client
        .execute(sql, &[&ids, &learners, &bodies])
        .await
        .map(drop)
}

fn columns(rows: &[Row]) -> (Vec<&str>, Vec<&str>, Vec<&[u8]>) {
    let ids = rows.iter().map(|row| row.record_id.as_str()).collect();
    let learners = rows.iter().map(|row| row.learner.as_str()).collect();
    let bodies = rows.iter().map(|row| row.body.as_slice()).collect();
    (ids, learners, bodies)
}

/// Where the server's programs are: in the path, or where Debian puts them.
fn programs() -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let in_path: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let debian = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten();
    let debian = debian.flatten().map(|version| version.path().join("bin"));
    let mut places = in_path.into_iter().chain(debian);
    places.find(|place| place.join("initdb").exists() && place.join("postgres").exists())
}

/// PostgreSQL does not run as root: then it runs as the user that its packages make.
fn server_user() -> Result<Option<String>, String> {
    let output = |args: &[&str]| Command::new("id").args(args).output();
    let me = output(&["-u"]).map_err(|error| error.to_string())?;
    if me.stdout.trim_ascii() != b"0" {
        return Ok(None);
    }
    match output(&["-u", "postgres"]) {
        Ok(found) if found.status.success() => Ok(Some("postgres".to_owned())),
        _ => Err("PostgreSQL does not run as root, and there is no user postgres".to_owned()),
    }
}

fn give_to(user: Option<&str>, dir: &Path) -> Result<(), String> {
    let Some(user) = user else { return Ok(()) };
    let status = Command::new("chown").arg(user).arg(dir).status();
    match status {
        Ok(status) if status.success() => Ok(()),
        _ => Err(format!("the directory cannot be given to {user}")),
    }
}

fn as_user(user: Option<&str>, program: &Path) -> Command {
    match user {
        None => Command::new(program),
        Some(user) => {
            // Replaces itself by the program, so that killing the child kills the server.
            let mut command = Command::new("setpriv");
            command
                .args(["--reuid", user, "--regid", user, "--init-groups", "--"])
                .arg(program);
            command
        }
    }
}
