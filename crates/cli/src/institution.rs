//! `institution`: who may issue what, and who may submit for whom.
//!
//! Apart from `learner` because only the operator does this, often from one file for a whole province.

use std::process::ExitCode;

use api::v1;

use crate::args::value::Identity;
use crate::args::{
    At, Description, Global, InstitutionCommand, RegisterInstitution, ShowInstitution,
};
use crate::error::Failure;
use crate::publish::publish_file;
use crate::table::{Reader, Rows, facts};
use crate::wire::{FromWire, Institution, Receipt, RegistryFile, Scope, Span, ToWire};
use crate::{input, output};
use client::Client;

/// Institutions asked for at a time.
const PAGE_SIZE: u32 = 1000;

/// Runs `institution`.
///
/// # Errors
///
/// [`Failure`] when there is no answer or a refusal.
pub(crate) async fn run(
    global: &Global,
    command: &InstitutionCommand,
) -> Result<ExitCode, Failure> {
    if let InstitutionCommand::Key(command) = command {
        return crate::keys::run(global, command).await;
    }
    if let InstitutionCommand::Import(args) = command {
        return crate::import::institutions(global, args).await;
    }
    let identity = global.identity.clone().unwrap_or(Identity::Operator);
    // A file that does not read is said before anybody is called.
    let file = match command {
        InstitutionCommand::Register(args) | InstitutionCommand::Update(args) => read(args).await?,
        _ => None,
    };
    let client = Client::connect(&global.server, &identity).await?;
    let before = match command {
        InstitutionCommand::List(_) | InstitutionCommand::Show(_) => None,
        _ => Some(client.head().await?.size),
    };
    let shown = Shown { global, before };
    match command {
        InstitutionCommand::Register(args) => match (file, &args.id) {
            (Some(file), _) => return publish_file(global, &client, file, false).await,
            (None, Some(id)) => register(&shown, &client, described(id, &args.description)).await?,
            (None, None) => {}
        },
        InstitutionCommand::Update(args) => match (file, &args.id) {
            (Some(file), _) => return publish_file(global, &client, file, true).await,
            (None, Some(id)) => update(&shown, &client, id, &args.description).await?,
            (None, None) => {}
        },
        InstitutionCommand::Suspend(args) => {
            let state = v1::InstitutionState::Suspended;
            change_state(&shown, &client, &args.id, state, &args.reason, None).await?;
        }
        InstitutionCommand::Reinstate(args) => {
            let state = v1::InstitutionState::Active;
            change_state(&shown, &client, &args.id, state, &args.reason, None).await?;
        }
        InstitutionCommand::Close(args) => {
            let (id, reason) = (&args.change.id, &args.change.reason);
            let successor = args.successor.clone();
            change_state(
                &shown,
                &client,
                id,
                v1::InstitutionState::Closed,
                reason,
                successor,
            )
            .await?;
        }
        InstitutionCommand::Delegate(args) => {
            let delegation = crate::wire::Delegation {
                issuer_id: args.issuer.clone(),
                delegate_id: args.to.clone(),
                from: args.from.clone().unwrap_or_default(),
                until: args.until.clone().unwrap_or_default(),
            };
            let request: v1::DelegateInstitutionRequest = delegation.to_wire();
            let answer = client.call(request).await?;
            shown.changed(answer.institution, answer.receipt)?;
        }
        // These went their own way above.
        InstitutionCommand::Key(_) | InstitutionCommand::Import(_) => {}
        InstitutionCommand::List(at) => list(global, &client, at).await?,
        InstitutionCommand::Show(args) => show(&shown, &client, args).await?,
    }
    Ok(ExitCode::SUCCESS)
}

async fn read(args: &RegisterInstitution) -> Result<Option<RegistryFile>, Failure> {
    let Some(path) = &args.file else {
        return Ok(None);
    };
    let text = input::read_text(path).await?;
    let file = toml::from_str(&text)
        .map_err(|error| Failure::Usage(format!("{}: {error}", path.display())))?;
    Ok(Some(file))
}

/// An institution as the options describe it.
fn described(id: &str, given: &Description) -> Institution {
    let mut institution = Institution {
        institution_id: id.to_owned(),
        ..Default::default()
    };
    apply(&mut institution, given);
    institution
}

