//! What it costs to find the owner of an access key and to decide over a call, beside the rows in memory.
//!
//! The caller's policies are compiled once and shared; each decision reads whether anything has changed, evaluates all of
//! them, and is kept to be explained. No HTTP and no signature take part.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use anyhow::Context;
use fogbank_core::store::Db;
use fogbank_core::{
    Check, Clock, Cloud, Cx, Endpoint, Ids, Principal, PrincipalKind, Request, Settings, Timestamp,
    WriteTx,
};
use fogbank_identity::rows::{self, AccessKey, Entity, Grants, Kind, Role};
use fogbank_identity::{Directory, Mode};

const ACCOUNT: &str = "000000000000";
const ROUNDS: u32 = 200_000;
const OBJECT: &str = "arn:aws:s3:::photos/worker/2026/cat.jpg";

/// Prints the figures.
#[expect(clippy::print_stdout, reason = "the figures are the output")]
pub(crate) fn run() -> anyhow::Result<()> {
    let settings = Settings {
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        data_dir: std::path::PathBuf::new(),
        local_authority: String::new(),
        has_legacy_buckets: false,
        allows_customer_keys: false,
        s3_cache_bytes: 0,
    };
    let now = Timestamp::from_secs(1_767_225_600);
    let cloud = Cloud::new(Db::memory(), Clock::frozen(now), Ids::seeded(1), settings);
    for policies in [1, 10] {
        fill(&cloud, policies)?;
    }
    for kept in [1024, 0] {
        // Each directory is over a memory of its own, as a process is.
        let settings = cloud.settings().clone();
        let cloud = Cloud::new(cloud.db().clone(), Clock::frozen(now), Ids::seeded(1), settings);
        let directory = Directory::new(Mode::Server, ACCOUNT).keeping(kept);
        directory.connect(&cloud);
        println!("{kept} decisions of each kind are kept");
        let root = Arc::new(request(Principal::root(ACCOUNT), now));
        let check = Check { resource: OBJECT.to_owned(), ..Check::default() };
        let rows = cloud.db().snapshot();
        for (policies, action, is_allowed) in
            [(1, "s3:GetObject", true), (10, "s3:GetObject", true), (10, "s3:DeleteObject", false)]
        {
            let role = Arc::new(request(role(policies), now));
            let outcome = if is_allowed { "allowed" } else { "refused" };
            time(&format!("a role with {policies} attached policies, {outcome}"), || {
                let decided = directory.authorise(&rows, &role, action, &check, None, None);
                decided.is_ok() == is_allowed
            })?;
        }
        time("the root", || {
            directory.authorise(&rows, &root, "s3:GetObject", &check, None, None).is_ok()
        })?;
        time("an access key", || directory.credential(&rows, "AKIAROOT", None, now).is_ok())?;
    }
    Ok(())
}

#[expect(clippy::print_stdout, reason = "the figures are the output")]
fn time(what: &str, mut run: impl FnMut() -> bool) -> anyhow::Result<()> {
    anyhow::ensure!(run(), "{what} ended otherwise");
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        black_box(run());
    }
    println!("  {what:<44} {:>6} ns", begun.elapsed().as_nanos() / u128::from(ROUNDS));
    Ok(())
}

/// So many policies, of which the last one allows the call.
fn documents(policies: usize) -> Vec<String> {
    let services = ["sqs", "sns", "lambda", "logs", "dynamodb", "ec2", "kms", "iam", "events"];
    let mut documents: Vec<String> = services
        .iter()
        .take(policies - 1)
        .map(|service| {
            format!(
                r#"{{"Version": "2012-10-17", "Statement": [
                    {{"Effect": "Allow", "Action": ["{service}:Get*", "{service}:List*", "{service}:Describe*"],
                      "Resource": "arn:aws:{service}:*:{ACCOUNT}:*"}},
                    {{"Effect": "Deny", "Action": "{service}:Delete*", "Resource": "*",
                      "Condition": {{"NotIpAddress": {{"aws:SourceIp": ["10.0.0.0/8", "127.0.0.1/32"]}}}}}}]}}"#
            )
        })
        .collect();
    documents.push(
        r#"{"Version": "2012-10-17", "Statement": {"Effect": "Allow", "Action": ["s3:GetObject", "s3:PutObject"],
            "Resource": "arn:aws:s3:::photos/${aws:PrincipalTag/name}/*",
            "Condition": {"Bool": {"aws:SecureTransport": "true"}}}}"#
            .to_owned(),
    );
    documents
}

