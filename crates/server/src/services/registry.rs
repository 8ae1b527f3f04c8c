//! RegistryService: who may issue what, and in which words.

use std::sync::Arc;

use api::v1;
use api::v1::registry_service_server::RegistryService;
use ledger::registry::Registry;
use ledger::{Action, Actor, InstitutionId, Rejection};
use prost::Message;
use store::EventStore;
use tonic::{Request, Response, Status};

use super::paging::{self, List, Page, Question};
use super::{Context, opened, opened_by_actor, refuse};
use crate::from_proto;
use crate::limits;
use crate::to_proto;

/// The service.
pub struct RegistryCalls<S>(pub Arc<Context<S>>);

/// An institution as it stands after a change, and the change's receipt.
type Changed = (Option<v1::Institution>, Option<v1::Receipt>);

impl<S: EventStore> RegistryCalls<S> {
    async fn publish(&self, actor: Actor, action: Action) -> Result<Option<v1::Receipt>, Status> {
        let done = self.0.carry_out(actor, action).await?;
        Ok(done.receipts.last().map(to_proto::receipt))
    }

    async fn change(
        &self,
        actor: Actor,
        id: InstitutionId,
        action: Action,
    ) -> Result<Changed, Status> {
        let receipt = self.publish(actor, action).await?;
        let registry = self.0.engine.registry();
        let institution = registry.institutions.get(&id).map(to_proto::institution);
        Ok((institution, receipt))
    }

    /// A page of a list of the registry, in order of name: the entries, the token of the next page, and
    /// the size that they reflect.
    async fn page<T: Message>(
        &self,
        asked: Asked,
        mut page: Page<T>,
        entries: impl for<'r> FnOnce(&'r Registry, After<'r>) -> Entries<'r, T>,
    ) -> Result<(Vec<T>, String, u64), Status> {
        let Asked {
            question,
            token,
            as_of,
        } = asked;
        let (moment, after) = self.0.page(&question, &token, as_of).await?;
        let after = paging::text(after)?;
        let (registry, moment) = self.0.registry_at(moment).await?;
        let more = page.fill(entries(&registry, After(after.as_deref())));
        let token = |last: &str| self.0.page_token(&question, moment, last.as_bytes());
        let next_page_token = more.map_or_else(String::new, token);
        Ok((page.into_entries(), next_page_token, moment.size))
    }
}

/// Names in order, with what is listed under them.
type Entries<'r, T> = Box<dyn Iterator<Item = (&'r str, T)> + 'r>;

/// The name after which a page begins.
#[derive(Debug, Clone, Copy)]
struct After<'r>(Option<&'r str>);

impl After<'_> {
    /// Whether what is listed under that name comes on this page or a later one.
    fn precedes(self, name: &str) -> bool {
        self.0.is_none_or(|after| after < name)
    }
}

/// What of a request says which page of what.
struct Asked {
    question: Question,
    token: String,
    as_of: Option<v1::AsOf>,
}

impl Asked {
    fn new(list: List, of: &str, token: String, as_of: Option<v1::AsOf>) -> Asked {
        Asked {
            question: Question::new(list, &[of.as_bytes()]),
            token,
            as_of,
        }
    }
}

