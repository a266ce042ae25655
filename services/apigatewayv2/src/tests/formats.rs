//! The bytes of every row: whoever changes one must raise its version and read the old form.

use std::collections::BTreeMap;

use fogbank_testkit::{check_row, expect};

use crate::store::{Api, Cors, Deployment, Integration, Route, Stage};

fn integration() -> Integration {
    Integration {
        integration_type: "AWS_PROXY".into(),
        uri: "arn:f".into(),
        method: Some("POST".into()),
        payload_format_version: "2.0".into(),
        timeout_millis: 30_000,
        description: None,
        managed: true,
    }
}

fn route() -> Route {
    Route {
        route_key: "GET /".into(),
        target: Some("integrations/i".into()),
        operation_name: None,
        managed: false,
    }
}

#[test]
fn apis() {
    let api = Api {
        account: "000000000000".into(),
        region: "us-east-1".into(),
        name: "n".into(),
        description: Some("d".into()),
        version: None,
        cors: Some(Cors {
            allow_credentials: Some(true),
            allow_origins: Some(vec!["*".into()]),
            max_age_secs: Some(300),
            ..Cors::default()
        }),
        disable_execute_api_endpoint: false,
        created_millis: 1_767_225_600_000,
        tags: BTreeMap::from([("t".into(), "v".into())]),
    };
    check_row(
        &api,
        expect![[r#"
        010c3030303030303030303030300975732d656173742d31016e0101640001010100000101012a0001d8040080a0d5ed
        ee660101740176"#]],
    );
}

#[test]
fn routes_and_integrations() {
    check_row(
        &integration(),
        expect!["01094157535f50524f58590561726e3a660104504f535403322e30e0d4030001"],
    );
    check_row(&route(), expect!["0105474554202f010e696e746567726174696f6e732f690000"]);
}

#[test]
fn stages_and_deployments() {
    let stage = Stage {
        description: Some("d".into()),
        auto_deploy: true,
        deployment_id: Some("x".into()),
        variables: BTreeMap::from([("a".into(), "1".into())]),
        created_millis: 1_767_225_600_000,
        updated_millis: 1_767_225_600_001,
        tags: BTreeMap::new(),
        managed: true,
    };
    check_row(&stage, expect!["0101016401010178010161013180a0d5edee6682a0d5edee660001"]);
    let deployment = Deployment {
        description: None,
        created_millis: 1_767_225_600_000,
        auto_deployed: true,
        routes: BTreeMap::from([("r".into(), route())]),
        integrations: BTreeMap::from([("i".into(), integration())]),
    };
    check_row(
        &deployment,
        expect![[r#"
        010080a0d5edee660101017205474554202f010e696e746567726174696f6e732f690000010169094157535f50524f58
        590561726e3a660104504f535403322e30e0d4030001"#]],
    );
}