/// Writes a role with so many attached policies, of which the last one allows the call.
fn fill(cloud: &Cloud, policies: usize) -> anyhow::Result<()> {
    let name = format!("worker{policies}");
    let managed = |index: usize, document: &String| {
        let version =
            rows::PolicyVersion { number: 1, document: document.clone(), created_secs: 0 };
        rows::ManagedPolicy {
            name: format!("{name}-{index}"),
            path: "/".to_owned(),
            id: format!("ANPA{name}{index}"),
            description: None,
            created_secs: 0,
            updated_secs: 0,
            default_version: 1,
            next_version: 2,
            versions: vec![version],
            tags: Vec::new(),
        }
    };
    let managed: Vec<_> = documents(policies)
        .iter()
        .enumerate()
        .map(|(index, document)| managed(index, document))
        .collect();
    let role = Role {
        name: name.clone(),
        path: "/".to_owned(),
        id: format!("AROA{name}"),
        created_secs: 0,
        description: None,
        trust: String::new(),
        trusted: Vec::new(),
        max_session_secs: 3600,
        tags: vec![("name".to_owned(), "worker".to_owned())],
        grants: Grants {
            attached: managed.iter().map(|policy| policy.arn(ACCOUNT)).collect(),
            ..Grants::default()
        },
    };
    let key = AccessKey {
        account: ACCOUNT.to_owned(),
        user_id: None,
        secret: "secret".to_owned(),
        active: true,
        created_secs: 0,
    };
    let entity = Entity { account: ACCOUNT.to_owned(), kind: Kind::Role, folded: name.clone() };
    let cx = Cx::background(cloud.clone(), "iam", "Bench");
    let written = cloud.db().write_blocking(|tx| {
        let tx = &mut WriteTx::new(tx, &cx);
        for policy in &managed {
            rows::POLICIES.put(tx, &(ACCOUNT, rows::fold(&policy.name)), policy)?;
        }
        rows::ROLES.put(tx, &(ACCOUNT, &*name), &role)?;
        rows::ENTITIES.put(tx, &*role.id, &entity)?;
        rows::ACCESS_KEYS.put(tx, "AKIAROOT", &key)?;
        rows::changed(tx)
    });
    written.context("the engine in memory writes")
}

fn role(policies: usize) -> Principal {
    let name = format!("worker{policies}");
    Principal {
        account: ACCOUNT.to_owned(),
        arn: format!("arn:aws:sts::{ACCOUNT}:assumed-role/{name}/s1"),
        id: format!("AROA{name}:s1"),
        access_key_id: Some("ASIAX".to_owned()),
        session: Some(Box::default()),
        kind: PrincipalKind::Role {
            role_arn: format!("arn:aws:iam::{ACCOUNT}:role/{name}"),
            name,
            session: "s1".to_owned(),
        },
    }
}

fn request(principal: Principal, now: Timestamp) -> Request {
    Request {
        id: String::new(),
        service: "s3",
        operation: "GetObject",
        account: ACCOUNT.to_owned(),
        principal: principal.into(),
        region: "us-east-1".to_owned(),
        now,
        endpoint: Endpoint { tls: false, authority: "".into() },
        source_ip: Some([127, 0, 0, 1].into()),
        user_agent: "speed".to_owned(),
        source: None,
        referer: String::new(),
        signature: None,
        tls_version: None,
        ways: Vec::new(),
        via: Vec::new(),
    }
}
