//! Invitations of accounts that exist, and their answers.

use fogbank_core::{ReadTx, Timestamp, Tx, WriteTx};
use fogbank_identity::organizations::{
    self as rows, ACCOUNTS, Account, HANDSHAKES, Handshake as Row, PARTIES,
};

use crate::error::Error;
use crate::model::{
    AcceptHandshakeInput, AcceptHandshakeOutput, ActionType, CancelHandshakeInput,
    CancelHandshakeOutput, DeclineHandshakeInput, DeclineHandshakeOutput, DescribeHandshakeInput,
    DescribeHandshakeOutput, Handshake, HandshakeParty, HandshakePartyType, HandshakeResource,
    InviteAccountToOrganizationInput, InviteAccountToOrganizationOutput,
    ListHandshakesForAccountInput, ListHandshakesForAccountOutput,
    ListHandshakesForOrganizationInput, ListHandshakesForOrganizationOutput,
};
use crate::rules;
use crate::store::{self, Found};

/// How long an invitation is open: fifteen days.
const OPEN_SECS: i64 = 15 * 86_400;

/// Invites an account.
pub(crate) fn invite(
    tx: &mut WriteTx<'_>,
    input: InviteAccountToOrganizationInput,
) -> Result<InviteAccountToOrganizationOutput, Error> {
    let found = store::managed(tx)?;
    if input.target.r#type != HandshakePartyType::Account {
        // Nobody here knows whose an address is.
        let what = "InviteAccountToOrganization by email";
        return Err(fogbank_core::Fault::not_implemented("organizations", what).into());
    }
    let account = input.target.id;
    if !store::is_account(&account) {
        let message = "You specified an account number that is not valid.";
        return Err(Error::invalid("INVALID_PARTY_TYPE_TARGET", message));
    }
    if ACCOUNTS.get(tx, &account)?.is_some_and(|known| known.organization == found.id) {
        let message = "The account is already a member of the organization.";
        return Err(constraint("ALREADY_IN_AN_ORGANIZATION", message));
    }
    for id in store::keys(tx, &PARTIES, &*account, |(_, id)| id)? {
        let open = HANDSHAKES.get(tx, &id)?.filter(|known| {
            known.organization == found.id && state(known, tx.now().secs()) == "OPEN"
        });
        if open.is_some() {
            return Err(Error::DuplicateHandshakeException);
        }
    }
    let now = tx.now().secs();
    let id = format!("h-{}", tx.ids().lower(10));
    let row = Row {
        organization: found.id.clone(),
        account: account.clone(),
        state: "OPEN".to_owned(),
        notes: input.notes,
        requested_secs: now,
        expires_secs: now + OPEN_SECS,
        tags: rules::tags(input.tags)?,
    };
    HANDSHAKES.put(tx, &id, &row)?;
    PARTIES.put(tx, &(&*found.id, &*id), &())?;
    PARTIES.put(tx, &(&*account, &*id), &())?;
    Ok(InviteAccountToOrganizationOutput { handshake: Some(shown(tx, id, row)?) })
}

fn constraint(reason: &str, message: &str) -> Error {
    let members = crate::model::HandshakeConstraintViolationException {
        reason: Some(reason.to_owned()),
        ..crate::model::HandshakeConstraintViolationException::default()
    };
    let fault = fogbank_core::Fault::new("HandshakeConstraintViolationException", message);
    Error::Fault(fault.with_members(members))
}

/// How far a handshake has come at a time.
fn state(row: &Row, now: i64) -> &str {
    if row.state == "OPEN" && now >= row.expires_secs { "EXPIRED" } else { &row.state }
}

fn shown(tx: &impl Tx, id: String, row: Row) -> Result<Handshake, Error> {
    let organization = rows::ORGANIZATIONS.get(tx, &row.organization)?;
    let management = organization.map(|organization| organization.management).unwrap_or_default();
    let party = |id: &str, r#type| HandshakeParty { id: id.to_owned(), r#type };
    let resource = |kind: &str, value: &str| HandshakeResource {
        value: Some(value.to_owned()),
        r#type: Some(kind.to_owned()),
        resources: None,
    };
    let mut resources =
        vec![resource("ORGANIZATION", &row.organization), resource("ACCOUNT", &row.account)];
    resources.extend(row.notes.as_ref().map(|notes| resource("NOTES", notes)));
    Ok(Handshake {
        arn: Some(format!(
            "arn:aws:organizations::{management}:handshake/{}/invite/{id}",
            row.organization
        )),
        id: Some(id),
        parties: Some(vec![
            party(row.organization.trim_start_matches("o-"), HandshakePartyType::Organization),
            party(&row.account, HandshakePartyType::Account),
        ]),
        state: Some(state(&row, tx.now().secs()).to_owned()),
        requested_timestamp: Some(Timestamp::from_secs(row.requested_secs)),
        expiration_timestamp: Some(Timestamp::from_secs(row.expires_secs)),
        action: Some(ActionType::Invite),
        resources: Some(resources),
    })
}

