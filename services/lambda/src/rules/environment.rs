//! Which environment variables a function may have.

use std::collections::BTreeMap;

use crate::error::{Error, invalid};

/// The most that a function's variables may measure, as JSON in bytes.
const MAX_BYTES: usize = 4096;

/// Variables that belong to the execution environment.
const RESERVED: &[&str] = &[
    "_HANDLER",
    "_X_AMZN_TRACE_ID",
    "AWS_ACCESS_KEY",
    "AWS_ACCESS_KEY_ID",
    "AWS_DEFAULT_REGION",
    "AWS_EXECUTION_ENV",
    "AWS_LAMBDA_FUNCTION_MEMORY_SIZE",
    "AWS_LAMBDA_FUNCTION_NAME",
    "AWS_LAMBDA_FUNCTION_VERSION",
    "AWS_LAMBDA_INITIALIZATION_TYPE",
    "AWS_LAMBDA_LOG_GROUP_NAME",
    "AWS_LAMBDA_LOG_STREAM_NAME",
    "AWS_LAMBDA_RUNTIME_API",
    "AWS_REGION",
    "AWS_SECRET_ACCESS_KEY",
    "AWS_SESSION_TOKEN",
    "LAMBDA_RUNTIME_DIR",
    "LAMBDA_TASK_ROOT",
];

/// Refuses variables that are reserved or too large.
pub(crate) fn check(variables: &BTreeMap<String, String>) -> Result<(), Error> {
    let reserved: Vec<&str> =
        variables.keys().map(String::as_str).filter(|name| RESERVED.contains(name)).collect();
    if !reserved.is_empty() {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided contains reserved keys that are currently not supported for modification. Reserved keys used in \
             this request: {}",
            reserved.join(", ")
        )));
    }
    let measured = serde_json::to_string(variables).unwrap_or_default();
    if measured.len() > MAX_BYTES {
        return Err(invalid(format!(
            "Lambda was unable to configure your environment variables because the environment variables you have \
             provided exceeded the 4KB limit. String measured: {measured}"
        )));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reserved_and_large_variables_are_refused() {
        let one = |name: &str, value: String| BTreeMap::from([(name.to_owned(), value)]);
        assert!(check(&one("TABLE", "t".to_owned())).is_ok());
        assert!(check(&one("A", "x".repeat(4096 - 8))).is_ok());
        assert!(check(&one("A", "x".repeat(4096 - 7))).is_err());
        let error = check(&one("AWS_REGION", "x".to_owned())).expect_err("reserved");
        assert!(error.to_string().ends_with("Reserved keys used in this request: AWS_REGION"));
    }
}
