//! What a `KeyId` may be: an id, an ARN, an alias.

use fogbank_core::Arn;

use crate::error::Error;

/// A key or an alias, as a request names it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) enum Named {
    /// Account and id.
    Key(String, String),
    /// Account and name, with its `alias/`.
    Alias(String, String),
}

/// What `text` names for a caller in an account and region.
pub(crate) fn parse(text: &str, account: &str, region: &str) -> Result<Named, Error> {
    if text.starts_with("arn:") {
        let Some(arn) = Arn::parse(text).filter(|arn| arn.service == "kms") else {
            return Err(Error::InvalidArnException(format!("Invalid ARN: {text}")));
        };
        // AWS looks for keys in the region that is asked, and nowhere else.
        if arn.region != region {
            return Err(Error::NotFoundException(format!("Invalid arn {}", arn.region)));
        }
        let account = arn.account.to_owned();
        if arn.resource.starts_with("alias/") {
            return Ok(Named::Alias(account, arn.resource.to_owned()));
        }
        return match arn.resource.strip_prefix("key/").filter(|id| id_bytes(id).is_some()) {
            Some(id) => Ok(Named::Key(account, id.to_owned())),
            None => Err(Error::no_key_id(text)),
        };
    }
    if text.starts_with("alias/") {
        return Ok(Named::Alias(account.to_owned(), text.to_owned()));
    }
    match id_bytes(text) {
        Some(_) => Ok(Named::Key(account.to_owned(), text.to_owned())),
        None => Err(Error::no_key_id(text)),
    }
}

/// The sixteen bytes of a key's id, and whether it is one of several regions; `None` if it is no id.
pub(crate) fn id_bytes(id: &str) -> Option<(bool, [u8; 16])> {
    let (is_multi_region, digits) = match id.strip_prefix("mrk-") {
        Some(digits) => (true, digits.to_owned()),
        None => {
            let parts: Vec<usize> = id.split('-').map(str::len).collect();
            (false, (parts == [8, 4, 4, 4, 12]).then(|| id.replace('-', ""))?)
        }
    };
    let mut bytes = [0; 16];
    hex::decode_to_slice(digits, &mut bytes).ok()?;
    Some((is_multi_region, bytes))
}

/// The id of a key with these bytes.
pub(crate) fn id_of_bytes(is_multi_region: bool, bytes: &[u8; 16]) -> String {
    let digits = hex::encode(bytes);
    if is_multi_region {
        return format!("mrk-{digits}");
    }
    let [a, b, c, d] = [&digits[..8], &digits[8..12], &digits[12..16], &digits[16..20]];
    format!("{a}-{b}-{c}-{d}-{}", &digits[20..])
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tells_ids_from_aliases() {
        let uuid = "1234abcd-12ab-34cd-56ef-1234567890ab";
        let mrk = "mrk-1234abcd12ab34cd56ef1234567890ab";
        let named = |text: &str| parse(text, "111122223333", "us-east-1").ok();
        let key = |account: &str, id: &str| Some(Named::Key(account.to_owned(), id.to_owned()));
        assert_eq!(named(uuid), key("111122223333", uuid));
        assert_eq!(named(mrk), key("111122223333", mrk));
        assert_eq!(named(&format!("arn:aws:kms:us-east-1:5:key/{uuid}")), key("5", uuid));
        assert_eq!(named(&format!("arn:aws:kms:eu-west-1:5:key/{uuid}")), None);
        assert_eq!(named("arn:aws:kms:us-east-1:5:key/x"), None);
        assert_eq!(named("12345"), None);
        let alias = Named::Alias("111122223333".to_owned(), "alias/a/b".to_owned());
        assert_eq!(named("alias/a/b"), Some(alias));
        for id in [uuid, mrk] {
            let (is_multi_region, bytes) = id_bytes(id).expect("an id");
            assert_eq!(id_of_bytes(is_multi_region, &bytes), id);
        }
    }
}
