//! Names of Lambda runtimes, such as `python3.12`, taken apart.

use std::fmt;
use std::str::FromStr;

/// The language family of a runtime.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Family {
    /// `python3.N`.
    Python,
    /// `nodejsN.x`.
    NodeJs,
    /// `javaN` and `java8.al2`.
    Java,
    /// `provided`, `provided.al2`, `provided.al2023`: the code brings an executable named `bootstrap`.
    Provided,
    /// `rubyN.M`.
    Ruby,
    /// `dotnetN` and `dotnetcoreN.M`.
    DotNet,
    /// `go1.x`, which AWS itself has retired.
    Go,
}

/// A runtime identifier of the Lambda API.
#[derive(Clone, Debug, PartialEq, Eq, Hash)]
pub struct Runtime {
    name: String,
    family: Family,
    major: u32,
    minor: Option<u32>,
}

/// The runtime identifier has no form that Lambda uses.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0:?} is not a Lambda runtime identifier")]
pub struct UnknownRuntime(pub String);

impl Runtime {
    /// The identifier as the API spells it.
    pub fn as_str(&self) -> &str {
        &self.name
    }

    /// The language family.
    pub fn family(&self) -> Family {
        self.family
    }

    /// The major version, 0 for `provided`.
    pub fn major(&self) -> u32 {
        self.major
    }

    /// The minor version where the identifier carries one.
    pub fn minor(&self) -> Option<u32> {
        self.minor
    }
}

impl fmt::Display for Runtime {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name)
    }
}

impl FromStr for Runtime {
    type Err = UnknownRuntime;

    fn from_str(name: &str) -> Result<Self, UnknownRuntime> {
        let unknown = || UnknownRuntime(name.to_owned());
        let families = [
            ("python", Family::Python),
            ("nodejs", Family::NodeJs),
            ("java", Family::Java),
            ("provided", Family::Provided),
            ("ruby", Family::Ruby),
            ("dotnetcore", Family::DotNet),
            ("dotnet", Family::DotNet),
            ("go", Family::Go),
        ];
        let (rest, family) = families
            .iter()
            .find_map(|(prefix, family)| Some((name.strip_prefix(prefix)?, *family)))
            .ok_or_else(unknown)?;
        let mut parts = rest.split('.').filter(|part| !part.is_empty());
        let (major, minor) = match (family, parts.next()) {
            (Family::Provided, None | Some("al2" | "al2023")) => (0, None),
            // The first Node.js runtime was plain `nodejs`; AWS refuses it today.
            (_, None) | (Family::Provided, Some(_)) => return Err(unknown()),
            (_, Some(major)) => {
                let major = major.parse().map_err(|_| unknown())?;
                let minor = match parts.next() {
                    None | Some("x" | "al2") => None,
                    Some(minor) => Some(minor.parse().map_err(|_| unknown())?),
                };
                (major, minor)
            }
        };
        if parts.next().is_some() {
            return Err(unknown());
        }
        Ok(Self { name: name.to_owned(), family, major, minor })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn identifiers_are_taken_apart() {
        for (name, family, major, minor) in [
            ("python3.12", Family::Python, 3, Some(12)),
            ("nodejs20.x", Family::NodeJs, 20, None),
            ("java21", Family::Java, 21, None),
            ("java8.al2", Family::Java, 8, None),
            ("provided.al2023", Family::Provided, 0, None),
            ("provided", Family::Provided, 0, None),
            ("dotnetcore3.1", Family::DotNet, 3, Some(1)),
            ("dotnet8", Family::DotNet, 8, None),
            ("ruby3.3", Family::Ruby, 3, Some(3)),
            ("go1.x", Family::Go, 1, None),
        ] {
            let runtime: Runtime = name.parse().unwrap();
            assert_eq!((runtime.family, runtime.major, runtime.minor), (family, major, minor));
            assert_eq!(runtime.to_string(), name);
        }
    }

    #[test]
    fn other_names_are_refused() {
        for name in
            ["", "python", "python3.x.1", "cobol85", "provided.al3", "nodejs", "python3.12.1"]
        {
            assert!(name.parse::<Runtime>().is_err(), "{name}");
        }
    }
}