/// Puts what was given in place of what is there.
fn apply(institution: &mut Institution, given: &Description) {
    if !given.names.is_empty() {
        institution.names = FromWire::from_wire(given.names.clone());
    }
    let fields = [
        (&given.kind, &mut institution.kind),
        (&given.region, &mut institution.region),
        (&given.parent, &mut institution.parent_id),
    ];
    for (new, old) in fields {
        if let Some(new) = new {
            old.clone_from(new);
        }
    }
    let span = Span {
        from: given.awarded_from.clone().unwrap_or_default(),
        until: given.awarded_until.clone().unwrap_or_default(),
    };
    let scope = Scope {
        types: given.types.clone(),
        code_prefixes: given.code_prefixes.clone(),
        fields: given.fields.clone(),
        source_kinds: given.source_kinds.clone(),
        level_max: FromWire::from_wire(given.level_max.clone()),
        awarded: (span != Span::default()).then_some(span),
    };
    if let Some(required) = given.signatures_required {
        institution.signatures_required = required;
    }
    if given.any_scope || scope != Scope::default() {
        institution.scopes = vec![scope];
    }
}

async fn register(
    shown: &Shown<'_>,
    client: &Client,
    institution: Institution,
) -> Result<(), Failure> {
    let request = v1::RegisterInstitutionRequest {
        institution: Some(institution.to_send()),
    };
    let answer = client.call(request).await?;
    shown.changed(answer.institution, answer.receipt)
}

async fn update(
    shown: &Shown<'_>,
    client: &Client,
    id: &str,
    given: &Description,
) -> Result<(), Failure> {
    let request = v1::GetInstitutionRequest {
        institution_id: id.to_owned(),
        ..Default::default()
    };
    let answer = client.call(request).await?;
    let mut institution = Institution::from_wire(answer.institution.unwrap_or_default());
    apply(&mut institution, given);
    let request = v1::UpdateInstitutionRequest {
        institution: Some(institution.to_send()),
    };
    let answer = client.call(request).await?;
    shown.changed(answer.institution, answer.receipt)
}

async fn change_state(
    shown: &Shown<'_>,
    client: &Client,
    id: &str,
    state: v1::InstitutionState,
    reason: &str,
    successor: Option<String>,
) -> Result<(), Failure> {
    let request = v1::ChangeInstitutionStateRequest {
        institution_id: id.to_owned(),
        state: i32::from(state),
        reason: reason.to_owned(),
        successor_id: successor.unwrap_or_default(),
    };
    let answer = client.call(request).await?;
    shown.changed(answer.institution, answer.receipt)
}

async fn show(shown: &Shown<'_>, client: &Client, args: &ShowInstitution) -> Result<(), Failure> {
    let request = v1::GetInstitutionRequest {
        institution_id: args.id.clone(),
        as_of: args.at.as_of(),
    };
    let answer = client.call(request).await?;
    shown.changed(answer.institution, None)
}

async fn list(global: &Global, client: &Client, at: &At) -> Result<(), Failure> {
    let mut request = v1::ListInstitutionsRequest {
        page_size: PAGE_SIZE,
        page_token: String::new(),
        as_of: at.as_of(),
    };
    let mut rows = Rows::new(&["institution", "name", "kind", "region", "parent", "state"]);
    let reader = Reader::new(global.language.as_deref());
    loop {
        let page = client.call(request.clone()).await?;
        for institution in page.institutions.into_iter().map(Institution::from_wire) {
            if global.json {
                output::json(&institution)?;
                continue;
            }
            rows.add(vec![
                institution.institution_id,
                reader.pick(&institution.names).to_owned(),
                institution.kind,
                institution.region,
                institution.parent_id,
                institution.state.to_string(),
            ]);
        }
        if page.next_page_token.is_empty() {
            break;
        }
        request.page_token = page.next_page_token;
    }
    if global.json {
        return Ok(());
    }
    output::line(&if rows.is_empty() {
        "no institutions yet; `creditbank institution register` adds one".to_owned()
    } else {
        rows.render()
    })
}

