//! Amazon Resource Names.

use std::fmt;

/// A parsed ARN: `arn:partition:service:region:account:resource`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`
    pub partition: &'a str,
    /// The service's namespace, such as `sqs`.
    pub service: &'a str,
    /// The region, or empty.
    pub region: &'a str,
    /// The account, or empty.
    pub account: &'a str,
    /// All that follows, such as `function:resize` or `role/path/name`.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// Parses an ARN; `None` if a part is missing.
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let rest = text.strip_prefix("arn:")?;
        // Each request has some of them looked at: five searches of words cost more than to go through a few bytes.
        let mut colons = rest.bytes().enumerate().filter(|(_, byte)| *byte == b':');
        let mut from = 0;
        let mut part = || {
            let (at, _) = colons.next()?;
            let part = &rest[from..at];
            from = at + 1;
            Some(part)
        };
        let (partition, service, region, account) = (part()?, part()?, part()?, part()?);
        let arn = Arn { partition, service, region, account, resource: &rest[from..] };
        (!arn.partition.is_empty() && !arn.service.is_empty() && !arn.resource.is_empty())
            .then_some(arn)
    }
}

impl fmt::Display for Arn<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Arn { partition, service, region, account, resource } = self;
        write!(f, "arn:{partition}:{service}:{region}:{account}:{resource}")
    }
}

/// Writes an ARN of the `aws` partition.
pub fn arn(service: &str, region: &str, account: &str, resource: impl fmt::Display) -> String {
    format!("arn:aws:{service}:{region}:{account}:{resource}")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn parses_and_prints() {
        let text = "arn:aws:lambda:eu-west-1:123456789012:function:a:1";
        let parsed = Arn::parse(text).expect("an ARN");
        assert_eq!(parsed.resource, "function:a:1");
        assert_eq!(parsed.to_string(), text);
        assert_eq!(Arn::parse("arn:aws:s3:::"), None);
        assert_eq!(Arn::parse("nonsense"), None);
    }
}
