//! Names and ARNs of secrets.

use fogbank_core::{Arn, arn};

/// How many random characters an ARN has after the name.
pub(crate) const SUFFIX: usize = 6;

/// What `SecretId` says.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Identifier {
    pub(crate) account: String,
    pub(crate) region: String,
    pub(crate) name: String,
    /// The random characters, where a complete ARN was given.
    pub(crate) suffix: Option<String>,
}

impl Identifier {
    /// Reads a name, an ARN, or an ARN without its random characters.
    ///
    /// What ends with a hyphen and six characters is taken for a complete ARN, as AWS warns.
    pub(crate) fn parse(text: &str, account: &str, region: &str) -> Identifier {
        let named = |name: &str| Identifier {
            account: account.to_owned(),
            region: region.to_owned(),
            name: name.to_owned(),
            suffix: None,
        };
        let Some(arn) = Arn::parse(text).filter(|arn| arn.service == "secretsmanager") else {
            return named(text);
        };
        let Some(name) = arn.resource.strip_prefix("secret:") else { return named(text) };
        let (name, suffix) = split_suffix(name);
        Identifier {
            account: arn.account.to_owned(),
            region: arn.region.to_owned(),
            name: name.to_owned(),
            suffix: suffix.map(str::to_owned),
        }
    }

    /// The key under which the secret would lie.
    pub(crate) fn key(&self) -> (String, String, String) {
        (self.account.clone(), self.region.clone(), self.name.clone())
    }

    /// Whether it names the secret whose ARN ends with `suffix`.
    pub(crate) fn fits(&self, suffix: &str) -> bool {
        self.suffix.as_deref().is_none_or(|given| given == suffix)
    }

    /// The ARN, without random characters where none were given.
    pub(crate) fn arn(&self) -> String {
        let Identifier { account, region, name, suffix } = self;
        let resource = match suffix {
            Some(suffix) => format!("secret:{name}-{suffix}"),
            None => format!("secret:{name}"),
        };
        arn::arn("secretsmanager", region, account, resource)
    }
}

/// Takes the random characters from the end of an ARN's name, if it ends as if it had some.
fn split_suffix(name: &str) -> (&str, Option<&str>) {
    let Some((front, end)) = name.rsplit_once('-') else { return (name, None) };
    let is_suffix = end.len() == SUFFIX && end.bytes().all(|byte| byte.is_ascii_alphanumeric());
    if is_suffix && !front.is_empty() { (front, Some(end)) } else { (name, None) }
}

/// Whether a new secret may have this name.
pub(crate) fn is_name(name: &str) -> bool {
    name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"-/_+=.@!".contains(&byte))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_arns_are_told_apart() {
        let parse = |text| {
            let id = Identifier::parse(text, "1", "r");
            (id.account, id.region, id.name, id.suffix)
        };
        let name = |account: &str, region: &str, name: &str, suffix: Option<&str>| {
            (account.into(), region.into(), name.into(), suffix.map(str::to_owned))
        };
        assert_eq!(parse("a/b-AbCdEf"), name("1", "r", "a/b-AbCdEf", None));
        assert_eq!(
            parse("arn:aws:secretsmanager:eu-west-1:2:secret:a/b-AbCdEf"),
            name("2", "eu-west-1", "a/b", Some("AbCdEf"))
        );
        assert_eq!(
            parse("arn:aws:secretsmanager:eu-west-1:2:secret:a-b"),
            name("2", "eu-west-1", "a-b", None)
        );
        assert_eq!(
            parse("arn:aws:secretsmanager:eu-west-1:2:secret:-abcdef"),
            name("2", "eu-west-1", "-abcdef", None)
        );
        assert_eq!(parse("arn:aws:s3:::bucket"), name("1", "r", "arn:aws:s3:::bucket", None));
        assert!(is_name("/A-z_0+=.@!") && !is_name("a b") && !is_name("ü") && !is_name("a:b"));
    }
}
