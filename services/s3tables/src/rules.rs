//! Names, as AWS's page of naming rules has them, and where metadata may lie.

/// Whether a table bucket that an account makes may have this name; length and characters are checked by the model.
pub(crate) fn is_bucket_name(name: &str) -> bool {
    const RESERVED_STARTS: [&str; 4] = ["xn--", "sthree-", "amzn-s3-demo-", "aws"];
    const RESERVED_ENDS: [&str; 4] = ["-s3alias", "--ol-s3", "--x-s3", "--table-s3"];
    !name.starts_with('-')
        && !name.ends_with('-')
        && !RESERVED_STARTS.iter().any(|start| name.starts_with(start))
        && !RESERVED_ENDS.iter().any(|end| name.ends_with(end))
}

/// Whether a namespace or table may have this name. Some of AWS's pages say that names end with a letter or digit, too.
pub(crate) fn is_name(name: &str) -> bool {
    let is_plain = |character: char| character.is_ascii_lowercase() || character.is_ascii_digit();
    (1..=255).contains(&name.len())
        && name.chars().all(|character| is_plain(character) || character == '_')
        && name.starts_with(is_plain)
        && name.ends_with(is_plain)
}

/// Whether an account may make a namespace of this name.
pub(crate) fn is_namespace_name(name: &str) -> bool {
    is_name(name) && !name.starts_with("aws")
}

/// Whether S3 Metadata may make a namespace of this name: it has the hyphens of a bucket's.
pub(crate) fn is_managed_namespace_name(name: &str) -> bool {
    is_name(&name.replace('-', "_"))
}

/// Whether metadata of the table with this warehouse may lie here.
pub(crate) fn is_metadata_location(location: &str, warehouse: &str) -> bool {
    let key = location
        .strip_prefix("s3://")
        .and_then(|rest| rest.strip_prefix(warehouse))
        .and_then(|rest| rest.strip_prefix('/'));
    key.is_some_and(|key| {
        !key.is_empty() && (key.ends_with(".metadata.json") || key.ends_with(".metadata.json.gz"))
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_the_rules() {
        for name in ["abc", "my-bucket", "0a0"] {
            assert!(is_bucket_name(name), "{name}");
        }
        for name in ["-ab", "ab-", "aws-s3", "xn--a", "sthree-a", "a--x-s3", "a--table-s3"] {
            assert!(!is_bucket_name(name), "{name}");
        }
        for name in ["a", "a_b", "1st"] {
            assert!(is_name(name) && is_namespace_name(name), "{name}");
        }
        for name in ["", "_a", "a_", "A", "a-b", "a.b", "ä"] {
            assert!(!is_name(name), "{name}");
        }
        assert!(is_managed_namespace_name("b_a-b") && !is_managed_namespace_name("b_A"));
        assert!(is_name("aws_table") && !is_namespace_name("aws_table"));
    }

    #[test]
    fn metadata_lies_in_the_warehouse() {
        let warehouse = "w--table-s3";
        for location in
            ["s3://w--table-s3/metadata/1.metadata.json", "s3://w--table-s3/a.metadata.json.gz"]
        {
            assert!(is_metadata_location(location, warehouse), "{location}");
        }
        for location in [
            "s3://w--table-s3",
            "s3://w--table-s3/",
            "s3://other--table-s3/a.metadata.json",
            "s3://w--table-s3x/a.metadata.json",
            "s3://w--table-s3/a.json",
            "w--table-s3/a.metadata.json",
        ] {
            assert!(!is_metadata_location(location, warehouse), "{location}");
        }
    }
}
