//! Accounts: created, moved, closed, removed.

use std::ops::ControlFlow;

use fogbank_core::{BoxFuture, Cx, Effect, Fault, Principal, ReadTx, Timestamp, Tx, WriteTx};
use fogbank_identity::organizations::{
    self as rows, ACCOUNTS, Account as Row, CHILDREN, CREATIONS, Creation,
};
use fogbank_identity::rows::changed;
use serde_json::{Value, json};

use crate::error::Error;
use crate::model::{
    Account, CloseAccountInput, CloseAccountOutput, CreateAccountInput, CreateAccountOutput,
    CreateAccountState, CreateAccountStatus, DescribeAccountInput, DescribeAccountOutput,
    DescribeCreateAccountStatusInput, DescribeCreateAccountStatusOutput, LeaveOrganizationInput,
    LeaveOrganizationOutput, ListAccountsForParentInput, ListAccountsForParentOutput,
    ListAccountsInput, ListAccountsOutput, ListCreateAccountStatusInput,
    ListCreateAccountStatusOutput, MoveAccountInput, MoveAccountOutput,
    RemoveAccountFromOrganizationInput, RemoveAccountFromOrganizationOutput,
};
use crate::store::{self, Found};
use crate::{rules, units};

/// The role that lets the management account into accounts that it creates.
const ROLE: &str = "OrganizationAccountAccessRole";

/// Asks for an account, which is there soon after.
pub(crate) fn create(
    tx: &mut WriteTx<'_>,
    input: CreateAccountInput,
) -> Result<CreateAccountOutput, Error> {
    let found = store::managed(tx)?;
    let tags = rules::tags(input.tags)?;
    let accounts = found.accounts(tx)?;
    if accounts.len() >= rules::ACCOUNTS {
        let message = "You have exceeded the allowed number of AWS accounts.";
        return Err(Error::constraint("ACCOUNT_NUMBER_LIMIT_EXCEEDED", message));
    }
    let number = loop {
        let number = format!("{:012}", 100_000_000_000 + tx.ids().below(900_000_000_000));
        if !ACCOUNTS.contains(tx, &number)? {
            break number;
        }
    };
    let id = format!("car-{}", tx.ids().hex(32));
    let creation = Creation {
        name: input.account_name,
        email: input.email,
        role: input.role_name.unwrap_or_else(|| ROLE.to_owned()),
        account: number,
        requested_secs: tx.now().secs(),
        completed_secs: None,
        failure: None,
        tags,
    };
    CREATIONS.put(tx, &(&*found.id, &*id), &creation)?;
    let job = json!({ "organization": found.id, "request": id });
    tx.emit(Effect::job("organizations:create-account", &job))?;
    Ok(CreateAccountOutput { create_account_status: Some(status(id, creation)) })
}

/// Does what a request for an account asks. It may run more than once.
pub(crate) fn perform(cx: Cx, job: Value) -> BoxFuture<'static, Result<(), Fault>> {
    Box::pin(async move {
        let text = |name: &str| job[name].as_str().unwrap_or_default().to_owned();
        let key = (text("organization"), text("request"));
        let pending = cx.read(|tx| {
            let creation = CREATIONS.get(tx, &key)?.filter(|made| made.completed_secs.is_none());
            let row = rows::ORGANIZATIONS.get(tx, &key.0)?;
            Ok::<_, Fault>(creation.zip(row))
        })?;
        // The organization may be gone, or the job done before.
        let Some((creation, organization)) = pending else { return Ok(()) };
        make_role(&cx, &creation, &organization.management).await?;
        cx.write(|tx| complete(tx, &key)).await.map_err(Fault::from)
    })
}

/// Makes the role that the management account may assume. The account is in no organization yet, so that no control
/// policy stands in the way.
async fn make_role(cx: &Cx, creation: &Creation, management: &str) -> Result<(), Fault> {
    let trust = json!({
        "Version": "2012-10-17",
        "Statement": [{
            "Effect": "Allow",
            "Principal": { "AWS": format!("arn:aws:iam::{management}:root") },
            "Action": "sts:AssumeRole",
        }],
    });
    let role = json!({ "RoleName": creation.role, "AssumeRolePolicyDocument": trust.to_string() });
    let policy = json!({
        "RoleName": creation.role,
        "PolicyArn": "arn:aws:iam::aws:policy/AdministratorAccess",
    });
    for (action, input) in [("iam:CreateRole", role), ("iam:AttachRolePolicy", policy)] {
        let mut call = cx.prepare(Principal::root(&creation.account), action, input);
        call.account.clone_from(&creation.account);
        match cx.cloud().call(call).await {
            Ok(_) => {}
            Err(fault) if fault.name() == "EntityAlreadyExistsException" => {}
            Err(fault) => return Err(fault),
        }
    }
    Ok(())
}

