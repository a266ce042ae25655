//! Grants: permissions beside the key policy, given to one principal and taken back one by one.

use base64::Engine;
use base64::engine::general_purpose::STANDARD as BASE64;
use fogbank_core::{Access, Cx, Fault, Principal, PrincipalKind, ReadTx, Timestamp, Tx, WriteTx};

use crate::error::Error;
use crate::lookup::{self, end_dry_run};
use crate::model::{
    CreateGrantInput, CreateGrantOutput, GrantConstraints, GrantListEntry, GrantOperation,
    ListGrantsInput, ListGrantsResponse, ListRetirableGrantsInput, RetireGrantInput,
    RetireGrantOutput, RevokeGrantInput, RevokeGrantOutput,
};
use crate::rules::spec;
use crate::store::{self, GRANTED, GRANTS, Grant, GrantKey, KeyKey, MARKS, RETIRABLE};

/// How many grants a page has unless the caller says.
const PAGE: usize = 50;
/// How many grants a key may have.
const MOST: usize = 50_000;
/// How many grants one transaction looks at.
const AT_ONCE: usize = 500;
/// What ties tokens to their use.
const TOKEN: &[u8] = b"kms.grant-token";

/// The grants of a key to the caller.
pub(crate) fn of_caller(tx: &ReadTx<'_>, at: &KeyKey) -> Result<Vec<(String, Grant)>, Error> {
    let principal = &tx.request().principal;
    let mut grants = Vec::new();
    if MARKS.get(tx, &(store::ALL_GRANTED,))?.is_some() {
        let (account, region, key) = at;
        for name in names(principal).into_iter().flatten() {
            for (.., id) in GRANTED.range(&(name, account, region, key)).keys(tx)? {
                let grant = GRANTS.get(tx, &(account, region, key, &id))?;
                grants.extend(grant.map(|grant| (id, grant)));
            }
        }
        return Ok(grants);
    }
    // Until the rows of older versions are told by their grantees.
    GRANTS.scan(tx, at, |(.., id), grant| {
        if is(principal, &grant.grantee) {
            grants.push((id, grant));
        }
        std::ops::ControlFlow::Continue(())
    })?;
    Ok(grants)
}

/// Notes the grantees of grants that an older version wrote.
pub(crate) async fn index(cx: &Cx) -> Result<(), Fault> {
    if cx.read(|tx| MARKS.get(tx, &(store::ALL_GRANTED,)))?.is_some() {
        return Ok(());
    }
    let mut after: Option<GrantKey> = None;
    loop {
        let mut page = cx.read(|tx| GRANTS.page(tx, &(), after.as_ref(), AT_ONCE))?.0;
        cx.write(|tx| {
            for (at, _) in &page {
                // It may have been retired meanwhile.
                if let Some(grant) = GRANTS.get(tx, at)? {
                    let (account, region, key, id) = at;
                    GRANTED.put(tx, &(&grant.grantee, account, region, key, id), &())?;
                }
            }
            if page.len() < AT_ONCE {
                MARKS.put(tx, &(store::ALL_GRANTED,), &1)?;
            }
            Ok::<_, Fault>(())
        })
        .await?;
        match page.pop() {
            Some((last, _)) => after = Some(last),
            None => return Ok(()),
        }
    }
}

/// The names by which grants may mean a caller.
fn names(principal: &Principal) -> [Option<&str>; 2] {
    match &principal.kind {
        PrincipalKind::Role { role_arn, .. } => [Some(&principal.arn), Some(role_arn)],
        PrincipalKind::Anonymous => [None, None],
        _ => [Some(&principal.arn), None],
    }
}

/// Whether a caller is who a grant names.
fn is(principal: &Principal, named: &str) -> bool {
    names(principal).into_iter().flatten().any(|name| name == named)
}

/// Refuses tokens that no grant gave. What they stand for is in force at once, so that nothing else is done with them.
pub(crate) fn check_tokens(cx: &Cx, tokens: Option<&[String]>) -> Result<(), Error> {
    for token in tokens.into_iter().flatten() {
        open_token(cx, token)?;
    }
    Ok(())
}

fn token(tx: &impl Tx, at: &GrantKey) -> String {
    let (account, region, key, id) = at;
    let text = [account, region, key, id].map(String::as_str).join("\0");
    BASE64.encode(tx.cx().root_key().seal(tx.ids(), TOKEN, text.as_bytes()))
}

