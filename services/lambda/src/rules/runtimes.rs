//! Which runtimes functions may be created with.

use crate::error::{Error, invalid};

/// The runtimes that AWS takes today, in the order of its own message.
const SUPPORTED: &[&str] = &[
    "nodejs20.x",
    "python3.14",
    "provided.al2023",
    "python3.12",
    "python3.13",
    "nodejs24.x",
    "nodejs22.x",
    "java25",
    "python3.10",
    "python3.11",
    "java21",
    "ruby3.3",
    "ruby3.4",
    "ruby3.2",
    "python3.8",
    "python3.9",
    "java17",
    "nodejs16.x",
    "dotnet10",
    "dotnet8",
    "java11",
    "dotnet6",
    "nodejs18.x",
    "provided.al2",
    "java8.al2",
];

/// The runtimes that AWS knows and no longer takes.
const RETIRED: &[&str] = &[
    "nodejs",
    "nodejs4.3",
    "nodejs4.3-edge",
    "nodejs6.10",
    "nodejs8.10",
    "nodejs10.x",
    "nodejs12.x",
    "nodejs14.x",
    "python2.7",
    "python3.6",
    "python3.7",
    "ruby2.5",
    "ruby2.7",
    "java8",
    "go1.x",
    "dotnetcore1.0",
    "dotnetcore2.0",
    "dotnetcore2.1",
    "dotnetcore3.1",
    "dotnet5.0",
    "provided",
];

/// Refuses a runtime that AWS refuses.
pub(crate) fn check(runtime: &str) -> Result<(), Error> {
    if SUPPORTED.contains(&runtime) {
        return Ok(());
    }
    if RETIRED.contains(&runtime) {
        return Err(invalid(format!(
            "The runtime parameter of {runtime} is no longer supported for creating or updating AWS Lambda functions. \
             We recommend you use a supported runtime while creating or updating functions."
        )));
    }
    Err(invalid(format!(
        "Value {runtime} at 'runtime' failed to satisfy constraint: {} or be a valid ARN",
        value_set()
    )))
}

/// Whether AWS knows the runtime, be it retired.
pub(crate) fn is_known(runtime: &str) -> bool {
    SUPPORTED.contains(&runtime) || RETIRED.contains(&runtime)
}

/// The message for a runtime that AWS does not know, where layers name it.
pub(crate) fn violation(value: &str, member: &str) -> String {
    format!(
        "1 validation error detected: Value '{value}' at '{member}' failed to satisfy constraint: {}",
        value_set()
    )
}

fn value_set() -> String {
    format!("Member must satisfy enum value set: [{}]", SUPPORTED.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_supported_runtime_is_known_to_compute() {
        for runtime in SUPPORTED {
            assert!(check(runtime).is_ok());
            assert!(runtime.parse::<fogbank_compute::lambda::Runtime>().is_ok(), "{runtime}");
        }
    }

    #[test]
    fn others_are_refused() {
        let text = |runtime| check(runtime).expect_err("refused").to_string();
        assert!(text("python3.7").starts_with("The runtime parameter of python3.7 is no longer"));
        assert!(text("PYTHON3.9").starts_with("Value PYTHON3.9 at 'runtime' failed"));
    }
}
