//! Delegation requests: a partner asks for temporary access, an identity of the account that is asked grants it as
//! itself, and the partner hears of it by a topic with a token, which STS takes.
//!
//! On AWS a partner has itself registered, and its templates with it. Here every account may ask, and a template is a
//! managed policy, AWS's or the asking account's, in which `@{name}` stands for parameters.

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Arn, Effect, Principal, PrincipalKind, ReadTx, Timestamp, Tx, WriteTx};
use fogbank_identity::rows::{
    DELEGATION_REQUESTS, DELEGATION_WORKFLOWS, DelegationRequest as Row, OWNED_DELEGATIONS,
};
use serde_json::json;

use crate::error::Error;
use crate::holders;
use crate::model::{
    AcceptDelegationRequestInput, AcceptDelegationRequestOutput, AssociateDelegationRequestInput,
    AssociateDelegationRequestOutput, CreateDelegationRequestInput, CreateDelegationRequestOutput,
    DelegationPermission, DelegationRequest, GetDelegationRequestInput, GetDelegationRequestOutput,
    GetHumanReadableSummaryInput, GetHumanReadableSummaryOutput, ListDelegationRequestsInput,
    ListDelegationRequestsOutput, PolicyParameter, PolicyParameterTypeEnum,
    RejectDelegationRequestInput, RejectDelegationRequestOutput, SendDelegationTokenInput,
    SendDelegationTokenOutput, UpdateDelegationRequestInput, UpdateDelegationRequestOutput,
};
use crate::rules::{Page, templates};
use crate::store;

const DAY_SECS: i64 = 86_400;
/// After how many days a request ends that nobody has taken on.
const UNASSIGNED_DAYS: i64 = 1;
/// After how many days one ends in each other state.
const WAITING_DAYS: i64 = 7;
const SERVICE: &str = "iam.amazonaws.com";

/// Asks for access.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateDelegationRequestInput,
) -> Result<CreateDelegationRequestOutput, Error> {
    let requestor = tx.account().to_owned();
    let workflow = (requestor.clone(), input.requestor_workflow_id.clone());
    if DELEGATION_WORKFLOWS.contains(tx, &workflow)? {
        return Err(Error::EntityAlreadyExistsException(format!(
            "A delegation request with the workflow id {} already exists.",
            input.requestor_workflow_id
        )));
    }
    let is_topic = Arn::parse(&input.notification_channel).is_some_and(|arn| arn.service == "sns");
    if !is_topic {
        return Err(invalid("The notification channel must be the ARN of an SNS topic."));
    }
    let template = input.permissions.policy_template_arn.unwrap_or_default();
    let parameters = parameters(input.permissions.parameters.unwrap_or_default());
    let document = holders::document(tx, &template)?.ok_or_else(|| Error::no_policy(&template))?;
    let policy = templates::rendered(&document, &parameters)
        .map_err(|name| invalid(&format!("The template's parameter {name} is missing.")))?;
    Document::parse(&policy, Kind::Session)?;
    let now = tx.now().secs();
    let id = format!("dr-{}", tx.ids().hex(32));
    let row = Row {
        requestor,
        owner_account: input.owner_account_id,
        owner: None,
        approver: None,
        description: input.description,
        message: input.request_message,
        workflow: input.requestor_workflow_id,
        template,
        parameters,
        policy,
        redirect_url: input.redirect_url,
        channel: input.notification_channel,
        session_secs: u32::try_from(input.session_duration).unwrap_or_default(),
        only_by_owner: input.only_send_by_owner.unwrap_or_default(),
        state: "UNASSIGNED".to_owned(),
        notes: None,
        rejection: None,
        created_secs: now,
        updated_secs: now,
        expires_secs: now + UNASSIGNED_DAYS * DAY_SECS,
        finalized_secs: None,
    };
    DELEGATION_REQUESTS.put(tx, &id, &row)?;
    DELEGATION_WORKFLOWS.put(tx, &workflow, &id)?;
    // There is no console that a link could lead to.
    Ok(CreateDelegationRequestOutput { console_deep_link: None, delegation_request_id: Some(id) })
}

fn parameters(given: Vec<PolicyParameter>) -> Vec<(String, Vec<String>, bool)> {
    let parameter = |given: PolicyParameter| {
        let is_list = given.r#type == Some(PolicyParameterTypeEnum::StringList);
        (given.name.unwrap_or_default(), given.values.unwrap_or_default(), is_list)
    };
    given.into_iter().map(parameter).collect()
}

fn invalid(message: &str) -> Error {
    Error::InvalidInputException(message.to_owned())
}