fn open_token(cx: &Cx, token: &str) -> Result<GrantKey, Error> {
    let invalid = || Error::InvalidGrantTokenException("The grant token is invalid.".to_owned());
    let sealed = BASE64.decode(token).map_err(|_| invalid())?;
    let text = cx.root_key().open(TOKEN, &sealed).map_err(|_| invalid())?;
    let text = std::str::from_utf8(&text).map_err(|_| invalid())?;
    match text.split('\0').collect::<Vec<_>>()[..] {
        [account, region, key, id] => Ok((account.into(), region.into(), key.into(), id.into())),
        _ => Err(invalid()),
    }
}

/// Grants.
pub(crate) async fn create(cx: &Cx, input: CreateGrantInput) -> Result<CreateGrantOutput, Error> {
    check_tokens(cx, input.grant_tokens.as_deref())?;
    let grantee = principal_of(
        input.grantee_principal.as_deref(),
        input.grantee_service_principal.as_deref(),
        "GranteePrincipal",
    )?;
    let grantee = grantee.ok_or_else(|| Error::invalid("GranteePrincipal is required."))?;
    let retiring = principal_of(
        input.retiring_principal.as_deref(),
        input.retiring_service_principal.as_deref(),
        "RetiringPrincipal",
    )?;
    cx.write(|tx| {
        let found = lookup::own_or_foreign(tx, &input.key_id)?;
        found.check_enabled()?;
        check_operations(&found.key.spec, &found.key.usage, &input.operations)?;
        check_constraints(input.constraints.as_ref(), &found.key.spec)?;
        end_dry_run(input.dry_run)?;
        let mut operations: Vec<String> = Vec::new();
        for operation in input.operations.iter().map(|operation| operation.as_str()) {
            if !operations.iter().any(|known| known == operation) {
                operations.push(operation.to_owned());
            }
        }
        let constraints = input.constraints.clone().unwrap_or_default();
        let grant = Grant {
            name: input.name.clone(),
            created_millis: tx.now().millis(),
            grantee: grantee.clone(),
            retiring: retiring.clone(),
            issuing_account: tx.account().to_owned(),
            operations,
            context_equals: constraints.encryption_context_equals,
            context_subset: constraints.encryption_context_subset,
            source_arn: constraints.source_arn,
        };
        let id = insert(tx, &found.at, grant)?;
        let (account, region, key) = found.at;
        let at = (account, region, key, id);
        let grant_token = Some(token(tx, &at));
        Ok(CreateGrantOutput { grant_token, grant_id: Some(at.3) })
    })
    .await
}

/// Writes a grant and returns its id. One of the same name and content is the same grant, as AWS has it.
fn insert(tx: &mut WriteTx<'_>, at: &KeyKey, grant: Grant) -> Result<String, Error> {
    if grant.name.is_some() {
        let known = GRANTS.list(tx, at)?;
        let same = known.iter().find(|(_, known)| {
            Grant { created_millis: grant.created_millis, ..known.clone() } == grant
        });
        if let Some(((.., id), _)) = same {
            return Ok(id.clone());
        }
    }
    if GRANTS.range(at).count(tx)? >= MOST {
        let message = format!("{} has {MOST} grants already.", store::key_arn(at));
        return Err(Error::LimitExceededException(message));
    }
    let id = tx.ids().hex(64);
    let (account, region, key) = at;
    if let Some(retiring) = &grant.retiring {
        RETIRABLE.put(tx, &(retiring, account, region, key, &id), &())?;
    }
    GRANTED.put(tx, &(&grant.grantee, account, region, key, &id), &())?;
    GRANTS.put(tx, &(account, region, key, &id), &grant)?;
    Ok(id)
}

fn principal_of(
    arn: Option<&str>,
    service: Option<&str>,
    member: &str,
) -> Result<Option<String>, Error> {
    match (arn, service) {
        (Some(_), Some(_)) => {
            let message = format!("{member} and its service principal cannot both be specified.");
            Err(Error::invalid(message))
        }
        (None, service) => Ok(service.map(str::to_owned)),
        (Some(arn), None) => {
            let parsed = fogbank_core::Arn::parse(arn);
            let is_principal = parsed.is_some_and(|arn| matches!(arn.service, "iam" | "sts"));
            // AWS takes the names of its services here, too.
            if !is_principal && !arn.ends_with(".amazonaws.com") {
                return Err(Error::InvalidArnException(format!(
                    "ARN {arn} is not a valid principal"
                )));
            }
            Ok(Some(arn.to_owned()))
        }
    }
}

