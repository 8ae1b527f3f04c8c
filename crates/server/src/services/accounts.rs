//! AccountService: what a learner holds.

use std::sync::Arc;

use api::v1;
use api::v1::account_service_server::AccountService;
use store::EventStore;
use tonic::{Request, Response, Status};

use super::paging::{self, List, Page};
use super::{Context, opened, refuse};
use crate::identity::Identity;
use crate::status;
use crate::to_proto;

/// The service.
pub struct Accounts<S>(pub Arc<Context<S>>);

/// How often an account may be merged into another while it is being read.
const MERGES_MAX: usize = 4;

impl<S: EventStore> Accounts<S> {
    async fn balance(
        &self,
        caller: &Identity,
        learner: Option<v1::LearnerReference>,
    ) -> Result<v1::GetBalanceResponse, Status> {
        let context = &self.0;
        let today = context.engine.now().date();
        for _ in 0..MERGES_MAX {
            let (handle, _, _) = context.visible(caller, learner.clone()).await?;
            context.caught_up().await?;
            let (store, secret) = (context.engine.store(), context.engine.secret());
            let account = context.views.balance(&**store, secret, handle, today).await;
            let account = account.map_err(|fault| status::views_faulted(&fault))?;
            if account.closed {
                continue;
            }
            let (totals, lines) = to_proto::balance(&account.balance);
            return Ok(v1::GetBalanceResponse {
                learner_handle: handle.to_string(),
                revision: account.revision.0,
                totals,
                lines,
                as_of_size: account.size,
                as_of_date: to_proto::date(Some(today)),
                provisional: account.provisional,
            });
        }
        Err(Status::aborted("the account is being merged: read again"))
    }

    async fn statement(
        &self,
        caller: &Identity,
        wire: v1::GetStatementRequest,
    ) -> Result<v1::GetStatementResponse, Status> {
        let context = &self.0;
        let mut page = Page::new(wire.page_size).map_err(refuse)?;
        let skip = paging::after_number(List::Statement, &wire.page_token).map_err(refuse)?;
        let (handle, _, _) = context.visible(caller, wire.learner).await?;
        context.caught_up().await?;
        let (account, as_of_size) = context.account(handle).await?;
        // Entries are only ever added at the end, so a count of entries is a place that stays.
        let skip = skip.unwrap_or_default();
        let mut next_page_token = String::new();
        let entries = account.statement(context.engine.now().date());
        let rest = entries
            .iter()
            .skip(usize::try_from(skip).unwrap_or(usize::MAX));
        for (n_shown, entry) in (skip..).zip(rest) {
            if !page.add(to_proto::entry(entry)) {
                next_page_token = paging::token(List::Statement, &n_shown.to_string());
                break;
            }
        }
        Ok(v1::GetStatementResponse {
            learner_handle: handle.to_string(),
            entries: page.into_entries(),
            next_page_token,
            as_of_size,
        })
    }
}

#[tonic::async_trait]
impl<S: EventStore> AccountService for Accounts<S> {
    async fn get_balance(
        &self,
        request: Request<v1::GetBalanceRequest>,
    ) -> Result<Response<v1::GetBalanceResponse>, Status> {
        let (caller, wire) = opened(request)?;
        self.balance(&caller, wire.learner).await.map(Response::new)
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
