//! Passwords for the console, and the account's policy for them.
//!
//! There is no console to sign in to yet: a password is kept as a hash, changed by who knows it, and reported.

use fogbank_core::{Cx, Fault, PrincipalKind, ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, LOGIN_PROFILES, PASSWORD_POLICIES, PasswordHash, User};

use crate::error::Error;
use crate::model::{
    ChangePasswordInput, ChangePasswordOutput, CreateLoginProfileInput, CreateLoginProfileOutput,
    DeleteAccountPasswordPolicyInput, DeleteAccountPasswordPolicyOutput, DeleteLoginProfileInput,
    DeleteLoginProfileOutput, GetAccountPasswordPolicyInput, GetAccountPasswordPolicyOutput,
    GetLoginProfileInput, GetLoginProfileOutput, LoginProfile, PasswordPolicy,
    UpdateAccountPasswordPolicyInput, UpdateAccountPasswordPolicyOutput, UpdateLoginProfileInput,
    UpdateLoginProfileOutput,
};
use crate::rules::passwords as rules;
use crate::{store, users};

/// Gives a user a password.
pub(crate) async fn create(
    cx: &Cx,
    input: CreateLoginProfileInput,
) -> Result<CreateLoginProfileOutput, Error> {
    let password = input
        .password
        .ok_or_else(|| Error::validation("Must specify password when creating a login profile"))?;
    let check = |tx: &ReadTx<'_>| {
        let user = of_input(tx, input.user_name.clone())?;
        if LOGIN_PROFILES.contains(tx, &user.id)? {
            return Err(taken(&user.name));
        }
        refuse_weak(tx, &password)?;
        Ok(user)
    };
    cx.read(check)?;
    let hash = hashed(cx, &password).await?;
    let now = cx.request().now.secs();
    let profile = rows::LoginProfile {
        created_secs: now,
        changed_secs: now,
        reset_required: input.password_reset_required.unwrap_or_default(),
        password: hash,
        former: Vec::new(),
    };
    let shown = cx
        .write(|tx| {
            let user = check(&tx.as_read())?;
            LOGIN_PROFILES.put(tx, &user.id, &profile)?;
            Ok::<_, Error>(shown(&user, &profile))
        })
        .await?;
    Ok(CreateLoginProfileOutput { login_profile: Some(shown) })
}

/// Shows that a user has a password.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetLoginProfileInput,
) -> Result<GetLoginProfileOutput, Error> {
    let user = of_input(tx, input.user_name)?;
    let profile = profile(tx, &user)?;
    Ok(GetLoginProfileOutput { login_profile: Some(shown(&user, &profile)) })
}

/// Gives a user another password, or makes it change its own.
pub(crate) async fn update(
    cx: &Cx,
    input: UpdateLoginProfileInput,
) -> Result<UpdateLoginProfileOutput, Error> {
    let known = cx.read(|tx| {
        let user: User = store::find(tx, &input.user_name)?;
        let known = profile(tx, &user)?;
        if let Some(password) = &input.password {
            refuse_weak(tx, password)?;
        }
        Ok::<_, Error>(known)
    })?;
    let hash = match &input.password {
        Some(password) => {
            refuse_former(cx, &known, password).await?;
            Some(hashed(cx, password).await?)
        }
        None => None,
    };
    cx.write(|tx| {
        let user: User = store::find(tx, &input.user_name)?;
        let mut profile = profile(tx, &user)?;
        if let Some(hash) = hash.clone() {
            replace(&mut profile, hash, tx.now().secs());
        }
        if let Some(required) = input.password_reset_required {
            profile.reset_required = required;
        }
        LOGIN_PROFILES.put(tx, &user.id, &profile)?;
        Ok::<_, Error>(())
    })
    .await?;
    Ok(UpdateLoginProfileOutput {})
}

/// Takes a user's password away.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteLoginProfileInput,
) -> Result<DeleteLoginProfileOutput, Error> {
    let user = of_input(tx, input.user_name)?;
    let _ = profile(tx, &user)?;
    LOGIN_PROFILES.delete(tx, &user.id)?;
    Ok(DeleteLoginProfileOutput {})
}

