//! `fogbank env` and `fogbank run`: what makes unmodified AWS tools use the cloud.

use std::os::unix::process::CommandExt;
use std::process::{Command, ExitCode};

use anyhow::Context;

use crate::cli::{EnvOptions, RunOptions, Shell};

/// Variables that could lead a tool to AWS itself.
const UNSET: &[&str] = &["AWS_PROFILE", "AWS_DEFAULT_PROFILE", "AWS_SESSION_TOKEN"];

fn variables(endpoint: &str, region: &str) -> Vec<(&'static str, String)> {
    vec![
        ("AWS_ENDPOINT_URL", endpoint.to_owned()),
        ("AWS_ACCESS_KEY_ID", "test".to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "test".to_owned()),
        ("AWS_REGION", region.to_owned()),
        ("AWS_DEFAULT_REGION", region.to_owned()),
        ("AWS_EC2_METADATA_DISABLED", "true".to_owned()),
    ]
}

/// Prints the variables in the form of a shell.
#[expect(clippy::print_stdout, reason = "the output is the purpose")]
pub(crate) fn print(options: &EnvOptions) -> anyhow::Result<ExitCode> {
    for name in UNSET {
        match options.shell {
            Shell::Bash | Shell::Zsh => println!("unset {name}"),
            Shell::Fish => println!("set -e {name}"),
            Shell::Powershell => println!("Remove-Item Env:{name} -ErrorAction Ignore"),
            Shell::Dotenv | Shell::Github => {}
        }
    }
    for (name, value) in variables(&options.endpoint, &options.region) {
        match options.shell {
            Shell::Bash | Shell::Zsh => println!("export {name}='{value}'"),
            Shell::Fish => println!("set -gx {name} '{value}'"),
            Shell::Powershell => println!("$Env:{name} = '{value}'"),
            Shell::Dotenv | Shell::Github => println!("{name}={value}"),
        }
    }
    Ok(ExitCode::SUCCESS)
}

/// Runs a command with the variables set, in place of this process.
pub(crate) fn run(options: &RunOptions) -> anyhow::Result<ExitCode> {
    let (program, arguments) = options.command.split_first().context("no command was given")?;
    let mut command = Command::new(program);
    if needs_flag(program, arguments) {
        command.args(["--endpoint-url", &options.endpoint]);
    }
    command.args(arguments).envs(variables(&options.endpoint, &options.region));
    for name in UNSET {
        command.env_remove(name);
    }
    let error = command.exec();
    Err(error).with_context(|| format!("cannot run {program}"))
}

/// Whether the endpoint must be given as a flag: version 1 of the AWS CLI replaces the variable's by AWS's own for SQS,
/// RDS and a few others.
fn needs_flag(program: &str, arguments: &[String]) -> bool {
    let is_aws = std::path::Path::new(program).file_name().is_some_and(|name| name == "aws");
    is_aws && !arguments.iter().any(|argument| argument.starts_with("--endpoint-url"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_aws_cli_is_told_by_flag_unless_it_was_told() {
        let words = |text: &str| text.split(' ').map(str::to_owned).collect::<Vec<_>>();
        assert!(needs_flag("/usr/bin/aws", &words("sqs list-queues")));
        assert!(!needs_flag("aws", &words("--endpoint-url=http://x sqs list-queues")));
        assert!(!needs_flag("cdk", &words("deploy")));
    }
}
