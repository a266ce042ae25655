//! Turns the model's names into Rust's, as the AWS SDK for Rust does.

/// Words whose case would mislead the splitter.
const WHOLE_WORDS: &[&str] = &["ipv4", "ipv6", "sigv4", "kib", "mib", "gib"];

/// Words that Rust keeps for itself and accepts as raw identifiers.
const KEYWORDS: &[&str] = &[
    "abstract", "as", "async", "await", "become", "box", "break", "const", "continue", "do", "dyn",
    "else", "enum", "extern", "false", "final", "fn", "for", "gen", "if", "impl", "in", "let",
    "loop", "macro", "match", "mod", "move", "mut", "override", "priv", "pub", "ref", "return",
    "static", "struct", "trait", "true", "try", "type", "typeof", "unsafe", "unsized", "use",
    "virtual", "where", "while", "yield",
];

/// Words that Rust keeps for itself and does not accept as raw identifiers.
const RESERVED: &[&str] = &["crate", "self", "super"];

/// Splits a name into its words, in lower case: `SSEKMSKeyId` is `ssekms`, `key`, `id`.
///
/// A capital opens a word after a small letter or a digit, and before a small letter; digits
/// belong to the word before them; a plural `s` after capitals belongs to those.
pub(crate) fn words(name: &str) -> Vec<String> {
    let chars: Vec<char> = name.chars().collect();
    let mut words = Vec::new();
    let mut word = String::new();
    let mut index = 0;
    while let Some(&current) = chars.get(index) {
        if !current.is_ascii_alphanumeric() {
            words.extend(take(&mut word));
            index += 1;
            continue;
        }
        let previous = index.checked_sub(1).and_then(|before| chars.get(before)).copied();
        if !word.is_empty() && opens_word(previous, &chars[index..]) {
            words.extend(take(&mut word));
        }
        let length = if word.is_empty() { whole_word(&chars[index..]) } else { 0 };
        if length > 0 {
            words.push(chars[index..index + length].iter().collect::<String>().to_lowercase());
            index += length;
            continue;
        }
        word.push(current.to_ascii_lowercase());
        index += 1;
    }
    words.extend(take(&mut word));
    words
}

/// The word, if there is one; leaves it empty.
fn take(word: &mut String) -> Option<String> {
    (!word.is_empty()).then(|| std::mem::take(word))
}

/// Whether a word begins at the first of `rest`, which follows `previous`.
fn opens_word(previous: Option<char>, rest: &[char]) -> bool {
    let Some(previous) = previous else { return true };
    if !rest[0].is_ascii_uppercase() {
        return false;
    }
    if !previous.is_ascii_uppercase() {
        return true;
    }
    let next_is_small = rest.get(1).is_some_and(char::is_ascii_lowercase);
    let plural = rest.get(1) == Some(&'s') && rest.get(2).is_none_or(|c| !c.is_ascii_lowercase());
    next_is_small && !plural
}

/// The length of the whole word that stands at the beginning of `rest`, or 0.
fn whole_word(rest: &[char]) -> usize {
    WHOLE_WORDS
        .iter()
        .find(|word| {
            let head: String = rest.iter().take(word.len()).collect();
            let ends = rest.get(word.len()).is_none_or(|c| !c.is_ascii_lowercase());
            head.eq_ignore_ascii_case(word) && ends
        })
        .map_or(0, |word| word.len())
}

/// `QueueName` as a field's or function's name: `queue_name`, `r#type` where needed.
pub(crate) fn field(name: &str) -> String {
    let snake = words(name).join("_");
    if RESERVED.contains(&snake.as_str()) {
        format!("{snake}_")
    } else if KEYWORDS.contains(&snake.as_str()) {
        format!("r#{snake}")
    } else {
        snake
    }
}

/// `QueueName` as a constant's name: `QUEUE_NAME`.
pub(crate) fn constant(name: &str) -> String {
    let name = words(name).join("_").to_uppercase();
    if name.starts_with(|c: char| c.is_ascii_digit()) { format!("N{name}") } else { name }
}

/// `PAY_PER_REQUEST` as a variant's name: `PayPerRequest`.
pub(crate) fn variant(name: &str) -> String {
    let pascal: String = words(name).iter().map(|word| capitalised(word)).collect();
    if pascal == "Self" {
        "SelfValue".to_owned()
    } else if pascal.is_empty() {
        "Empty".to_owned()
    } else if pascal.starts_with(|c: char| c.is_ascii_digit()) {
        format!("N{pascal}")
    } else {
        pascal
    }
}

/// A shape's name as a Rust type's: as it is, with a capital first letter.
pub(crate) fn type_name(shape: &str) -> String {
    capitalised(shape.trim_start_matches('_'))
}

fn capitalised(word: &str) -> String {
    let mut chars = word.chars();
    chars
        .next()
        .map_or_else(String::new, |first| first.to_ascii_uppercase().to_string() + chars.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_named_as_in_the_sdk_for_rust() {
        for (model, rust) in [
            ("QueueName", "queue_name"),
            ("AWSAccountIds", "aws_account_ids"),
            ("SSEKMSKeyId", "ssekms_key_id"),
            ("SSECustomerKeyMD5", "sse_customer_key_md5"),
            ("ETag", "e_tag"),
            ("ACL", "acl"),
            ("MD5OfMessageBody", "md5_of_message_body"),
            ("ChecksumCRC32C", "checksum_crc32_c"),
            ("ChecksumCRC64NVME", "checksum_crc64_nvme"),
            ("IfUnmodifiedSince", "if_unmodified_since"),
            ("KMSMasterKeyID", "kms_master_key_id"),
            ("TargetARNs", "target_arns"),
            ("ARNsByName", "arns_by_name"),
            ("S3Bucket", "s3_bucket"),
            ("s3Key", "s3_key"),
            ("Ipv6AllowedForDualStack", "ipv6_allowed_for_dual_stack"),
            ("AssociateIPv6Range", "associate_ipv6_range"),
            ("logGroupName", "log_group_name"),
            ("LastModified", "last_modified"),
            ("Type", "r#type"),
            ("Self", "self_"),
            ("UUID", "uuid"),
        ] {
            assert_eq!(field(model), rust, "{model}");
        }
    }

    #[test]
    fn variants_are_named_as_in_the_sdk_for_rust() {
        for (model, rust) in [
            ("PAY_PER_REQUEST", "PayPerRequest"),
            ("AES256", "Aes256"),
            ("aws:kms:dsse", "AwsKmsDsse"),
            ("s3:ObjectCreated:*", "S3ObjectCreated"),
            ("x86_64", "X8664"),
            ("python3.12", "Python312"),
            ("CRC32C", "Crc32C"),
            ("BOOL", "Bool"),
            ("SS", "Ss"),
            ("1.0", "N10"),
            ("", "Empty"),
        ] {
            assert_eq!(variant(model), rust, "{model}");
        }
    }

    #[test]
    fn types_and_constants_keep_the_models_words() {
        assert_eq!(type_name("accessKeyMetadata"), "AccessKeyMetadata");
        assert_eq!(type_name("__listOf__string"), "ListOf__string");
        assert_eq!(constant("AttributeNameList"), "ATTRIBUTE_NAME_LIST");
    }
}