/// Changes the calling user's password, who must know the old one.
pub(crate) async fn change(
    cx: &Cx,
    input: ChangePasswordInput,
) -> Result<ChangePasswordOutput, Error> {
    let PrincipalKind::User { name } = &cx.request().principal.kind else {
        return Err(Error::InvalidUserTypeException);
    };
    let known = cx.read(|tx| {
        let user: User = store::find(tx, name)?;
        let known = profile(tx, &user)?;
        let policy = PASSWORD_POLICIES.get(tx, tx.account())?;
        let age_secs = tx.now().secs() - known.changed_secs;
        let is_expired = policy.as_ref().is_some_and(|policy| {
            policy.hard_expiry == Some(true)
                && policy.max_age_days > 0
                && age_secs > i64::from(policy.max_age_days) * 86_400
        });
        if is_expired {
            let message = "The password has expired; an administrator must reset it.";
            return Err(Error::EntityTemporarilyUnmodifiableException(message));
        }
        refuse_weak(tx, &input.new_password)?;
        Ok(known)
    })?;
    let (old, given) = (known.password.clone(), input.old_password.clone());
    if !cx.work(move || rules::is_password(&old, &given)).await? {
        return Err(Fault::access_denied("The old password was incorrect.").into());
    }
    refuse_former(cx, &known, &input.new_password).await?;
    let hash = hashed(cx, &input.new_password).await?;
    cx.write(|tx| {
        let user: User = store::find(tx, name)?;
        let mut profile = profile(tx, &user)?;
        // Somebody else may have changed it meanwhile: then the old one is no longer known to be right.
        if profile.password != known.password {
            let message = "The password was changed by another request.";
            return Err(Error::EntityTemporarilyUnmodifiableException(message));
        }
        replace(&mut profile, hash.clone(), tx.now().secs());
        profile.reset_required = false;
        Ok(LOGIN_PROFILES.put(tx, &user.id, &profile)?)
    })
    .await?;
    Ok(ChangePasswordOutput {})
}

/// Shows the account's policy.
pub(crate) fn get_policy(
    tx: &ReadTx<'_>,
    _: GetAccountPasswordPolicyInput,
) -> Result<GetAccountPasswordPolicyOutput, Error> {
    let policy = PASSWORD_POLICIES.get(tx, tx.account())?.ok_or_else(|| no_policy(tx))?;
    let number = |value: u32| i32::try_from(value).ok();
    let shown = PasswordPolicy {
        minimum_password_length: number(policy.minimum_length),
        require_symbols: Some(policy.require_symbols),
        require_numbers: Some(policy.require_numbers),
        require_uppercase_characters: Some(policy.require_uppercase),
        require_lowercase_characters: Some(policy.require_lowercase),
        allow_users_to_change_password: Some(policy.allow_change),
        expire_passwords: Some(policy.max_age_days > 0),
        max_password_age: number(policy.max_age_days).filter(|days| *days > 0),
        password_reuse_prevention: number(policy.reuse_prevention).filter(|count| *count > 0),
        hard_expiry: policy.hard_expiry,
    };
    Ok(GetAccountPasswordPolicyOutput { password_policy: Some(shown) })
}

/// Sets the account's policy as a whole: what is not given has AWS's default.
pub(crate) fn put_policy(
    tx: &mut WriteTx<'_>,
    input: UpdateAccountPasswordPolicyInput,
) -> Result<UpdateAccountPasswordPolicyOutput, Error> {
    let number = |value: Option<i32>, default: u32| {
        value.and_then(|value| u32::try_from(value).ok()).unwrap_or(default)
    };
    let policy = rows::PasswordPolicy {
        minimum_length: number(input.minimum_password_length, 6),
        require_symbols: input.require_symbols.unwrap_or_default(),
        require_numbers: input.require_numbers.unwrap_or_default(),
        require_uppercase: input.require_uppercase_characters.unwrap_or_default(),
        require_lowercase: input.require_lowercase_characters.unwrap_or_default(),
        allow_change: input.allow_users_to_change_password.unwrap_or_default(),
        max_age_days: number(input.max_password_age, 0),
        reuse_prevention: number(input.password_reuse_prevention, 0),
        hard_expiry: input.hard_expiry,
    };
    let account = tx.account().to_owned();
    PASSWORD_POLICIES.put(tx, &account, &policy)?;
    Ok(UpdateAccountPasswordPolicyOutput {})
}

