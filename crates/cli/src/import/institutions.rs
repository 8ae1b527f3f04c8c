//! `institution import`: a province's schools from one table.
//!
//! Apart from the import of achievements because there are thousands of rows and not millions: all are read
//! first, so that parents come before their children in whatever order the rows are.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

use api::v1;
use client::Client;

use crate::args::value::Identity;
use crate::args::{Differing, Global, ImportInstitutions};
use crate::error::{COULD_NOT_RUN, Failure, REFUSED, Refusal};
use crate::mapping::{Bound, Document, Kind, Mapping, Stop, layout_of};
use crate::output;
use crate::progress::Progress;
use crate::tabular::{Encoding, Layout, Ours, Problem, Row, Rows, Source};
use crate::wire::{FromWire, Institution, Scope};

use super::blocking;
use super::opening::{Opened, Reports, open};
use super::reading::read;
use super::settling::state_and_receipt;
use super::summary::Summary;

/// Most rows of one file.
const ROWS_MAX: usize = 100_000;
/// Institutions asked for at a time.
const PAGE_SIZE: u32 = 1000;

const ACCEPTED: [&str; 6] = [
    "line",
    "institution_id",
    "state",
    "position",
    "chain_hash",
    "recorded_time",
];

const WORDS: [(&str, &str); 5] = [
    ("registered", "registered"),
    ("would_be_registered", "would be registered"),
    ("updated", "updated"),
    ("would_be_updated", "would be updated"),
    ("unchanged", "there already, and the same"),
];

/// Runs `institution import`.
///
/// # Errors
///
/// [`Failure`] when nothing was sent.
pub(crate) async fn run(global: &Global, args: &ImportInstitutions) -> Result<ExitCode, Failure> {
    let document = match &args.mapping {
        Some(path) => Document::read(path).await?,
        None => {
            let path = args.file.clone();
            blocking(move || usual_mapping(&path)).await?
        }
    };
    let mapping = Mapping::parse(document, Kind::Institutions)?;
    let (path, lookups) = (args.file.clone(), args.places.lookup_dir.clone());
    let (opened, rows) = blocking(move || {
        let mut opened = open(&path, mapping, lookups.as_deref())?;
        let rows = all(&mut opened)?;
        Ok((opened, rows))
    })
    .await?;
    let identity = global.identity.clone().unwrap_or(Identity::Operator);
    let client = Client::connect(&global.server, &identity).await?;
    let there = there(&client).await?;
    let reports = Reports::begin(&args.file, &args.places, &opened, &ACCEPTED)?;
    let run = Run {
        args,
        client,
        bound: opened.bound,
        there,
        reports,
        summary: Summary::default(),
        progress: Progress::over(None).telling(),
    };
    run.all(global, rows).await
}

/// A mapping for a file whose columns are called like the fields.
fn usual_mapping(path: &Path) -> Result<Document, Failure> {
    let layout = layout_of(path);
    if path == Path::new("-") || layout == Layout::Json {
        return Err(Failure::Usage(
            "say which mapping: only a CSV file can do without --mapping".to_owned(),
        ));
    }
    let source = Source::open(path)?;
    let name = source.name.clone();
    let rows = Rows::open(source, Encoding::Auto, layout, &[]);
    let rows = rows.map_err(|broken| Failure::Usage(broken.of(&name)))?;
    let has = |column: &str| rows.columns().iter().any(|name| name == column);
    let language = if has("language") { "{language}" } else { "" };
    let mut text = format!(
        "[institution]\ninstitution_id = \"{{institution_id}}\"\n\
         names = [{{ value = \"{{name}}\", language = \"{language}\" }}]\n"
    );
    for column in ["kind", "region", "parent_id"] {
        if has(column) {
            text.push_str(&format!("{column} = \"{{{column}}}\"\n"));
        }
    }
    let scope: Vec<String> = ["types", "code_prefixes", "fields", "source_kinds"]
        .into_iter()
        .filter(|column| has(column))
        .map(|column| format!("{column} = {{ from = \"{{{column}}}\", split = \";\" }}"))
        .collect();
    if !scope.is_empty() {
        text.push_str(&format!("scopes = [{{ {} }}]\n", scope.join(", ")));
    }
    Ok(Document {
        path: PathBuf::from("(the mapping that is used without --mapping)"),
        text,
    })
}

/// A row that reads.
struct Wanted {
    row: Row,
    institution: Institution,
}

/// What came of all rows: those that read, and those that do not; and how many were passed over.
struct Sorted {
    wanted: Vec<Wanted>,
    rejected: Vec<(Row, Problem)>,
    skipped: u64,
}