/// Refuses operations that such a key cannot do.
fn check_operations(spec: &str, usage: &str, operations: &[GrantOperation]) -> Result<(), Error> {
    use GrantOperation as Operation;
    for operation in operations {
        let fits = match operation {
            Operation::CreateGrant | Operation::RetireGrant | Operation::DescribeKey => true,
            Operation::Encrypt
            | Operation::Decrypt
            | Operation::ReEncryptFrom
            | Operation::ReEncryptTo => usage == "ENCRYPT_DECRYPT",
            Operation::GenerateDataKey
            | Operation::GenerateDataKeyWithoutPlaintext
            | Operation::GenerateDataKeyPair
            | Operation::GenerateDataKeyPairWithoutPlaintext => spec::is_symmetric(spec),
            Operation::Sign | Operation::Verify => usage == "SIGN_VERIFY",
            Operation::GetPublicKey => spec::is_asymmetric(spec),
            Operation::GenerateMac | Operation::VerifyMac => usage == "GENERATE_VERIFY_MAC",
            Operation::DeriveSharedSecret => usage == "KEY_AGREEMENT",
            Operation::Encapsulate | Operation::Decapsulate => usage == "ENCAPSULATE_DECAPSULATE",
        };
        if !fits {
            // AWS's words are not known.
            return Err(Error::invalid(format!(
                "Grant operation {} is not supported for a key of spec {spec} and usage {usage}.",
                operation.as_str()
            )));
        }
    }
    match operations.is_empty() {
        true => Err(Error::invalid("Operations must not be empty.")),
        false => Ok(()),
    }
}

fn check_constraints(constraints: Option<&GrantConstraints>, spec: &str) -> Result<(), Error> {
    let Some(constraints) = constraints else { return Ok(()) };
    let equals = constraints.encryption_context_equals.is_some();
    let subset = constraints.encryption_context_subset.is_some();
    if (equals || subset) && !spec::is_symmetric(spec) {
        return Err(Error::invalid(
            "Encryption context constraints are only for grants on symmetric encryption keys.",
        ));
    }
    match equals && subset {
        true => Err(Error::invalid(
            "Only one of EncryptionContextEquals and EncryptionContextSubset can be specified.",
        )),
        false => Ok(()),
    }
}

/// Lists the grants of a key.
pub(crate) fn list(tx: &ReadTx<'_>, input: ListGrantsInput) -> Result<ListGrantsResponse, Error> {
    let found = lookup::own_or_foreign(tx, &input.key_id)?;
    let grants = GRANTS.list(tx, &found.at)?;
    let wanted = input.grant_id.as_deref();
    if let Some(id) = wanted
        && !grants.iter().any(|((.., known), _)| known == id)
    {
        return Err(Error::InvalidGrantIdException(format!("Grant ID {id} not found")));
    }
    let grantee = input.grantee_principal.or(input.grantee_service_principal);
    let list = grants
        .into_iter()
        .filter(|((.., id), _)| wanted.is_none_or(|wanted| wanted == id))
        .filter(|(_, grant)| grantee.as_ref().is_none_or(|grantee| *grantee == grant.grantee))
        .map(|(at, grant)| (at.3.clone(), shown(&at, grant)))
        .collect();
    let (grants, next_marker) = lookup::page_of(list, input.marker.as_deref(), input.limit, PAGE)?;
    Ok(ListGrantsResponse {
        grants: Some(grants),
        truncated: Some(next_marker.is_some()),
        next_marker,
    })
}

/// Lists the grants that somebody may retire.
pub(crate) fn list_retirable(
    tx: &ReadTx<'_>,
    input: ListRetirableGrantsInput,
) -> Result<ListGrantsResponse, Error> {
    let retiring = principal_of(
        input.retiring_principal.as_deref(),
        input.retiring_service_principal.as_deref(),
        "RetiringPrincipal",
    )?;
    let retiring = retiring.ok_or_else(|| Error::invalid("RetiringPrincipal is required."))?;
    let mut list = Vec::new();
    for ((_, account, region, key, id), ()) in RETIRABLE.list(tx, &(retiring,))? {
        // A region knows its own grants; the accounts of the keys may be many.
        if region != tx.region() {
            continue;
        }
        let at = (account, region, key, id);
        if let Some(grant) = GRANTS.get(tx, &at)? {
            list.push((format!("{} {} {}", at.0, at.2, at.3), shown(&at, grant)));
        }
    }
    let (grants, next_marker) = lookup::page_of(list, input.marker.as_deref(), input.limit, PAGE)?;
    Ok(ListGrantsResponse {
        grants: Some(grants),
        truncated: Some(next_marker.is_some()),
        next_marker,
    })
}