#[tonic::async_trait]
impl<S: EventStore> RegistryService for RegistryCalls<S> {
    async fn register_institution(
        &self,
        request: Request<v1::RegisterInstitutionRequest>,
    ) -> Result<Response<v1::RegisterInstitutionResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let profile = from_proto::institution(wire.institution).map_err(refuse)?;
        let (id, action) = (profile.id.clone(), Action::RegisterInstitution(profile));
        let (institution, receipt) = self.change(caller.actor, id, action).await?;
        Ok(Response::new(v1::RegisterInstitutionResponse {
            institution,
            receipt,
        }))
    }

    async fn update_institution(
        &self,
        request: Request<v1::UpdateInstitutionRequest>,
    ) -> Result<Response<v1::UpdateInstitutionResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let profile = from_proto::institution(wire.institution).map_err(refuse)?;
        let (id, action) = (profile.id.clone(), Action::UpdateInstitution(profile));
        let (institution, receipt) = self.change(caller.actor, id, action).await?;
        Ok(Response::new(v1::UpdateInstitutionResponse {
            institution,
            receipt,
        }))
    }

    async fn change_institution_state(
        &self,
        request: Request<v1::ChangeInstitutionStateRequest>,
    ) -> Result<Response<v1::ChangeInstitutionStateResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let (id, action) = from_proto::institution_state(wire).map_err(refuse)?;
        let (institution, receipt) = self.change(caller.actor, id, action).await?;
        Ok(Response::new(v1::ChangeInstitutionStateResponse {
            institution,
            receipt,
        }))
    }

    async fn get_institution(
        &self,
        request: Request<v1::GetInstitutionRequest>,
    ) -> Result<Response<v1::GetInstitutionResponse>, Status> {
        let (caller, wire) = opened(request)?;
        let (field, text) = ("institution_id", &wire.institution_id);
        let id = from_proto::institution_or_acting(field, text, &caller.acting());
        let id = id.map_err(refuse)?;
        let moment = self.0.moment(wire.as_of).await?;
        let (registry, moment) = self.0.registry_at(moment).await?;
        let institution = registry.institutions.get(&id).map(to_proto::institution);
        if institution.is_none() {
            return Err(refuse(Rejection::UnknownInstitution { id }));
        }
        Ok(Response::new(v1::GetInstitutionResponse {
            institution,
            as_of_size: moment.size,
        }))
    }

    async fn list_institutions(
        &self,
        request: Request<v1::ListInstitutionsRequest>,
    ) -> Result<Response<v1::ListInstitutionsResponse>, Status> {
        let (_, wire) = opened(request)?;
        let page = Page::new(wire.page_size).map_err(refuse)?;
        let asked = Asked::new(List::Institutions, "", wire.page_token, wire.as_of);
        let listed = self.page(asked, page, |registry, after| {
            let institutions = registry.institutions.iter();
            let institutions = institutions.filter(move |(id, _)| after.precedes(id.as_str()));
            Box::new(institutions.map(|(id, it)| (id.as_str(), to_proto::institution(it))))
        });
        let (institutions, next_page_token, as_of_size) = listed.await?;
        Ok(Response::new(v1::ListInstitutionsResponse {
            institutions,
            next_page_token,
            as_of_size,
        }))
    }

    async fn delegate_institution(
        &self,
        request: Request<v1::DelegateInstitutionRequest>,
    ) -> Result<Response<v1::DelegateInstitutionResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let (issuer, delegation) = from_proto::delegation(wire, &caller.acting).map_err(refuse)?;
        let action = Action::Delegate {
            issuer: issuer.clone(),
            delegation,
        };
        let (institution, receipt) = self.change(caller.actor, issuer, action).await?;
        Ok(Response::new(v1::DelegateInstitutionResponse {
            institution,
            receipt,
        }))
    }

    async fn add_institution_key(
        &self,
        request: Request<v1::AddInstitutionKeyRequest>,
    ) -> Result<Response<v1::AddInstitutionKeyResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let (issuer, key) = from_proto::institution_key(wire, &caller.acting).map_err(refuse)?;
        let id = issuer.clone();
        let action = Action::AddInstitutionKey { issuer, key };
        let (institution, receipt) = self.change(caller.actor, id, action).await?;
        Ok(Response::new(v1::AddInstitutionKeyResponse {
            institution,
            receipt,
        }))
    }

    async fn revoke_institution_key(
        &self,
        request: Request<v1::RevokeInstitutionKeyRequest>,
    ) -> Result<Response<v1::RevokeInstitutionKeyResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let (id, action) = from_proto::key_revocation(wire, &caller.acting).map_err(refuse)?;
        let (institution, receipt) = self.change(caller.actor, id, action).await?;
        Ok(Response::new(v1::RevokeInstitutionKeyResponse {
            institution,
            receipt,
        }))
    }

    async fn publish_framework(
        &self,
        request: Request<v1::PublishFrameworkRequest>,
    ) -> Result<Response<v1::PublishFrameworkResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let framework = from_proto::framework(wire.framework).map_err(refuse)?;
        let receipt = self
            .publish(caller.actor, Action::PublishFramework(framework))
            .await?;
        Ok(Response::new(v1::PublishFrameworkResponse { receipt }))
    }

    async fn list_frameworks(
        &self,
        request: Request<v1::ListFrameworksRequest>,
    ) -> Result<Response<v1::ListFrameworksResponse>, Status> {
        let (_, wire) = opened(request)?;
        let page = Page::sized(wire.page_size, limits::SHORT_PAGE_SIZE).map_err(refuse)?;
        let asked = Asked::new(List::Frameworks, "", wire.page_token, wire.as_of);
        let listed = self.page(asked, page, |registry, after| {
            let published = registry.frameworks.iter();
            let published = published.filter(move |(code, _)| after.precedes(code));
            Box::new(published.map(|(code, it)| (&**code, to_proto::framework(&it.value))))
        });
        let (frameworks, next_page_token, as_of_size) = listed.await?;
        Ok(Response::new(v1::ListFrameworksResponse {
            frameworks,
            next_page_token,
            as_of_size,
        }))
    }

    async fn publish_credit_unit(
        &self,
        request: Request<v1::PublishCreditUnitRequest>,
    ) -> Result<Response<v1::PublishCreditUnitResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let unit = from_proto::credit_unit(wire.unit).map_err(refuse)?;
        let receipt = self
            .publish(caller.actor, Action::PublishCreditUnit(unit))
            .await?;
        Ok(Response::new(v1::PublishCreditUnitResponse { receipt }))
    }

    async fn list_credit_units(
        &self,
        request: Request<v1::ListCreditUnitsRequest>,
    ) -> Result<Response<v1::ListCreditUnitsResponse>, Status> {
        let (_, wire) = opened(request)?;
        let page = Page::sized(wire.page_size, limits::SHORT_PAGE_SIZE).map_err(refuse)?;
        let asked = Asked::new(List::Units, "", wire.page_token, wire.as_of);
        let listed = self.page(asked, page, |registry, after| {
            let published = registry.units.iter();
            let published = published.filter(move |(code, _)| after.precedes(code));
            Box::new(published.map(|(code, it)| (&**code, to_proto::credit_unit(&it.value))))
        });
        let (units, next_page_token, as_of_size) = listed.await?;
        Ok(Response::new(v1::ListCreditUnitsResponse {
            units,
            next_page_token,
            as_of_size,
        }))
    }

    async fn publish_code_list(
        &self,
        request: Request<v1::PublishCodeListRequest>,
    ) -> Result<Response<v1::PublishCodeListResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let list = from_proto::code_list(wire.code_list).map_err(refuse)?;
        let receipt = self
            .publish(caller.actor, Action::PublishCodeList(list))
            .await?;
        Ok(Response::new(v1::PublishCodeListResponse { receipt }))
    }

    async fn get_code_list(
        &self,
        request: Request<v1::GetCodeListRequest>,
    ) -> Result<Response<v1::GetCodeListResponse>, Status> {
        let (_, wire) = opened(request)?;
        let page = Page::sized(wire.page_size, limits::CODES_PAGE_SIZE).map_err(refuse)?;
        let asked = Asked::new(List::Codes, &wire.code, wire.page_token, wire.as_of);
        let mut found = None;
        let listed = self.page(asked, page, |registry, after| {
            let Some(codes) = registry.code_lists.get(&wire.code) else {
                return Box::new(std::iter::empty());
            };
            found = Some(to_proto::code_list(&wire.code, codes));
            let entries = codes.labels.iter();
            let entries = entries.filter(move |(code, _)| after.precedes(code));
            Box::new(entries.map(|(code, label)| (&**code, to_proto::code_entry(code, label))))
        });
        let (entries, next_page_token, as_of_size) = listed.await?;
        let Some(list) = found else {
            return Err(refuse(Rejection::UnknownCodeList { code: wire.code }));
        };
        let code_list = Some(v1::CodeList { entries, ..list });
        Ok(Response::new(v1::GetCodeListResponse {
            code_list,
            next_page_token,
            as_of_size,
        }))
    }

    async fn publish_course(
        &self,
        request: Request<v1::PublishCourseRequest>,
    ) -> Result<Response<v1::PublishCourseResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let (issuer, course) = from_proto::course(wire.course, &caller.acting).map_err(refuse)?;
        let action = Action::PublishCourse { issuer, course };
        let receipt = self.publish(caller.actor, action).await?;
        Ok(Response::new(v1::PublishCourseResponse { receipt }))
    }

    async fn list_courses(
        &self,
        request: Request<v1::ListCoursesRequest>,
    ) -> Result<Response<v1::ListCoursesResponse>, Status> {
        let (caller, wire) = opened(request)?;
        let page = Page::new(wire.page_size).map_err(refuse)?;
        let (field, text) = ("institution_id", &wire.institution_id);
        let id = from_proto::institution_or_acting(field, text, &caller.acting());
        let id = id.map_err(refuse)?;
        let asked = Asked::new(List::Courses, id.as_str(), wire.page_token, wire.as_of);
        let listed = self.page(asked, page, move |registry, after| {
            let of_institution = registry.courses.range((id.clone(), String::new())..);
            let of_institution = of_institution.take_while(move |((of, _), _)| *of == id);
            let of_institution = of_institution.filter(move |((_, code), _)| after.precedes(code));
            Box::new(of_institution.map(|((of, code), it)| {
                let course = to_proto::course(of, &it.value);
                (&**code, course)
            }))
        });
        let (courses, next_page_token, as_of_size) = listed.await?;
        Ok(Response::new(v1::ListCoursesResponse {
            courses,
            next_page_token,
            as_of_size,
        }))
    }

    async fn publish_intake_window(
        &self,
        request: Request<v1::PublishIntakeWindowRequest>,
    ) -> Result<Response<v1::PublishIntakeWindowResponse>, Status> {
        let (caller, wire) = opened_by_actor(request)?;
        let window = from_proto::window(wire.window).map_err(refuse)?;
        let receipt = self
            .publish(caller.actor, Action::PublishIntakeWindow(window))
            .await?;
        Ok(Response::new(v1::PublishIntakeWindowResponse { receipt }))
    }

    async fn list_intake_windows(
        &self,
        request: Request<v1::ListIntakeWindowsRequest>,
    ) -> Result<Response<v1::ListIntakeWindowsResponse>, Status> {
        let (_, wire) = opened(request)?;
        let page = Page::sized(wire.page_size, limits::SHORT_PAGE_SIZE).map_err(refuse)?;
        let asked = Asked::new(List::Windows, "", wire.page_token, wire.as_of);
        let listed = self.page(asked, page, |registry, after| {
            let published = registry.windows.iter();
            let published = published.filter(move |(id, _)| after.precedes(id));
            Box::new(published.map(|(id, it)| (&**id, to_proto::window(&it.value))))
        });
        let (windows, next_page_token, as_of_size) = listed.await?;
        Ok(Response::new(v1::ListIntakeWindowsResponse {
            windows,
            next_page_token,
            as_of_size,
        }))
    }
}