fn complete(tx: &mut WriteTx<'_>, key: &(String, String)) -> Result<(), Error> {
    let Some(mut creation) = CREATIONS.get(tx, key)? else { return Ok(()) };
    let Some(row) = rows::ORGANIZATIONS.get(tx, &key.0)? else { return Ok(()) };
    let found = Found { id: key.0.clone(), row };
    creation.completed_secs = Some(tx.now().secs());
    if is_taken(tx, &creation.email)? {
        creation.failure = Some("EMAIL_ALREADY_EXISTS".to_owned());
    } else {
        let account = Row {
            organization: found.id.clone(),
            parent: found.row.root.clone(),
            name: creation.name.clone(),
            email: creation.email.clone(),
            closed: false,
            invited: false,
            joined_secs: tx.now().secs(),
            tags: creation.tags.clone(),
        };
        found.add_account(tx, &creation.account, &account)?;
    }
    CREATIONS.put(tx, key, &creation)?;
    Ok(())
}

/// Whether an account has this address already.
fn is_taken(tx: &impl Tx, email: &str) -> Result<bool, Error> {
    let mut is_taken = false;
    ACCOUNTS.range(&()).visit(tx, |_, account| {
        is_taken = account.email.eq_ignore_ascii_case(email);
        if is_taken { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    })?;
    Ok(is_taken)
}

fn status(id: String, creation: Creation) -> CreateAccountStatus {
    let state = match (creation.completed_secs, &creation.failure) {
        (None, _) => CreateAccountState::InProgress,
        (Some(_), None) => CreateAccountState::Succeeded,
        (Some(_), Some(_)) => CreateAccountState::Failed,
    };
    let is_made = state == CreateAccountState::Succeeded;
    CreateAccountStatus {
        id: Some(id),
        account_name: Some(creation.name),
        state: Some(state),
        requested_timestamp: Some(Timestamp::from_secs(creation.requested_secs)),
        completed_timestamp: creation.completed_secs.map(Timestamp::from_secs),
        account_id: is_made.then_some(creation.account),
        failure_reason: creation.failure,
        ..CreateAccountStatus::default()
    }
}

/// Shows how far a request for an account is.
pub(crate) fn describe_creation(
    tx: &ReadTx<'_>,
    input: DescribeCreateAccountStatusInput,
) -> Result<DescribeCreateAccountStatusOutput, Error> {
    let found = store::visible(tx)?;
    let id = input.create_account_request_id;
    let creation = CREATIONS.get(tx, &(&*found.id, &*id))?;
    let creation = creation.ok_or(Error::CreateAccountStatusNotFoundException)?;
    Ok(DescribeCreateAccountStatusOutput { create_account_status: Some(status(id, creation)) })
}

/// Lists requests for accounts.
pub(crate) fn list_creations(
    tx: &ReadTx<'_>,
    input: ListCreateAccountStatusInput,
) -> Result<ListCreateAccountStatusOutput, Error> {
    let found = store::visible(tx)?;
    let mut ids = Vec::new();
    CREATIONS.range(&*found.id).visit(tx, |(_, id), creation| {
        let state = status(String::new(), creation).state;
        let is_wanted = input.states.as_ref().is_none_or(|wanted| {
            wanted.is_empty() || state.is_some_and(|state| wanted.contains(&state))
        });
        if is_wanted {
            ids.push(id);
        }
        ControlFlow::Continue(())
    })?;
    let (ids, next_token) = rules::page(ids, input.next_token.as_deref(), input.max_results)?;
    let mut statuses = Vec::new();
    for id in ids {
        let creation = CREATIONS.get(tx, &(&*found.id, &*id))?;
        statuses.extend(creation.map(|creation| status(id, creation)));
    }
    Ok(ListCreateAccountStatusOutput { create_account_statuses: Some(statuses), next_token })
}

/// The ARN of an account of an organization.
pub(crate) fn arn(found: &Found, number: &str) -> String {
    format!("arn:aws:organizations::{}:account/{}/{number}", found.row.management, found.id)
}

fn shown(tx: &impl Tx, found: &Found, number: &str) -> Result<Account, Error> {
    let account = found.account(tx, number)?;
    let lineage = rows::lineage(tx, number, &account)?;
    let state = if account.closed { "SUSPENDED" } else { "ACTIVE" };
    Ok(Account {
        id: Some(number.to_owned()),
        arn: Some(arn(found, number)),
        email: Some(account.email),
        name: Some(account.name),
        status: Some(state.to_owned()),
        state: Some(state.to_owned()),
        paths: Some(vec![format!("{}/{}/", found.id, lineage.join("/"))]),
        joined_method: Some(if account.invited { "INVITED" } else { "CREATED" }.to_owned()),
        joined_timestamp: Some(Timestamp::from_secs(account.joined_secs)),
    })
}

/// Shows an account.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeAccountInput,
) -> Result<DescribeAccountOutput, Error> {
    let found = store::visible(tx)?;
    Ok(DescribeAccountOutput { account: Some(shown(tx, &found, &input.account_id)?) })
}