/// A request that the caller may know of: that of nobody, that of its account, and its own.
fn find(tx: &impl Tx, id: &str) -> Result<Row, Error> {
    let row = DELEGATION_REQUESTS.get(tx, id)?;
    row.filter(|row| row.owner_account.as_deref().is_none_or(|owner| owner == tx.account()))
        .ok_or_else(|| {
            Error::NoSuchEntityException(format!("The delegation request {id} cannot be found."))
        })
}

/// How far a request has come at this time.
fn state(row: &Row, now_secs: i64) -> &str {
    if now_secs >= row.expires_secs { "EXPIRED" } else { &row.state }
}

/// A request, to be changed from one of these states.
fn changeable(tx: &impl Tx, id: &str, states: &[&str]) -> Result<Row, Error> {
    let row = find(tx, id)?;
    let state = state(&row, tx.now().secs());
    match states.contains(&state) {
        true => Ok(row),
        false => Err(invalid(&format!("The delegation request is in the state {state}."))),
    }
}

fn save(tx: &mut WriteTx<'_>, id: &str, mut row: Row, state: &str) -> Result<(), Error> {
    let now = tx.now().secs();
    row.state = state.to_owned();
    row.updated_secs = now;
    row.expires_secs = now + WAITING_DAYS * DAY_SECS;
    Ok(DELEGATION_REQUESTS.put(tx, id, &row)?)
}

/// Takes a request on.
pub(crate) fn associate(
    tx: &mut WriteTx<'_>,
    input: AssociateDelegationRequestInput,
) -> Result<AssociateDelegationRequestOutput, Error> {
    let id = input.delegation_request_id;
    let mut row = changeable(tx, &id, &["UNASSIGNED"])?;
    let account = tx.account().to_owned();
    row.owner = Some(tx.request().principal.arn.clone());
    row.owner_account = Some(account.clone());
    OWNED_DELEGATIONS.put(tx, &(account, id.clone()), &())?;
    save(tx, &id, row, "ASSIGNED")?;
    Ok(AssociateDelegationRequestOutput {})
}

/// Hands a request on to whoever may approve it.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateDelegationRequestInput,
) -> Result<UpdateDelegationRequestOutput, Error> {
    let id = input.delegation_request_id;
    let mut row = changeable(tx, &id, &["ASSIGNED", "PENDING_APPROVAL"])?;
    row.notes = input.notes.or(row.notes);
    save(tx, &id, row, "PENDING_APPROVAL")?;
    Ok(UpdateDelegationRequestOutput {})
}

/// Approves a request: what is granted is granted as the caller.
pub(crate) fn accept(
    tx: &mut WriteTx<'_>,
    input: AcceptDelegationRequestInput,
) -> Result<AcceptDelegationRequestOutput, Error> {
    let id = input.delegation_request_id;
    let mut row = changeable(tx, &id, &["ASSIGNED", "PENDING_APPROVAL"])?;
    let caller = Principal::clone(&tx.request().principal);
    let is_limited = caller
        .session
        .as_ref()
        .is_some_and(|session| !session.policies.is_empty() || !session.policy_arns.is_empty());
    if !matches!(caller.kind, PrincipalKind::User { .. } | PrincipalKind::Role { .. }) {
        // No policy that only allows limits a root.
        return Err(invalid("Only users and roles can accept delegation requests."));
    }
    if is_limited {
        // The granted policy stands beside those of the session, which would then limit no longer.
        return Err(invalid("A session that policies limit cannot accept delegation requests."));
    }
    row.approver = Some(Principal { access_key_id: None, ..caller });
    save(tx, &id, row, "ACCEPTED")?;
    Ok(AcceptDelegationRequestOutput {})
}

/// Rejects a request, also one that was accepted, until the token is released.
pub(crate) fn reject(
    tx: &mut WriteTx<'_>,
    input: RejectDelegationRequestInput,
) -> Result<RejectDelegationRequestOutput, Error> {
    let id = input.delegation_request_id;
    let mut row = changeable(tx, &id, &["ASSIGNED", "PENDING_APPROVAL", "ACCEPTED"])?;
    row.rejection = input.notes;
    save(tx, &id, row, "REJECTED")?;
    Ok(RejectDelegationRequestOutput {})
}