/// Returns to AWS's rules.
pub(crate) fn delete_policy(
    tx: &mut WriteTx<'_>,
    _: DeleteAccountPasswordPolicyInput,
) -> Result<DeleteAccountPasswordPolicyOutput, Error> {
    let account = tx.account().to_owned();
    if !PASSWORD_POLICIES.contains(tx, &account)? {
        return Err(no_policy(tx));
    }
    PASSWORD_POLICIES.delete(tx, &account)?;
    Ok(DeleteAccountPasswordPolicyOutput {})
}

fn no_policy(tx: &impl Tx) -> Error {
    let message = format!("The Password Policy with domain name {} cannot be found.", tx.account());
    Error::NoSuchEntityException(message)
}

fn taken(name: &str) -> Error {
    Error::EntityAlreadyExistsException(format!("Login Profile for user {name} already exists."))
}

fn of_input(tx: &impl Tx, name: Option<String>) -> Result<User, Error> {
    let name = users::name_or_caller(tx, name)?;
    store::find(tx, &name)
}

fn profile(tx: &impl Tx, user: &User) -> Result<rows::LoginProfile, Error> {
    LOGIN_PROFILES.get(tx, &user.id)?.ok_or_else(|| {
        let name = &user.name;
        Error::NoSuchEntityException(format!("Login Profile for User {name} cannot be found."))
    })
}

fn refuse_weak(tx: &impl Tx, password: &str) -> Result<(), Error> {
    let policy = PASSWORD_POLICIES.get(tx, tx.account())?;
    match rules::lacks(policy.as_ref(), password) {
        Some(message) => Err(Error::PasswordPolicyViolationException(message)),
        None => Ok(()),
    }
}

/// Refuses a password that the policy remembers.
async fn refuse_former(cx: &Cx, known: &rows::LoginProfile, password: &str) -> Result<(), Error> {
    let policy = cx.read(|tx| PASSWORD_POLICIES.get(tx, tx.account()))?;
    let count = policy.map_or(0, |policy| policy.reuse_prevention as usize);
    if count == 0 {
        return Ok(());
    }
    let former: Vec<PasswordHash> =
        std::iter::once(&known.password).chain(&known.former).take(count).cloned().collect();
    let password = password.to_owned();
    let is_known =
        cx.work(move || former.iter().any(|known| rules::is_password(known, &password))).await?;
    match is_known {
        true => Err(Error::PasswordPolicyViolationException(
            "Password does not conform to the account password policy.".to_owned(),
        )),
        false => Ok(()),
    }
}

async fn hashed(cx: &Cx, password: &str) -> Result<PasswordHash, Error> {
    let (cloud, password) = (cx.cloud().clone(), password.to_owned());
    let hash = cx.work(move || rules::hash(cloud.ids(), &password)).await?;
    Ok(hash.map_err(Fault::internal)?)
}

fn replace(profile: &mut rows::LoginProfile, hash: PasswordHash, now_secs: i64) {
    let old = std::mem::replace(&mut profile.password, hash);
    profile.former.insert(0, old);
    profile.former.truncate(rules::REMEMBERED);
    profile.changed_secs = now_secs;
}

fn shown(user: &User, profile: &rows::LoginProfile) -> LoginProfile {
    LoginProfile {
        user_name: Some(user.name.clone()),
        create_date: store::time(profile.created_secs),
        password_reset_required: Some(profile.reset_required),
    }
}
