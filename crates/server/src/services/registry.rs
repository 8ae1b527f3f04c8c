//! RegistryService: who may issue what, and in which words.

use std::sync::Arc;

use api::v1;
use api::v1::registry_service_server::RegistryService;
use ledger::registry::Registry;
use ledger::{Action, Actor, InstitutionId, Rejection};
use store::EventStore;
use tonic::{Request, Response, Status};

use super::paging::{self, List, Page};
use super::{Context, opened, opened_by_actor, refuse};
use crate::from_proto;
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

    fn registry(&self) -> Arc<Registry> {
        self.0.engine.registry()
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
        let registry = self.registry();
        let institution = registry.institutions.get(&id).map(to_proto::institution);
        if institution.is_none() {
            return Err(refuse(Rejection::UnknownInstitution { id }));
        }
        Ok(Response::new(v1::GetInstitutionResponse {
            institution,
            as_of_size: 0,
        }))
    }

    async fn list_institutions(
        &self,
        request: Request<v1::ListInstitutionsRequest>,
    ) -> Result<Response<v1::ListInstitutionsResponse>, Status> {
        let (_, wire) = opened(request)?;
        let mut page = Page::new(wire.page_size).map_err(refuse)?;
        let after = paging::after(List::Institutions, &wire.page_token).map_err(refuse)?;
        let registry = self.registry();
        let mut last = String::new();
        let mut next_page_token = String::new();
        for (id, institution) in &registry.institutions {
            if after
                .as_ref()
                .is_some_and(|after| id.as_str() <= after.as_str())
            {
                continue;
            }
            if !page.add(to_proto::institution(institution)) {
                next_page_token = paging::token(List::Institutions, &last);
                break;
            }
            id.as_str().clone_into(&mut last);
        }
        let institutions = page.into_entries();
        Ok(Response::new(v1::ListInstitutionsResponse {
            institutions,
            next_page_token,
            as_of_size: 0,
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
        _: Request<v1::AddInstitutionKeyRequest>,
    ) -> Result<Response<v1::AddInstitutionKeyResponse>, Status> {
        Err(Status::unimplemented("institution keys"))
    }

    async fn revoke_institution_key(
        &self,
        _: Request<v1::RevokeInstitutionKeyRequest>,
    ) -> Result<Response<v1::RevokeInstitutionKeyResponse>, Status> {
        Err(Status::unimplemented("institution keys"))
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
        _: Request<v1::ListFrameworksRequest>,
    ) -> Result<Response<v1::ListFrameworksResponse>, Status> {
        let registry = self.registry();
        let published = registry.frameworks.values();
        let frameworks = published
            .map(|published| to_proto::framework(&published.value))
            .collect();
        Ok(Response::new(v1::ListFrameworksResponse {
            frameworks,
            ..Default::default()
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
        _: Request<v1::ListCreditUnitsRequest>,
    ) -> Result<Response<v1::ListCreditUnitsResponse>, Status> {
        let registry = self.registry();
        let published = registry.units.values();
        let units = published
            .map(|published| to_proto::credit_unit(&published.value))
            .collect();
        Ok(Response::new(v1::ListCreditUnitsResponse {
            units,
            ..Default::default()
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
        let registry = self.registry();
        let Some(codes) = registry.code_lists.get(&wire.code) else {
            return Err(refuse(Rejection::UnknownCodeList { code: wire.code }));
        };
        let code_list = Some(to_proto::code_list(&wire.code, codes));
        Ok(Response::new(v1::GetCodeListResponse {
            code_list,
            ..Default::default()
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
        let mut page = Page::new(wire.page_size).map_err(refuse)?;
        let (field, text) = ("institution_id", &wire.institution_id);
        let id = from_proto::institution_or_acting(field, text, &caller.acting());
        let id = id.map_err(refuse)?;
        let after = paging::after(List::Courses, &wire.page_token).map_err(refuse)?;
        let registry = self.registry();
        let from = (id.clone(), after.clone().unwrap_or_default());
        let of_institution = registry
            .courses
            .range(from..)
            .take_while(|((institution, _), _)| *institution == id);
        let mut last = String::new();
        let mut next_page_token = String::new();
        for ((institution, code), course) in of_institution {
            if after.as_ref() == Some(code) {
                continue;
            }
            if !page.add(to_proto::course(institution, &course.value)) {
                next_page_token = paging::token(List::Courses, &last);
                break;
            }
            last.clone_from(code);
        }
        let courses = page.into_entries();
        Ok(Response::new(v1::ListCoursesResponse {
            courses,
            next_page_token,
            as_of_size: 0,
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
        _: Request<v1::ListIntakeWindowsRequest>,
    ) -> Result<Response<v1::ListIntakeWindowsResponse>, Status> {
        let registry = self.registry();
        let windows = registry
            .windows
            .values()
            .map(|window| to_proto::window(&window.value));
        Ok(Response::new(v1::ListIntakeWindowsResponse {
            windows: windows.collect(),
            ..Default::default()
        }))
    }
}