fn page(
    tx: &impl Tx,
    found: &Found,
    numbers: Vec<String>,
    token: Option<&str>,
    wanted: Option<i32>,
) -> Result<(Vec<Account>, Option<String>), Error> {
    let (numbers, next) = rules::page(numbers, token, wanted)?;
    let accounts = numbers.iter().map(|number| shown(tx, found, number));
    Ok((accounts.collect::<Result<_, _>>()?, next))
}

/// Lists all accounts.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListAccountsInput) -> Result<ListAccountsOutput, Error> {
    let found = store::visible(tx)?;
    let numbers = found.accounts(tx)?;
    let (accounts, next_token) =
        page(tx, &found, numbers, input.next_token.as_deref(), input.max_results)?;
    Ok(ListAccountsOutput { accounts: Some(accounts), next_token })
}

/// Lists the accounts in a root or unit.
pub(crate) fn list_for_parent(
    tx: &ReadTx<'_>,
    input: ListAccountsForParentInput,
) -> Result<ListAccountsForParentOutput, Error> {
    let found = store::visible(tx)?;
    let numbers = units::children(tx, &found, &input.parent_id, true)?;
    let (accounts, next_token) =
        page(tx, &found, numbers, input.next_token.as_deref(), input.max_results)?;
    Ok(ListAccountsForParentOutput { accounts: Some(accounts), next_token })
}

/// Moves an account from one root or unit to another.
pub(crate) fn move_to(
    tx: &mut WriteTx<'_>,
    input: MoveAccountInput,
) -> Result<MoveAccountOutput, Error> {
    let found = store::managed(tx)?;
    let number = input.account_id;
    let mut account = found.account(tx, &number)?;
    if account.parent != input.source_parent_id {
        return Err(Error::SourceParentNotFoundException);
    }
    let to = input.destination_parent_id;
    found.unit(tx, &to)?.ok_or(Error::DestinationParentNotFoundException)?;
    if account.parent == to {
        return Err(Error::DuplicateAccountException);
    }
    CHILDREN.delete(tx, &(&*found.id, &*account.parent, &*number))?;
    CHILDREN.put(tx, &(&*found.id, &*to, &*number), &())?;
    account.parent = to;
    ACCOUNTS.put(tx, &number, &account)?;
    changed(tx)?;
    Ok(MoveAccountOutput {})
}

/// Closes an account. It stays in the listing, what it holds is not touched, and nobody may act in it or on it any more.
pub(crate) fn close(
    tx: &mut WriteTx<'_>,
    input: CloseAccountInput,
) -> Result<CloseAccountOutput, Error> {
    let found = store::managed(tx)?;
    let mut account = found.account(tx, &input.account_id)?;
    if input.account_id == found.row.management {
        let message = "You cannot close the management account.";
        return Err(Error::constraint("CANNOT_CLOSE_MANAGEMENT_ACCOUNT", message));
    }
    if account.closed {
        return Err(Error::AccountAlreadyClosedException);
    }
    account.closed = true;
    ACCOUNTS.put(tx, &input.account_id, &account)?;
    changed(tx)?;
    Ok(CloseAccountOutput {})
}

/// Takes an account out of the organization.
pub(crate) fn remove(
    tx: &mut WriteTx<'_>,
    input: RemoveAccountFromOrganizationInput,
) -> Result<RemoveAccountFromOrganizationOutput, Error> {
    let found = store::managed(tx)?;
    let account = found.account(tx, &input.account_id)?;
    if input.account_id == found.row.management {
        return Err(Error::MasterCannotLeaveOrganizationException);
    }
    found.remove_account(tx, &input.account_id, &account)?;
    Ok(RemoveAccountFromOrganizationOutput {})
}

/// Takes the caller's account out of its organization.
pub(crate) fn leave(
    tx: &mut WriteTx<'_>,
    _: LeaveOrganizationInput,
) -> Result<LeaveOrganizationOutput, Error> {
    let found = store::organization(tx)?;
    let number = tx.account().to_owned();
    if number == found.row.management {
        return Err(Error::MasterCannotLeaveOrganizationException);
    }
    let account = found.account(tx, &number)?;
    found.remove_account(tx, &number, &account)?;
    Ok(LeaveOrganizationOutput {})
}
