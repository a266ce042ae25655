//! X.509 signing certificates of users, which once signed SOAP requests. No service here takes them; they are checked,
//! kept and shown.

use fogbank_core::{ReadTx, Tx, WriteTx};
use fogbank_identity::rows::{self, SIGNING_CERTIFICATES, User};

use crate::error::Error;
use crate::model::{
    DeleteSigningCertificateInput, DeleteSigningCertificateOutput, ListSigningCertificatesInput,
    ListSigningCertificatesOutput, SigningCertificate, StatusType, UpdateSigningCertificateInput,
    UpdateSigningCertificateOutput, UploadSigningCertificateInput, UploadSigningCertificateOutput,
};
use crate::rules::Page;
use crate::{server_certificates, store, users};

/// The most certificates of a user.
const CERTIFICATES_PER_USER: usize = 2;

/// Takes a certificate in.
pub(crate) fn upload(
    tx: &mut WriteTx<'_>,
    input: UploadSigningCertificateInput,
) -> Result<UploadSigningCertificateOutput, Error> {
    let user = of_input(tx, input.user_name)?;
    server_certificates::one(&input.certificate_body)?;
    let known = SIGNING_CERTIFICATES.list(tx, &(&*user.id,))?;
    if known.iter().any(|(_, row)| row.body.trim() == input.certificate_body.trim()) {
        return Err(Error::DuplicateCertificateException);
    }
    if known.len() >= CERTIFICATES_PER_USER {
        return Err(Error::quota("CertificatesPerUser", CERTIFICATES_PER_USER));
    }
    let row = rows::SigningCertificate {
        body: input.certificate_body,
        active: true,
        uploaded_secs: tx.now().secs(),
    };
    let id = tx.ids().upper(32);
    SIGNING_CERTIFICATES.put(tx, &(user.id.clone(), id.clone()), &row)?;
    Ok(UploadSigningCertificateOutput { certificate: Some(shown(&user, id, row)) })
}

/// Lists a user's certificates.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListSigningCertificatesInput,
) -> Result<ListSigningCertificatesOutput, Error> {
    let user = of_input(tx, input.user_name)?;
    let rows = SIGNING_CERTIFICATES.list(tx, &(&*user.id,))?;
    let id = |(key, _): &((String, String), rows::SigningCertificate)| key.1.clone();
    let page = Page::of(rows, id, input.marker.as_deref(), input.max_items)?;
    let is_truncated = page.is_truncated();
    let certificates = page.items.into_iter().map(|((_, id), row)| shown(&user, id, row)).collect();
    Ok(ListSigningCertificatesOutput {
        certificates: Some(certificates),
        is_truncated,
        marker: page.marker,
    })
}

/// Makes a certificate active or inactive.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateSigningCertificateInput,
) -> Result<UpdateSigningCertificateOutput, Error> {
    let user = of_input(tx, input.user_name)?;
    let mut row = find(tx, &user, &input.certificate_id)?;
    row.active = input.status == StatusType::Active;
    SIGNING_CERTIFICATES.put(tx, &(user.id, input.certificate_id), &row)?;
    Ok(UpdateSigningCertificateOutput {})
}

/// Deletes a certificate.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteSigningCertificateInput,
) -> Result<DeleteSigningCertificateOutput, Error> {
    let user = of_input(tx, input.user_name)?;
    find(tx, &user, &input.certificate_id)?;
    SIGNING_CERTIFICATES.delete(tx, &(user.id, input.certificate_id))?;
    Ok(DeleteSigningCertificateOutput {})
}

fn of_input(tx: &impl Tx, name: Option<String>) -> Result<User, Error> {
    let name = users::name_or_caller(tx, name)?;
    store::find(tx, &name)
}

fn find(tx: &impl Tx, user: &User, id: &str) -> Result<rows::SigningCertificate, Error> {
    SIGNING_CERTIFICATES.get(tx, &(&*user.id, id))?.ok_or_else(|| {
        Error::NoSuchEntityException(format!("The Certificate with id {id} cannot be found."))
    })
}

fn shown(user: &User, id: String, row: rows::SigningCertificate) -> SigningCertificate {
    SigningCertificate {
        user_name: Some(user.name.clone()),
        certificate_id: Some(id),
        certificate_body: Some(row.body),
        status: Some(store::status(row.active)),
        upload_date: store::time(row.uploaded_secs),
    }
}
