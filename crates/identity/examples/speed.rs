//! How long a look-up and a decision take, printed in nanoseconds: `cargo run --release --example speed -p fogbank-identity`.

#![allow(clippy::print_stdout)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::Instant;

use fogbank_core::store::Db;
use fogbank_core::{
    Check, Clock, Cloud, Cx, Endpoint, Ids, Principal, PrincipalKind, Request, Settings, Timestamp,
    WriteTx,
};
use fogbank_identity::rows::{self, AccessKey, Entity, Grants, Kind, Role};
use fogbank_identity::{Directory, Mode};

const ACCOUNT: &str = "000000000000";
const ROUNDS: u32 = 200_000;
const TABLE: &str = "arn:aws:dynamodb:us-east-1:000000000000:table/photos";

fn main() {
    let settings = Settings {
        account: ACCOUNT.to_owned(),
        region: "us-east-1".to_owned(),
        data_dir: std::path::PathBuf::new(),
        local_authority: String::new(),
        has_legacy_buckets: false,
    };
    let now = Timestamp::from_secs(1_767_225_600);
    let cloud = Cloud::new(Db::memory(), Clock::frozen(now), Ids::seeded(1), settings);
    fill(&cloud);
    for is_connected in [true, false] {
        let directory = Directory::new(Mode::Server, ACCOUNT);
        if is_connected {
            directory.connect(&cloud);
        }
        println!("connected: {is_connected}");
        let role = Arc::new(request(role(), now));
        let root = Arc::new(request(Principal::root(ACCOUNT), now));
        let check = Check { resource: TABLE.to_owned(), ..Check::default() };
        let rows = cloud.db().snapshot();
        time("a role with 5 policies", || {
            directory.authorise(&rows, &role, "dynamodb:GetItem", &check, None, None).is_ok()
        });
        time("the root", || {
            directory.authorise(&rows, &root, "dynamodb:GetItem", &check, None, None).is_ok()
        });
        time("a key", || directory.credential(&rows, "AKIAROOT", None, now).is_ok());
    }
}

fn time(what: &str, mut run: impl FnMut() -> bool) {
    assert!(run(), "{what}");
    let begun = Instant::now();
    for _ in 0..ROUNDS {
        black_box(run());
    }
    println!("  {what}: {} ns", begun.elapsed().as_nanos() / u128::from(ROUNDS));
}

fn fill(cloud: &Cloud) {
    let names = [
        "service-role/AWSLambdaBasicExecutionRole",
        "AmazonS3ReadOnlyAccess",
        "AmazonSQSFullAccess",
        "AmazonRekognitionReadOnlyAccess",
        "AmazonDynamoDBFullAccess",
    ];
    let attached = names.iter().map(|name| format!("arn:aws:iam::aws:policy/{name}")).collect();
    let role = Role {
        name: "worker".to_owned(),
        path: "/".to_owned(),
        id: "AROAWORKER".to_owned(),
        created_secs: 0,
        description: None,
        trust: String::new(),
        trusted: Vec::new(),
        max_session_secs: 3600,
        tags: Vec::new(),
        grants: Grants { attached, ..Grants::default() },
    };
    let key = AccessKey {
        account: ACCOUNT.to_owned(),
        user_id: None,
        secret: "secret".to_owned(),
        active: true,
        created_secs: 0,
    };
    let (account, folded) = (ACCOUNT.to_owned(), "worker".to_owned());
    let entity = Entity { account, kind: Kind::Role, folded };
    let cx = Cx::background(cloud.clone(), "iam", "Speed");
    let written = cloud.db().write_blocking(|tx| {
        let tx = &mut WriteTx::new(tx, &cx);
        rows::ROLES.put(tx, &(ACCOUNT, "worker"), &role)?;
        rows::ENTITIES.put(tx, "AROAWORKER", &entity)?;
        rows::ACCESS_KEYS.put(tx, "AKIAROOT", &key)?;
        rows::changed(tx)
    });
    written.expect("the engine in memory writes");
}

fn role() -> Principal {
    Principal {
        kind: PrincipalKind::Role {
            name: "worker".to_owned(),
            role_arn: "arn:aws:iam::000000000000:role/worker".to_owned(),
            session: "s1".to_owned(),
        },
        account: ACCOUNT.to_owned(),
        arn: "arn:aws:sts::000000000000:assumed-role/worker/s1".to_owned(),
        id: "AROAWORKER:s1".to_owned(),
        access_key_id: Some("ASIAX".to_owned()),
        session: Some(Box::default()),
    }
}

fn request(principal: Principal, now: Timestamp) -> Request {
    Request {
        id: String::new(),
        service: "dynamodb",
        operation: "GetItem",
        account: ACCOUNT.to_owned(),
        principal,
        region: "us-east-1".to_owned(),
        now,
        endpoint: Endpoint { tls: false, authority: String::new() },
        source_ip: Some([127, 0, 0, 1].into()),
        user_agent: "speed".to_owned(),
        source: None,
        referer: String::new(),
        via: Vec::new(),
    }
}
