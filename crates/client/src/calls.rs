//! Every unary call of the API, and whether a second arrival of it changes nothing.
//!
//! Apart from the connection because this table is the whole of what makes repeating safe: nobody who
//! makes a call can say otherwise, and a test compares it with the API.
//!
//! A call may be repeated when its second arrival changes nothing, whatever has happened in between: reads;
//! submissions and new versions, which their record ids and contents identify; learners with a request id
//! (a request without one is given one); an institution's first registration; and whatever is only
//! checked. The answer may be another one by then: an institution that somebody updated in between is there
//! already, with other content. Everything else, such as suspending, linking or publishing, might undo what
//! somebody did after the first arrival, and is repeated only when the first one certainly did nothing.

use std::future::Future;

use api::v1;
use tonic::{Request, Response, Status};

use crate::connection::Client;

/// What a second arrival of a call does.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Repetition {
    /// Nothing. It is answered like the first, unless what it is about has changed in between.
    ChangesNothing,
    /// Perhaps something.
    MayChange,
}

/// A request of a unary call. Implemented for all of them, and for nothing else.
pub trait Call: sealed::Sealed + Clone + Send + Sync + 'static {
    /// What it is answered with.
    type Answer: Send;

    /// What a second arrival of this request does.
    fn repetition(&self) -> Repetition;

    /// The request as it is sent, so that all attempts are the same.
    #[must_use]
    fn prepared(self) -> Self {
        self
    }

    /// Sends it once.
    fn send(
        client: &Client,
        request: Request<Self>,
    ) -> impl Future<Output = Result<Response<Self::Answer>, Status>> + Send;
}

mod sealed {
    pub trait Sealed {}
}

/// One line a call: service, method, request, answer, and what a second arrival does.
macro_rules! calls {
    ($($service:ident.$method:ident($request:ident) -> $answer:ident: $repetition:expr $(, $prepared:expr)?;)*) => {
        $(
            impl sealed::Sealed for v1::$request {}

            impl Call for v1::$request {
                type Answer = v1::$answer;

                fn repetition(&self) -> Repetition {
                    let decide: fn(&Self) -> Repetition = $repetition;
                    decide(self)
                }

                $(fn prepared(self) -> Self {
                    let prepare: fn(Self) -> Self = $prepared;
                    prepare(self)
                })?

                async fn send(
                    client: &Client,
                    request: Request<Self>,
                ) -> Result<Response<Self::Answer>, Status> {
                    client.$service().$method(request).await
                }
            }
        )*

        /// Every request that can be sent, by name.
        #[cfg(test)]
        const REQUESTS: &[&str] = &[$(stringify!($request)),*];
    };
}

