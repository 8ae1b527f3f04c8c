//! AccountService: what a learner holds.

use std::sync::Arc;

use api::v1;
use api::v1::account_service_server::AccountService;
use ledger::Handle;
use ledger::account::Entry;
use prost::Message;
use store::EventStore;
use tonic::{Request, Response, Status};
use views::AccountBalance;

use super::as_of::Moment;
use super::paging::{List, Page, Question};
use super::{Context, opened, refuse};
use crate::from_proto::malformed;
use crate::identity::Identity;
use crate::status;
use crate::to_proto;

/// The service.
pub struct Accounts<S>(pub Arc<Context<S>>);

/// How often an account may be merged into another while it is being read.
pub(super) const MERGES_MAX: usize = 4;

impl<S: EventStore> Accounts<S> {
    async fn balance(
        &self,
        caller: &Identity,
        wire: v1::GetBalanceRequest,
    ) -> Result<v1::GetBalanceResponse, Status> {
        let context = &self.0;
        let asked = context.moment(wire.as_of).await?;
        if let Some((handle, moment)) = context.direct(caller, &wire.learner, asked).await?
            && let Some(account) = context.open_balance(handle, moment).await?
        {
            return Ok(answer(handle, moment, &account));
        }
        for _ in 0..MERGES_MAX {
            let (handle, moment) = context.visible(caller, wire.learner.clone(), asked).await?;
            let account =
                context
                    .views
                    .balance(&**context.engine.store(), handle, moment.size, moment.on);
            let account = account.await;
            let account = account.map_err(|fault| status::views_faulted(&fault))?;
            if account.closed {
                continue;
            }
            return Ok(answer(handle, moment, &account));
        }
        Err(being_merged())
    }

    async fn statement(
        &self,
        caller: &Identity,
        wire: v1::GetStatementRequest,
    ) -> Result<v1::GetStatementResponse, Status> {
        let context = &self.0;
        let mut page = Page::new(wire.page_size).map_err(refuse)?;
        let learner = wire.learner.as_ref().map(Message::encode_to_vec);
        let asking = format!("{caller:?}");
        let asked = [asking.as_bytes(), &learner.unwrap_or_default()];
        let question = Question::new(List::Statement, &asked);
        let (asked, after) = context
            .page(&question, &wire.page_token, wire.as_of)
            .await?;
        let after = after.map(|place| Place::read(&place)).transpose()?;
        let (account, moment) = context.seen(caller, wire.learner, asked).await?;
        let handle = account.learner();
        if after.as_ref().is_some_and(|after| after.learner != handle) {
            let problem = "was given for another account: leave it out to begin again";
            return Err(refuse(malformed("page_token", problem)));
        }
        let mut place = Place::beginning(handle);
        let mut next_page_token = String::new();
        for entry in account.statement(moment.on) {
            let next = place.then(&entry);
            if after.as_ref().is_none_or(|after| *after < next)
                && !page.add(to_proto::entry(&entry))
            {
                next_page_token = context.page_token(&question, moment, &place.bytes());
                break;
            }
            place = next;
        }
        Ok(v1::GetStatementResponse {
            learner_handle: handle.to_string(),
            entries: page.into_entries(),
            next_page_token,
            as_of_size: moment.size,
        })
    }
}

impl<S: EventStore> Context<S> {
    /// The balance of an account that is open: what most calls ask for, again and again.
    async fn open_balance(
        &self,
        handle: Handle,
        moment: Moment,
    ) -> Result<Option<AccountBalance>, Status> {
        let store = &**self.engine.store();
        let found = self
            .views
            .open_balance(store, handle, moment.size, moment.on);
        found.await.map_err(|fault| status::views_faulted(&fault))
    }
}

fn answer(handle: Handle, moment: Moment, account: &AccountBalance) -> v1::GetBalanceResponse {
    let (totals, lines) = to_proto::balance(&account.balance);
    v1::GetBalanceResponse {
        learner_handle: handle.to_string(),
        revision: account.revision.0,
        totals,
        lines,
        as_of_size: moment.size,
        as_of_date: moment.date(),
        provisional: account.provisional,
    }
}

/// What is said when an account is merged again and again while it is being read.
pub(super) fn being_merged() -> Status {
    Status::aborted("the account is being merged: read again")
}

/// A place in a statement: so many entries of the event at a position, or after it by the day alone. An
/// erasure may take entries away, but never moves those of one event to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
struct Place {
    learner: Handle,
    position: u64,
    n_entries: u32,
}

impl Place {
    fn beginning(learner: Handle) -> Place {
        Place {
            learner,
            position: 0,
            n_entries: 0,
        }
    }

    fn then(self, entry: &Entry) -> Place {
        match entry.position {
            Some(position) if position.0 > self.position => Place {
                position: position.0,
                n_entries: 1,
                ..self
            },
            _ => Place {
                n_entries: self.n_entries.saturating_add(1),
                ..self
            },
        }
    }

    fn bytes(self) -> Vec<u8> {
        let position = self.position.to_be_bytes();
        let n_entries = self.n_entries.to_be_bytes();
        [&self.learner.0[..], &position, &n_entries].concat()
    }

    fn read(bytes: &[u8]) -> Result<Place, Status> {
        let read = || {
            let (learner, rest) = bytes.split_first_chunk::<16>()?;
            let (position, rest) = rest.split_first_chunk::<8>()?;
            let n_entries = rest.try_into().ok()?;
            Some(Place {
                learner: Handle(*learner),
                position: u64::from_be_bytes(*position),
                n_entries: u32::from_be_bytes(n_entries),
            })
        };
        read().ok_or_else(|| Status::internal("a place that was sealed is one of a statement"))
    }
}

#[tonic::async_trait]
impl<S: EventStore> AccountService for Accounts<S> {
    async fn get_balance(
        &self,
        request: Request<v1::GetBalanceRequest>,
    ) -> Result<Response<v1::GetBalanceResponse>, Status> {
        let (caller, wire) = opened(request)?;
        self.balance(&caller, wire).await.map(Response::new)
    }

    type WatchStream = super::feed::Answers<v1::WatchResponse>;

    async fn watch(
        &self,
        request: Request<v1::WatchRequest>,
    ) -> Result<Response<Self::WatchStream>, Status> {
        self.watch_account(request).await
    }

    async fn get_statement(
        &self,
        request: Request<v1::GetStatementRequest>,
    ) -> Result<Response<v1::GetStatementResponse>, Status> {
        let (caller, wire) = opened(request)?;
        self.statement(&caller, wire).await.map(Response::new)
    }
}