/// Reads all rows.
///
/// # Errors
///
/// [`Failure::Usage`] when the file breaks off, or is too long to hold: nothing was sent then.
fn all(opened: &mut Opened) -> Result<Sorted, Failure> {
    let broken = |broken: crate::tabular::Broken| Failure::Usage(broken.of(&opened.name));
    if let Some(breaks) = opened.broken.take() {
        return Err(broken(breaks));
    }
    let mut sorted = Sorted {
        wanted: Vec::new(),
        rejected: Vec::new(),
        skipped: 0,
    };
    let mut ids: HashMap<String, u64> = HashMap::new();
    loop {
        let row = match opened.ahead.pop_front() {
            Some(row) => row,
            None => match opened.rows.next().map_err(broken)? {
                Some(row) => row,
                None => break,
            },
        };
        if sorted.wanted.len() + sorted.rejected.len() >= ROWS_MAX {
            let name = &opened.name;
            return Err(Failure::Usage(format!(
                "{name} has more than {ROWS_MAX} rows; import it in parts, parents first"
            )));
        }
        match opened
            .bound
            .map(&row)
            .and_then(|mapped| Ok(read::<Institution>(mapped.subject)?))
        {
            Err(Stop::Skip) => sorted.skipped += 1,
            Err(Stop::Reject(problem)) => sorted.rejected.push((row, problem)),
            Ok(institution) => {
                let id = institution.institution_id.clone();
                match ids.get(&id) {
                    Some(first) => {
                        let sentence = format!("institution {id} is in line {first} already");
                        let problem = Problem::new("REPEATED_ID", "institution_id", sentence);
                        sorted.rejected.push((row, problem));
                    }
                    None => {
                        ids.insert(id, row.line());
                        let institution = any_scope(institution);
                        sorted.wanted.push(Wanted { row, institution });
                    }
                }
            }
        }
    }
    Ok(parents_first(sorted))
}

/// A scope of type `*` is one of any type.
fn any_scope(mut institution: Institution) -> Institution {
    let any = |scope: &mut Scope| {
        if scope.types == ["*"] {
            scope.types.clear();
        }
    };
    institution.scopes.iter_mut().for_each(any);
    institution
}

/// Puts parents before their children; whoever is its own ancestor is rejected.
fn parents_first(sorted: Sorted) -> Sorted {
    let Sorted {
        wanted,
        mut rejected,
        skipped,
    } = sorted;
    let ids: HashSet<String> = wanted
        .iter()
        .map(|wanted| wanted.institution.institution_id.clone())
        .collect();
    let mut done: HashSet<String> = HashSet::new();
    let mut ordered = Vec::with_capacity(wanted.len());
    let mut waiting = wanted;
    loop {
        let before = waiting.len();
        let mut later = Vec::new();
        for wanted in waiting {
            let parent = &wanted.institution.parent_id;
            if ids.contains(parent) && !done.contains(parent) {
                later.push(wanted);
                continue;
            }
            done.insert(wanted.institution.institution_id.clone());
            ordered.push(wanted);
        }
        waiting = later;
        if waiting.len() == before || waiting.is_empty() {
            break;
        }
    }
    let parents: HashMap<String, String> = waiting
        .iter()
        .map(|Wanted { institution, .. }| {
            (
                institution.institution_id.clone(),
                institution.parent_id.clone(),
            )
        })
        .collect();
    for Wanted { row, institution } in waiting {
        let (id, parent) = (institution.institution_id, institution.parent_id);
        let sentence = if is_own_ancestor(&parents, &id) {
            format!("{id} is below {parent}, and {parent} below {id}")
        } else {
            format!("{id} is below {parent}, which is its own ancestor or below one that is")
        };
        rejected.push((row, Problem::new("PARENT_CIRCLE", "parent_id", sentence)));
    }
    Sorted {
        wanted: ordered,
        rejected,
        skipped,
    }
}

/// Whether going up from there comes back to it.
fn is_own_ancestor(parents: &HashMap<String, String>, id: &str) -> bool {
    // As many steps as there are institutions: elsewhere may be a circle that never comes back here.
    let mut above = parents.get(id);
    for _ in 0..parents.len() {
        match above {
            Some(parent) if parent == id => return true,
            Some(parent) => above = parents.get(parent),
            None => return false,
        }
    }
    false
}

/// An institution that is there.
struct There {
    institution: Institution,
    /// A policy that no table speaks of: an update keeps it.
    signatures_required: bool,
}

/// The institutions that are there.
async fn there(client: &Client) -> Result<BTreeMap<String, There>, Failure> {
    let mut there = BTreeMap::new();
    let mut request = v1::ListInstitutionsRequest {
        page_size: PAGE_SIZE,
        ..Default::default()
    };
    loop {
        let page = client.call(request.clone()).await?;
        for wire in page.institutions {
            let id = wire.institution_id.clone();
            let signatures_required = wire.signatures_required;
            let institution = Institution::from_wire(wire);
            there.insert(
                id,
                There {
                    institution,
                    signatures_required,
                },
            );
        }
        if page.next_page_token.is_empty() {
            return Ok(there);
        }
        request.page_token = page.next_page_token;
    }
}

struct Run<'a> {
    args: &'a ImportInstitutions,
    client: Client,
    bound: Bound,
    there: BTreeMap<String, There>,
    reports: Reports,
    summary: Summary,
    progress: Progress,
}

