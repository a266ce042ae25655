//! The credential report: a list of the account's users and what they prove themselves with.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::Identities;
use fogbank_identity::rows::{
    ACCESS_KEYS, ACCOUNTS, AccessKey, CREDENTIAL_REPORTS, CredentialReport, LAST_USES,
    LOGIN_PROFILES, LastUse, PASSWORD_POLICIES, SIGNING_CERTIFICATES, USER_DEVICES, USERS,
};

use crate::error::Error;
use crate::model::{
    GenerateCredentialReportInput, GenerateCredentialReportOutput, GetCredentialReportInput,
    GetCredentialReportOutput,
};
use crate::store;

/// How long a report counts, in seconds.
const LIFE_SECS: i64 = 4 * 3600;

/// The columns, as AWS has them.
const COLUMNS: &str = "user,arn,user_creation_time,password_enabled,password_last_used,\
    password_last_changed,password_next_rotation,mfa_active,access_key_1_active,\
    access_key_1_last_rotated,access_key_1_last_used_date,access_key_1_last_used_region,\
    access_key_1_last_used_service,access_key_2_active,access_key_2_last_rotated,\
    access_key_2_last_used_date,access_key_2_last_used_region,access_key_2_last_used_service,\
    cert_1_active,cert_1_last_rotated,cert_2_active,cert_2_last_rotated";

/// Makes a report, unless the last one is less than four hours old.
pub(crate) fn generate(
    tx: &mut WriteTx<'_>,
    _: GenerateCredentialReportInput,
) -> Result<GenerateCredentialReportOutput, Error> {
    let (account, now) = (tx.account().to_owned(), tx.now().secs());
    let known = CREDENTIAL_REPORTS.get(tx, &account)?;
    if known.is_some_and(|report| now - report.generated_secs < LIFE_SECS) {
        return Ok(GenerateCredentialReportOutput {
            state: Some("COMPLETE".to_owned()),
            description: None,
        });
    }
    let content = content(tx)?;
    CREDENTIAL_REPORTS.put(tx, &account, &CredentialReport { generated_secs: now, content })?;
    // AWS needs a while; here it is there when the answer is.
    Ok(GenerateCredentialReportOutput {
        state: Some("STARTED".to_owned()),
        description: Some("No report exists. Starting a new report generation task".to_owned()),
    })
}

/// Shows the report.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    _: GetCredentialReportInput,
) -> Result<GetCredentialReportOutput, Error> {
    let report = CREDENTIAL_REPORTS.get(tx, tx.account())?;
    let report = report.ok_or(Error::CredentialReportNotPresentException)?;
    if tx.now().secs() - report.generated_secs >= LIFE_SECS {
        return Err(Error::CredentialReportExpiredException);
    }
    Ok(GetCredentialReportOutput {
        content: Some(report.content.into()),
        report_format: Some("text/csv".to_owned()),
        generated_time: store::time(report.generated_secs),
    })
}

fn content(tx: &impl Tx) -> Result<String, Error> {
    let mut lines = vec![COLUMNS.to_owned(), root(tx)?];
    let policy = PASSWORD_POLICIES.get(tx, tx.account())?;
    let max_age_days = policy.map_or(0, |policy| i64::from(policy.max_age_days));
    for (_, user) in USERS.list(tx, &(tx.account(),))? {
        let profile = LOGIN_PROFILES.get(tx, &user.id)?;
        let password = match &profile {
            Some(profile) => [
                "true".to_owned(),
                // Nobody can sign in to a console yet.
                "no_information".to_owned(),
                iso(profile.changed_secs),
                match max_age_days {
                    0 => "N/A".to_owned(),
                    days => iso(profile.changed_secs + days * 86_400),
                },
            ],
            None => ["false", "N/A", "N/A", "N/A"].map(str::to_owned),
        };
        let has_device = USER_DEVICES.range(&(&*user.id,)).count(tx)? > 0;
        let mut fields = vec![user.name.clone(), user.arn(tx.account()), iso(user.created_secs)];
        fields.extend(password);
        fields.push(has_device.to_string());
        fields.extend(keys(tx, &user.access_keys)?);
        let mut certificates = SIGNING_CERTIFICATES.list(tx, &(&*user.id,))?;
        certificates.sort_by_key(|(_, certificate)| certificate.uploaded_secs);
        for index in 0..2 {
            fields.extend(match certificates.get(index) {
                Some((_, row)) => [row.active.to_string(), iso(row.uploaded_secs)],
                None => ["false", "N/A"].map(str::to_owned),
            });
        }
        lines.push(line(&fields));
    }
    Ok(lines.join("\n"))
}

/// The line of the root, whose password is beyond an API.
fn root(tx: &impl Tx) -> Result<String, Error> {
    let account = tx.account();
    let ids = ACCOUNTS.get(tx, account)?.unwrap_or_default().root_access_keys;
    let mut fields = vec!["<root_account>".to_owned(), format!("arn:aws:iam::{account}:root")];
    fields.extend(
        ["not_supported", "not_supported", "no_information", "not_supported", "not_supported"]
            .map(str::to_owned),
    );
    fields.push((USER_DEVICES.range(&(account,)).count(tx)? > 0).to_string());
    fields.extend(keys(tx, &ids)?);
    fields.extend(["false", "N/A", "false", "N/A"].map(str::to_owned));
    Ok(fields.join(","))
}

/// Names may have commas in them.
fn line(fields: &[String]) -> String {
    let quoted = fields.iter().map(|field| match field.contains(',') {
        true => format!("\"{field}\""),
        false => field.clone(),
    });
    quoted.collect::<Vec<_>>().join(",")
}

fn keys(tx: &impl Tx, ids: &[String]) -> Result<Vec<String>, Error> {
    let mut fields = Vec::new();
    for index in 0..2 {
        let row = match ids.get(index) {
            Some(id) => ACCESS_KEYS.get(tx, id)?.map(|row| (id, row)),
            None => None,
        };
        fields.extend(match row {
            Some((id, row)) => key(&row, last_use(tx, id)?),
            None => ["false", "N/A", "N/A", "N/A", "N/A"].map(str::to_owned),
        });
    }
    Ok(fields)
}

fn key(row: &AccessKey, last: Option<LastUse>) -> [String; 5] {
    let (date, region, service) = match last {
        Some(last) => (iso(last.secs), last.region, last.service),
        None => ("N/A".to_owned(), "N/A".to_owned(), "N/A".to_owned()),
    };
    [row.active.to_string(), iso(row.created_secs), date, region, service]
}

/// When an access key or role was last used.
pub(crate) fn last_use(tx: &impl Tx, id: &str) -> Result<Option<LastUse>, Error> {
    match Identities::of(tx.cx().cloud()).last_uses.get(id) {
        Some(last) => Ok(Some(last)),
        None => Ok(LAST_USES.get(tx, id)?),
    }
}

fn iso(secs: i64) -> String {
    let time = jiff::Timestamp::from_second(secs).unwrap_or_default();
    time.to_string().replace('Z', "+00:00")
}