fn shown((account, region, key, id): &GrantKey, grant: Grant) -> GrantListEntry {
    let constrained = grant.context_equals.is_some()
        || grant.context_subset.is_some()
        || grant.source_arn.is_some();
    let service = |name: &str| (!name.starts_with("arn:")).then(|| name.to_owned());
    GrantListEntry {
        key_id: Some(store::key_arn(&(account.clone(), region.clone(), key.clone()))),
        grant_id: Some(id.clone()),
        // AWS shows an empty name where there is none.
        name: Some(grant.name.unwrap_or_default()),
        creation_date: Some(Timestamp::from_millis(grant.created_millis)),
        grantee_service_principal: service(&grant.grantee),
        grantee_principal: Some(grant.grantee),
        retiring_service_principal: grant.retiring.as_deref().and_then(service),
        retiring_principal: grant.retiring,
        issuing_account: Some(format!("arn:aws:iam::{}:root", grant.issuing_account)),
        operations: Some(
            grant.operations.iter().filter_map(|name| GrantOperation::from_name(name)).collect(),
        ),
        constraints: constrained.then_some(GrantConstraints {
            encryption_context_subset: grant.context_subset,
            encryption_context_equals: grant.context_equals,
            source_arn: grant.source_arn,
        }),
    }
}

/// Takes a grant back.
pub(crate) fn revoke(
    tx: &mut WriteTx<'_>,
    input: RevokeGrantInput,
) -> Result<RevokeGrantOutput, Error> {
    let found = lookup::own_or_foreign(tx, &input.key_id)?;
    let (account, region, key) = found.at;
    let at = (account, region, key, input.grant_id);
    let grant = known(tx, &at)?;
    end_dry_run(input.dry_run)?;
    store::remove_grant(tx, &at, &grant)?;
    Ok(RevokeGrantOutput {})
}

fn known(tx: &impl Tx, at: &GrantKey) -> Result<Grant, Error> {
    let grant = GRANTS.get(tx, at)?;
    grant.ok_or_else(|| {
        let arn = store::key_arn(&(at.0.clone(), at.1.clone(), at.2.clone()));
        Error::NotFoundException(format!("Grant ID {} not found for key {arn}", at.3))
    })
}

/// Gives a grant back: its retiring principal may, its grantee if it says so, the account that gave it, and
/// whom policies allow it.
pub(crate) async fn retire(cx: &Cx, input: RetireGrantInput) -> Result<RetireGrantOutput, Error> {
    let at = match (&input.grant_token, &input.key_id, &input.grant_id) {
        (Some(token), None, None) => open_token(cx, token)?,
        (None, Some(key), Some(id)) => {
            if !key.starts_with("arn:") {
                return Err(Error::InvalidArnException(format!("Invalid ARN: {key}")));
            }
            let (account, region, key) = cx.read(|tx| lookup::place(tx, key))?;
            (account, region, key, id.clone())
        }
        _ => {
            return Err(Error::invalid(
                "To identify the grant, use either the grant token, or both the grant ID and the key ID.",
            ));
        }
    };
    let grant = cx.read(|tx| known(tx, &at))?;
    let principal = &cx.request().principal;
    let is_issuer =
        principal.kind == PrincipalKind::Root && principal.account == grant.issuing_account;
    let may_grantee = grant.operations.iter().any(|name| name == "RetireGrant");
    let may = is_issuer
        || grant.retiring.as_ref().is_some_and(|retiring| is(principal, retiring))
        || may_grantee && is(principal, &grant.grantee);
    if !may {
        let arn = store::key_arn(&(at.0.clone(), at.1.clone(), at.2.clone()));
        cx.authorise(&Access::to("kms:RetireGrant", arn))?;
    }
    end_dry_run(input.dry_run)?;
    cx.write(|tx| {
        let grant = known(tx, &at)?;
        store::remove_grant(tx, &at, &grant)
    })
    .await?;
    Ok(RetireGrantOutput {})
}
