//! Server certificates with their private keys.

use fogbank_core::{Access, ReadTx, Tx, WriteTx};
use fogbank_federation::certificates::{Certificate, Unusable};
use fogbank_identity::rows;

use crate::error::Error;
use crate::model::{
    DeleteServerCertificateInput, DeleteServerCertificateOutput, GetServerCertificateInput,
    GetServerCertificateOutput, ListServerCertificatesInput, ListServerCertificatesOutput,
    ServerCertificate, ServerCertificateMetadata, UpdateServerCertificateInput,
    UpdateServerCertificateOutput, UploadServerCertificateInput, UploadServerCertificateOutput,
};
use crate::{named, rules, store};

// In AWS's words, as its users quote them; those about keys are a guess after them.
const NOT_PEM: &str =
    "Unable to parse certificate. Please ensure the certificate is in PEM format.";
const NO_KEY: &str = "Unable to parse key. Please ensure the key is in PEM format.";

/// Takes a certificate in, if its key and its chain belong to it.
pub(crate) fn upload(
    tx: &mut WriteTx<'_>,
    input: UploadServerCertificateInput,
) -> Result<UploadServerCertificateOutput, Error> {
    let certificate = one(&input.certificate_body)?;
    certificate.check_private_key(&input.private_key).map_err(|error| match error {
        Unusable::OtherKey => Error::KeyPairMismatchException,
        Unusable::NotPem | Unusable::Malformed => {
            Error::MalformedCertificateException(NO_KEY.to_owned())
        }
    })?;
    if let Some(chain) = &input.certificate_chain {
        check_chain(&certificate, chain)?;
    }
    let id = format!("ASCA{}", tx.ids().upper(17));
    let place = rows::ServerCertificate::place(&id);
    let row = rows::ServerCertificate {
        name: input.server_certificate_name,
        path: input.path.unwrap_or_else(|| "/".to_owned()),
        id,
        uploaded_secs: tx.now().secs(),
        expires_secs: certificate.ends_secs,
        body: input.certificate_body,
        chain: input.certificate_chain,
        private_key: rows::Secret::seal(tx, &place, input.private_key.as_bytes())?,
        tags: rules::tags(input.tags.unwrap_or_default())?,
    };
    named::create(tx, &row)?;
    Ok(UploadServerCertificateOutput {
        server_certificate_metadata: Some(metadata(tx.account(), &row)),
        tags: (!row.tags.is_empty()).then(|| rules::shown_tags(&row.tags)),
    })
}

/// The only certificate of a PEM.
pub(crate) fn one(pem: &str) -> Result<Certificate, Error> {
    match Certificate::from_pem(pem).as_deref() {
        Ok([one]) => Ok(one.clone()),
        _ => Err(Error::MalformedCertificateException(NOT_PEM.to_owned())),
    }
}

fn check_chain(certificate: &Certificate, chain: &str) -> Result<(), Error> {
    let chain = Certificate::from_pem(chain)
        .map_err(|_| Error::MalformedCertificateException(NOT_PEM.to_owned()))?;
    let mut below = certificate;
    for (index, issuer) in chain.iter().enumerate() {
        if !below.is_signed_by(issuer) {
            return Err(Error::MalformedCertificateException(format!(
                "Unable to validate certificate chain. The certificate chain must start with the immediate signing \
                 certificate, followed by any intermediaries in order. The index within the chain of the invalid \
                 certificate is: {index}"
            )));
        }
        below = issuer;
    }
    Ok(())
}

/// Shows a certificate without its key.
pub(crate) fn get(
    tx: &ReadTx<'_>,
    input: GetServerCertificateInput,
) -> Result<GetServerCertificateOutput, Error> {
    let row: rows::ServerCertificate = named::find(tx, &input.server_certificate_name)?;
    let shown = ServerCertificate {
        server_certificate_metadata: Some(metadata(tx.account(), &row)),
        certificate_body: Some(row.body),
        certificate_chain: row.chain,
        tags: (!row.tags.is_empty()).then(|| rules::shown_tags(&row.tags)),
    };
    Ok(GetServerCertificateOutput { server_certificate: Some(shown) })
}

/// Lists the certificates under a path.
pub(crate) fn list(
    tx: &ReadTx<'_>,
    input: ListServerCertificatesInput,
) -> Result<ListServerCertificatesOutput, Error> {
    let (prefix, marker) = (input.path_prefix.as_deref(), input.marker.as_deref());
    let page = named::page(tx, prefix, marker, input.max_items, |_| true)?;
    let is_truncated = page.is_truncated();
    let shown = page.items.iter().map(|row| metadata(tx.account(), row)).collect();
    Ok(ListServerCertificatesOutput {
        server_certificate_metadata_list: Some(shown),
        is_truncated,
        marker: page.marker,
    })
}

/// Changes a certificate's name and path.
pub(crate) fn update(
    tx: &mut WriteTx<'_>,
    input: UpdateServerCertificateInput,
) -> Result<UpdateServerCertificateOutput, Error> {
    let old: rows::ServerCertificate = named::find(tx, &input.server_certificate_name)?;
    let mut new = old.clone();
    if let Some(name) = input.new_server_certificate_name {
        new.name = name;
    }
    if let Some(path) = input.new_path {
        new.path = path;
    }
    new.private_key = new.private_key.sealed(tx, &rows::ServerCertificate::place(&old.id))?;
    // As with users, both names need permission.
    tx.cx().authorise(&Access::on(new.arn(tx.account())))?;
    named::delete(tx, &old)?;
    named::create(tx, &new)?;
    Ok(UpdateServerCertificateOutput {})
}

/// Deletes a certificate.
pub(crate) fn delete(
    tx: &mut WriteTx<'_>,
    input: DeleteServerCertificateInput,
) -> Result<DeleteServerCertificateOutput, Error> {
    let row: rows::ServerCertificate = named::find(tx, &input.server_certificate_name)?;
    named::delete(tx, &row)?;
    Ok(DeleteServerCertificateOutput {})
}

fn metadata(account: &str, row: &rows::ServerCertificate) -> ServerCertificateMetadata {
    ServerCertificateMetadata {
        path: Some(row.path.clone()),
        server_certificate_name: Some(row.name.clone()),
        server_certificate_id: Some(row.id.clone()),
        arn: Some(row.arn(account)),
        upload_date: store::time(row.uploaded_secs),
        expiration: store::time(row.expires_secs),
    }
}