calls! {
    records.submit_record(SubmitRecordRequest) -> SubmitRecordResponse: safe;
    records.batch_submit_records(BatchSubmitRecordsRequest) -> BatchSubmitRecordsResponse: safe;
    records.get_record(GetRecordRequest) -> GetRecordResponse: safe;
    records.list_records(ListRecordsRequest) -> ListRecordsResponse: safe;
    records.supersede_record(SupersedeRecordRequest) -> SupersedeRecordResponse: safe;
    records.revoke_records(RevokeRecordsRequest) -> RevokeRecordsResponse: |r| checked(r.validate_only);
    records.suspend_records(SuspendRecordsRequest) -> SuspendRecordsResponse: |r| checked(r.validate_only);
    records.reinstate_records(ReinstateRecordsRequest) -> ReinstateRecordsResponse: |r| checked(r.validate_only);
    records.reassign_record(ReassignRecordRequest) -> ReassignRecordResponse: |r| checked(r.validate_only);

    accounts.get_balance(GetBalanceRequest) -> GetBalanceResponse: safe;
    accounts.get_statement(GetStatementRequest) -> GetStatementResponse: safe;

    learners.register_learner(RegisterLearnerRequest) -> RegisterLearnerResponse: named, with_request_id;
    learners.update_learner(UpdateLearnerRequest) -> UpdateLearnerResponse: once;
    learners.get_learner(GetLearnerRequest) -> GetLearnerResponse: safe;
    learners.link_identity(LinkIdentityRequest) -> LinkIdentityResponse: once;
    learners.unlink_identity(UnlinkIdentityRequest) -> UnlinkIdentityResponse: once;
    learners.list_pending_learners(ListPendingLearnersRequest) -> ListPendingLearnersResponse: safe;
    learners.merge_learners(MergeLearnersRequest) -> MergeLearnersResponse: once;
    learners.separate_learners(SeparateLearnersRequest) -> SeparateLearnersResponse: once;
    learners.erase_learner(EraseLearnerRequest) -> EraseLearnerResponse: once;

    registry.register_institution(RegisterInstitutionRequest) -> RegisterInstitutionResponse: safe;
    registry.update_institution(UpdateInstitutionRequest) -> UpdateInstitutionResponse: once;
    registry.change_institution_state(ChangeInstitutionStateRequest) -> ChangeInstitutionStateResponse: once;
    registry.get_institution(GetInstitutionRequest) -> GetInstitutionResponse: safe;
    registry.list_institutions(ListInstitutionsRequest) -> ListInstitutionsResponse: safe;
    registry.delegate_institution(DelegateInstitutionRequest) -> DelegateInstitutionResponse: once;
    registry.add_institution_key(AddInstitutionKeyRequest) -> AddInstitutionKeyResponse: once;
    registry.revoke_institution_key(RevokeInstitutionKeyRequest) -> RevokeInstitutionKeyResponse: once;
    registry.publish_framework(PublishFrameworkRequest) -> PublishFrameworkResponse: once;
    registry.list_frameworks(ListFrameworksRequest) -> ListFrameworksResponse: safe;
    registry.publish_credit_unit(PublishCreditUnitRequest) -> PublishCreditUnitResponse: once;
    registry.list_credit_units(ListCreditUnitsRequest) -> ListCreditUnitsResponse: safe;
    registry.publish_code_list(PublishCodeListRequest) -> PublishCodeListResponse: once;
    registry.get_code_list(GetCodeListRequest) -> GetCodeListResponse: safe;
    registry.publish_course(PublishCourseRequest) -> PublishCourseResponse: once;
    registry.list_courses(ListCoursesRequest) -> ListCoursesResponse: safe;
    registry.publish_intake_window(PublishIntakeWindowRequest) -> PublishIntakeWindowResponse: once;
    registry.list_intake_windows(ListIntakeWindowsRequest) -> ListIntakeWindowsResponse: safe;

    audit.get_head(GetHeadRequest) -> GetHeadResponse: safe;
}

fn safe<R>(_: &R) -> Repetition {
    Repetition::ChangesNothing
}

fn once<R>(_: &R) -> Repetition {
    Repetition::MayChange
}

fn checked(validate_only: bool) -> Repetition {
    if validate_only {
        Repetition::ChangesNothing
    } else {
        Repetition::MayChange
    }
}

fn named(request: &v1::RegisterLearnerRequest) -> Repetition {
    checked(!request.request_id.is_empty())
}

/// A learner is registered once however often the request arrives, so it needs a name. Where the system has
/// no randomness to give it stays without, and is sent once.
fn with_request_id(request: v1::RegisterLearnerRequest) -> v1::RegisterLearnerRequest {
    match (
        request.request_id.is_empty(),
        getrandom::u64(),
        getrandom::u64(),
    ) {
        (true, Ok(a), Ok(b)) => v1::RegisterLearnerRequest {
            request_id: format!("{a:016x}{b:016x}"),
            ..request
        },
        _ => request,
    }
}

#[cfg(test)]
mod tests {
    use prost::Message;

    use super::*;

    #[test]
    fn every_unary_call_of_the_api_is_in_the_table() {
        let files = prost_types::FileDescriptorSet::decode(api::FILE_DESCRIPTOR_SET).unwrap();
        let services = files.file.iter().flat_map(|file| &file.service);
        let unary = services
            .flat_map(|service| &service.method)
            .filter(|method| !method.client_streaming() && !method.server_streaming());
        let mut requests: Vec<&str> = unary
            .filter_map(|method| method.input_type().rsplit('.').next())
            .collect();
        requests.sort_unstable();
        let mut table = REQUESTS.to_vec();
        table.sort_unstable();
        assert_eq!(table, requests);
    }

    #[test]
    fn the_request_decides() {
        let register = v1::RegisterLearnerRequest::default();
        assert_eq!(register.repetition(), Repetition::MayChange);
        let named = register.clone().prepared();
        assert_eq!(named.repetition(), Repetition::ChangesNothing);
        assert_eq!(named.request_id.len(), 32);
        assert_eq!(named.clone().prepared(), named, "all attempts are the same");
        assert_ne!(register.prepared(), named, "two learners are two requests");
        let mut revoke = v1::RevokeRecordsRequest::default();
        assert_eq!(revoke.repetition(), Repetition::MayChange);
        revoke.validate_only = true;
        assert_eq!(revoke.repetition(), Repetition::ChangesNothing);
    }
}