/// A handshake that the caller's account takes part in: as the invited one, or as the one that invites.
fn find(tx: &impl Tx, id: &str, as_invited: bool) -> Result<Row, Error> {
    let row = HANDSHAKES.get(tx, id)?.ok_or(Error::HandshakeNotFoundException)?;
    let is_ours = if as_invited {
        row.account == tx.account()
    } else {
        let organization = rows::ORGANIZATIONS.get(tx, &row.organization)?;
        organization.is_some_and(|organization| organization.management == tx.account())
    };
    if is_ours { Ok(row) } else { Err(Error::HandshakeNotFoundException) }
}

/// Ends an open handshake in a state.
fn end(tx: &mut WriteTx<'_>, id: &str, mut row: Row, to: &str) -> Result<Handshake, Error> {
    match state(&row, tx.now().secs()) {
        "OPEN" => {}
        known if known == to => return Err(Error::HandshakeAlreadyInStateException(to.to_owned())),
        _ => return Err(Error::InvalidHandshakeTransitionException),
    }
    to.clone_into(&mut row.state);
    HANDSHAKES.put(tx, id, &row)?;
    shown(tx, id.to_owned(), row)
}

/// Joins the organization that invited the caller's account.
pub(crate) fn accept(
    tx: &mut WriteTx<'_>,
    input: AcceptHandshakeInput,
) -> Result<AcceptHandshakeOutput, Error> {
    let row = find(tx, &input.handshake_id, true)?;
    let number = tx.account().to_owned();
    if ACCOUNTS.contains(tx, &number)? {
        let message = "The account is already a member of an organization.";
        return Err(constraint("ALREADY_IN_AN_ORGANIZATION", message));
    }
    let organization = rows::ORGANIZATIONS.get(tx, &row.organization)?;
    let organization = organization.ok_or(Error::HandshakeNotFoundException)?;
    let account = Account {
        organization: row.organization.clone(),
        parent: organization.root.clone(),
        name: number.clone(),
        email: format!("{number}@example.com"),
        closed: false,
        invited: true,
        joined_secs: tx.now().secs(),
        tags: row.tags.clone(),
    };
    let found = Found { id: row.organization.clone(), row: organization };
    let handshake = end(tx, &input.handshake_id, row, "ACCEPTED")?;
    found.add_account(tx, &number, &account)?;
    Ok(AcceptHandshakeOutput { handshake: Some(handshake) })
}

/// Declines an invitation.
pub(crate) fn decline(
    tx: &mut WriteTx<'_>,
    input: DeclineHandshakeInput,
) -> Result<DeclineHandshakeOutput, Error> {
    let row = find(tx, &input.handshake_id, true)?;
    let handshake = end(tx, &input.handshake_id, row, "DECLINED")?;
    Ok(DeclineHandshakeOutput { handshake: Some(handshake) })
}

/// Takes an invitation back.
pub(crate) fn cancel(
    tx: &mut WriteTx<'_>,
    input: CancelHandshakeInput,
) -> Result<CancelHandshakeOutput, Error> {
    let row = find(tx, &input.handshake_id, false)?;
    let handshake = end(tx, &input.handshake_id, row, "CANCELED")?;
    Ok(CancelHandshakeOutput { handshake: Some(handshake) })
}

/// Shows a handshake to those who take part in it.
pub(crate) fn describe(
    tx: &ReadTx<'_>,
    input: DescribeHandshakeInput,
) -> Result<DescribeHandshakeOutput, Error> {
    let id = input.handshake_id;
    let row = match find(tx, &id, true) {
        Err(Error::HandshakeNotFoundException) => find(tx, &id, false)?,
        found => found?,
    };
    Ok(DescribeHandshakeOutput { handshake: Some(shown(tx, id, row)?) })
}

fn of_party(
    tx: &ReadTx<'_>,
    party: &str,
    token: Option<&str>,
    wanted: Option<i32>,
) -> Result<(Vec<Handshake>, Option<String>), Error> {
    let ids = store::keys(tx, &PARTIES, party, |(_, id)| id)?;
    let (ids, next) = rules::page(ids, token, wanted)?;
    let mut handshakes = Vec::new();
    for id in ids {
        if let Some(row) = HANDSHAKES.get(tx, &id)? {
            handshakes.push(shown(tx, id, row)?);
        }
    }
    Ok((handshakes, next))
}

/// Lists the invitations of the caller's account.
pub(crate) fn list_for_account(
    tx: &ReadTx<'_>,
    input: ListHandshakesForAccountInput,
) -> Result<ListHandshakesForAccountOutput, Error> {
    let account = tx.account().to_owned();
    let (handshakes, next_token) =
        of_party(tx, &account, input.next_token.as_deref(), input.max_results)?;
    Ok(ListHandshakesForAccountOutput { handshakes: Some(handshakes), next_token })
}

/// Lists the invitations that the organization has made.
pub(crate) fn list_for_organization(
    tx: &ReadTx<'_>,
    input: ListHandshakesForOrganizationInput,
) -> Result<ListHandshakesForOrganizationOutput, Error> {
    let found = store::visible(tx)?;
    let (handshakes, next_token) =
        of_party(tx, &found.id, input.next_token.as_deref(), input.max_results)?;
    Ok(ListHandshakesForOrganizationOutput { handshakes: Some(handshakes), next_token })
}