/// Releases the token: the topic hears of it.
pub(crate) fn send_token(
    tx: &mut WriteTx<'_>,
    input: SendDelegationTokenInput,
) -> Result<SendDelegationTokenOutput, Error> {
    let id = input.delegation_request_id;
    let mut row = changeable(tx, &id, &["ACCEPTED"])?;
    if row.only_by_owner && row.owner.as_deref() != Some(&*tx.request().principal.arn) {
        return Err(invalid("Only the owner of the delegation request can send its token."));
    }
    row.finalized_secs = Some(tx.now().secs());
    let token = Row::token(tx.cx().cloud(), &id);
    let (channel, requestor) = (row.channel.clone(), row.requestor.clone());
    // The names of the members are a guess.
    let message = json!({
        "delegationRequestId": id,
        "requestorWorkflowId": row.workflow,
        "ownerAccountId": row.owner_account,
        "state": "FINALIZED",
        "exchangeToken": token,
    });
    let publish = json!({ "TopicArn": channel, "Message": message.to_string() });
    let region = Arn::parse(&channel).map(|arn| arn.region).unwrap_or_default().to_owned();
    let effect = Effect::call("sns:Publish", Principal::service(SERVICE), &publish)
        .on_behalf_of(&arn(tx.account(), &id), &requestor)
        .located(&requestor, &region)
        .in_lane(&channel);
    tx.emit(effect)?;
    save(tx, &id, row, "FINALIZED")?;
    Ok(SendDelegationTokenOutput {})
}

/// The ARN of a request in an account.
fn arn(account: &str, id: &str) -> String {
    format!("arn:aws:iam::{account}:delegation-request/{id}")
}

/// Shows a request. Whether the caller could grant what is asked for is not found out.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetDelegationRequestInput,
) -> Result<GetDelegationRequestOutput, Error> {
    let row = find(tx, &input.delegation_request_id)?;
    let is_checked = input.delegation_permission_check.unwrap_or_default();
    Ok(GetDelegationRequestOutput {
        delegation_request: Some(shown(input.delegation_request_id, row, tx.now().secs())),
        permission_check_status: is_checked.then(|| "COMPLETE".to_owned()),
        permission_check_result: is_checked.then(|| "UNSURE".to_owned()),
    })
}

/// Lists the requests that somebody of the account has taken on.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListDelegationRequestsInput,
) -> Result<ListDelegationRequestsOutput, Error> {
    let mut found = Vec::new();
    for (_, id) in OWNED_DELEGATIONS.range(&(tx.account(),)).keys(tx)? {
        let Some(row) = DELEGATION_REQUESTS.get(tx, &id)? else { continue };
        if input.owner_id.is_none() || row.owner == input.owner_id {
            found.push((id, row));
        }
    }
    let key = |(id, _): &(String, Row)| id.clone();
    let page = Page::of(found, key, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let now = tx.now().secs();
    let shown = page.items.into_iter().map(|(id, row)| shown(id, row, now));
    Ok(ListDelegationRequestsOutput {
        delegation_requests: Some(shown.collect()),
        marker: page.marker,
        is_truncated,
    })
}

/// Says that there is no summary: AWS lets a language model write it.
pub(crate) fn summary(
    tx: &ReadTx<'_>,
    input: GetHumanReadableSummaryInput,
) -> Result<GetHumanReadableSummaryOutput, Error> {
    let id = input.entity_arn.split_once(":delegation-request/").map(|(_, id)| id);
    find(tx, id.ok_or_else(|| invalid(&format!("ARN {} is not valid.", input.entity_arn)))?)?;
    Ok(GetHumanReadableSummaryOutput {
        summary_content: None,
        locale: Some(input.locale.unwrap_or_else(|| "en".to_owned())),
        summary_state: Some("NOT_AVAILABLE".to_owned()),
    })
}

fn shown(id: String, row: Row, now_secs: i64) -> DelegationRequest {
    let state = state(&row, now_secs).to_owned();
    let parameter = |(name, values, is_list): (String, Vec<String>, bool)| PolicyParameter {
        name: Some(name),
        values: Some(values),
        r#type: Some(match is_list {
            true => PolicyParameterTypeEnum::StringList,
            false => PolicyParameterTypeEnum::String,
        }),
    };
    let parameters = row.parameters.into_iter().map(parameter).collect();
    DelegationRequest {
        delegation_request_id: Some(id),
        owner_account_id: row.owner_account,
        description: Some(row.description),
        request_message: row.message,
        permissions: Some(DelegationPermission {
            policy_template_arn: Some(row.template),
            parameters: Some(parameters),
        }),
        permission_policy: Some(row.policy),
        role_permission_restriction_arns: None,
        owner_id: row.owner,
        approver_id: row.approver.map(|approver| approver.arn),
        state: Some(state),
        expiration_time: Some(Timestamp::from_secs(row.expires_secs)),
        requestor_id: Some(row.requestor),
        requestor_name: None,
        create_date: store::time(row.created_secs),
        session_duration: i32::try_from(row.session_secs).ok(),
        redirect_url: row.redirect_url,
        notes: row.notes,
        rejection_reason: row.rejection,
        only_send_by_owner: Some(row.only_by_owner),
        updated_time: store::time(row.updated_secs),
    }
}
