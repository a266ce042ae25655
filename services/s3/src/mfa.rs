//! MFA delete: in buckets that have it on, versions are removed and versioning is changed by the root of the bucket's account
//! alone, with a code that its MFA device shows. The refusals are AWS's, as its users quote them.

use fogbank_core::{Fault, PrincipalKind, Tx, WriteTx};
use fogbank_identity::mfa::Shown;

use crate::error::Error;
use crate::store::Bucket;

const HEADER: &str = "x-amz-mfa";

/// Reads the header: the serial number of a device, a space, and a code.
pub(crate) fn shown(header: Option<&str>) -> Result<Option<Shown>, Error> {
    let Some(header) = header else { return Ok(None) };
    match header.split_once(' ') {
        Some((serial, code)) if !serial.is_empty() && !code.is_empty() && !code.contains(' ') => {
            Ok(Some(Shown { serial: serial.to_owned(), code: code.to_owned() }))
        }
        _ => {
            let message = "Mfa header is invalid -- the header should be formatted as {serialNumber}(space){tokenCode}";
            Err(Error::argument(HEADER, header, message))
        }
    }
}

/// Refuses what is done to a bucket unless the header allows it, and takes the code that it shows.
pub(crate) fn take(
    tx: &mut WriteTx<'_>,
    bucket: &Bucket,
    shown: Option<&Shown>,
) -> Result<(), Error> {
    let shown = given(shown)?;
    let principal = &tx.request().principal;
    // Sessions of the root, such as those of a shell in the console, were seen to be refused.
    let is_root = principal.kind == PrincipalKind::Root && principal.session.is_none();
    if !is_root || principal.account != bucket.account {
        return Err(denied("This operation may only be performed by the bucket owner"));
    }
    // Whether AWS says which of the two was wrong is not known: of a code that comes twice, users quote these words.
    shown.take(tx)?.map_err(|_| Error::argument(HEADER, &shown.serial, "Mfa header is invalid"))
}

/// The header, which must be there.
pub(crate) fn given(shown: Option<&Shown>) -> Result<&Shown, Error> {
    shown.ok_or_else(|| denied("Mfa Authentication must be used for this request"))
}

fn denied(message: &str) -> Error {
    Error::Fault(Fault::access_denied(message))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_header_is_a_serial_number_and_a_code() {
        assert!(shown(None).expect("nothing").is_none());
        let both = shown(Some("arn:aws:iam::000000000000:mfa/a 123456")).expect("both");
        let both = both.expect("both");
        assert_eq!((&*both.serial, &*both.code), ("arn:aws:iam::000000000000:mfa/a", "123456"));
        for wrong in ["", " ", "970589", "a ", " 1", "a  1", "a 1 ", "a b 1"] {
            assert!(matches!(shown(Some(wrong)), Err(Error::InvalidArgument { .. })), "{wrong}");
        }
    }
}