/// How a change is shown.
pub(crate) struct Shown<'a> {
    global: &'a Global,
    /// Size of the ledger before the change; a receipt from below it is that of an earlier one.
    before: Option<u64>,
}

impl<'a> Shown<'a> {
    /// Of a change that is about to be made.
    pub(crate) async fn before_change(
        global: &'a Global,
        client: &Client,
    ) -> Result<Shown<'a>, Failure> {
        let before = Some(client.head().await?.size);
        Ok(Shown { global, before })
    }

    /// Shows an institution, and the receipt of what changed it.
    pub(crate) fn changed(
        &self,
        institution: Option<v1::Institution>,
        receipt: Option<v1::Receipt>,
    ) -> Result<(), Failure> {
        let institution = Institution::from_wire(institution.unwrap_or_default());
        let receipt = receipt.map(Receipt::from_wire);
        let position = receipt.as_ref().map(|receipt| receipt.position);
        let already_so = position
            .zip(self.before)
            .is_some_and(|(position, size)| position < size);
        if self.global.json {
            return output::json(&serde_json::json!({
                "institution": institution,
                "receipt": receipt,
                "already_so": already_so,
            }));
        }
        output::line(&institution_text(
            &institution,
            receipt.as_ref(),
            already_so,
        ))
    }
}

fn institution_text(
    institution: &Institution,
    receipt: Option<&Receipt>,
    already_so: bool,
) -> String {
    let note = if already_so {
        "already so; nothing changed"
    } else {
        ""
    };
    let scopeless = if institution.scopes.is_empty() {
        "nothing yet; see --any-scope and --type"
    } else {
        ""
    };
    let required = if institution.signatures_required {
        "required on its achievements"
    } else {
        ""
    };
    let names = institution.names.iter().map(|name| name.value.as_str());
    let mut text = facts(&[
        ("institution", institution.institution_id.clone()),
        ("names", names.collect::<Vec<_>>().join(" / ")),
        ("kind", institution.kind.clone()),
        ("region", institution.region.clone()),
        ("parent", institution.parent_id.clone()),
        ("state", institution.state.to_string()),
        ("signatures", required.to_owned()),
        ("successor", institution.successor_id.clone()),
        (
            "position",
            receipt
                .map(|receipt| receipt.position.to_string())
                .unwrap_or_default(),
        ),
        ("note", note.to_owned()),
        ("may issue", scopeless.to_owned()),
    ]);
    let scopes = scope_rows(&institution.scopes);
    if !scopes.is_empty() {
        text.push_str(&format!("\n\n{}", scopes.render()));
    }
    if !institution.keys.is_empty() {
        let keys = crate::keys::rows(&institution.keys).render();
        text.push_str(&format!("\n\n{keys}"));
    }
    for delegation in &institution.delegations {
        let during = span(delegation.during.as_ref());
        text.push_str(&format!(
            "\n{} may submit for it {during}",
            delegation.delegate_id
        ));
    }
    text
}

/// What an institution may issue, for people.
fn scope_rows(all: &[Scope]) -> Rows {
    let mut scopes = Rows::new(&[
        "may issue",
        "codes",
        "fields",
        "source kinds",
        "up to",
        "awarded",
    ]);
    for scope in all {
        let any = |list: &[String]| {
            if list.is_empty() {
                "any".to_owned()
            } else {
                list.join(" ")
            }
        };
        scopes.add(vec![
            any(&scope.types),
            if scope.code_prefixes.is_empty() {
                "any".to_owned()
            } else {
                format!("{}*", scope.code_prefixes.join("* "))
            },
            any(&scope.fields),
            any(&scope.source_kinds),
            crate::account::level(scope.level_max.as_ref()),
            span(scope.awarded.as_ref()),
        ]);
    }
    scopes
}

pub(crate) fn span(span: Option<&Span>) -> String {
    match span.map(|span| (span.from.as_str(), span.until.as_str())) {
        None | Some(("", "")) => String::new(),
        Some((from, "")) => format!("from {from}"),
        Some(("", until)) => format!("before {until}"),
        Some((from, until)) => format!("from {from}, before {until}"),
    }
}