impl Run<'_> {
    async fn all(mut self, global: &Global, sorted: Sorted) -> Result<ExitCode, Failure> {
        self.summary.skipped = sorted.skipped;
        for (row, problem) in &sorted.rejected {
            self.reject(row, problem)?;
        }
        let mut refusal = None;
        for Wanted { row, institution } in sorted.wanted {
            if refusal.is_some() {
                self.summary.unsent += 1;
                continue;
            }
            match self.settle(institution).await {
                Ok(Ok((id, state, receipt))) => self.accept(&row, &id, state, receipt)?,
                Ok(Err(problem)) => self.reject(&row, &problem)?,
                Err(ended) => {
                    self.summary.unsent += 1;
                    refusal = Some(ended);
                }
            }
            self.progress.reach(0, self.summary.rows());
        }
        self.end(global, refusal)
    }

    /// Registers, updates or leaves alone.
    async fn settle(&self, wanted: Institution) -> Result<Result<Settled, Problem>, Refusal> {
        let id = wanted.institution_id.clone();
        let Some(found) = self.there.get(&id) else {
            if self.args.dry_run {
                return Ok(Ok((id, "would_be_registered", None)));
            }
            let request = v1::RegisterInstitutionRequest {
                institution: Some(wanted.to_send()),
            };
            let answer = self.client.call(request).await.map(|answer| answer.receipt);
            return judged(answer, id, "registered");
        };
        // What the mapping does not speak of stays as it is.
        let mut next = found.institution.clone();
        let mapping = &self.bound.mapping;
        let mut differing = Vec::new();
        macro_rules! take {
            ($($field:ident),*) => { $(
                if mapping.gives(stringify!($field)) && next.$field != wanted.$field {
                    next.$field = wanted.$field;
                    differing.push(stringify!($field));
                }
            )* };
        }
        take!(names, kind, region, parent_id, scopes);
        if differing.is_empty() {
            return Ok(Ok((id, "unchanged", None)));
        }
        if self.args.changed == Differing::Reject {
            let fields = differing.join(", ");
            let sentence = format!(
                "institution {id} is there with other {fields}; --changed update replaces them"
            );
            return Ok(Err(Problem::new("INSTITUTION_EXISTS", &fields, sentence)));
        }
        if self.args.dry_run {
            return Ok(Ok((id, "would_be_updated", None)));
        }
        let request = v1::UpdateInstitutionRequest {
            institution: Some(v1::Institution {
                signatures_required: found.signatures_required,
                ..next.to_send()
            }),
        };
        let answer = self.client.call(request).await.map(|answer| answer.receipt);
        judged(answer, id, "updated")
    }

    fn reject(&mut self, row: &Row, problem: &Problem) -> Result<(), Failure> {
        self.summary.reject(&problem.reason);
        self.reports.rejected.reject(row, problem)
    }

    fn accept(
        &mut self,
        row: &Row,
        id: &str,
        state: &'static str,
        receipt: Option<v1::Receipt>,
    ) -> Result<(), Failure> {
        self.summary.count(state);
        let line = row.line().to_string();
        let accepted = &mut self.reports.accepted;
        accepted.accept(
            &[&line, id],
            &state_and_receipt(state, receipt).map(Ours::new),
        )
    }

    fn end(self, global: &Global, refusal: Option<Refusal>) -> Result<ExitCode, Failure> {
        let time = self.progress.finish();
        let keep = refusal.is_none() || self.summary.settled() > 0;
        let rejected = self.reports.rejected.path().display().to_string();
        self.reports.end(keep)?;
        if global.json {
            output::json(&self.summary.json(time, self.args.dry_run))?;
        } else {
            output::line(&self.summary.text(time, &WORDS, self.args.dry_run))?;
            if self.summary.rejected() > 0 {
                output::line(&format!("mend and import again: {rejected}"))?;
            }
        }
        if let Some(refusal) = refusal {
            let refusal = Failure::Refused(Box::new(refusal));
            output::note(&format!(
                "error: {refusal}\n  import the file again: that is safe"
            ));
            return Ok(ExitCode::from(COULD_NOT_RUN));
        }
        let rejected = self.summary.rejected() > 0;
        Ok(ExitCode::from(if rejected { REFUSED } else { 0 }))
    }
}

/// An institution's id, what became of it, and its receipt.
type Settled = (String, &'static str, Option<v1::Receipt>);

/// A refusal of the server is the row's; anything else ends the import.
fn judged(
    answer: Result<Option<v1::Receipt>, Refusal>,
    id: String,
    state: &'static str,
) -> Result<Result<Settled, Problem>, Refusal> {
    match answer {
        Ok(receipt) => Ok(Ok((id, state, receipt))),
        Err(refusal) if refusal.is_an_answer() => {
            let field = refusal.fields.first();
            let field = field.map_or("", |field| field.path.as_str());
            Ok(Err(Problem::new(
                &refusal.reason,
                field,
                refusal.message.clone(),
            )))
        }
        Err(refusal) => Err(refusal),
    }
}
