//! Each of AWS's global condition keys that calls have here: it holds with its value, and with no other.

use fogbank_core::policy::{Document, Kind};
use fogbank_core::{Principal, PrincipalKind, Request, ResourcePolicy, Session};

use super::{ACCOUNT, House, NOW, on, request};
use crate::organizations::{ACCOUNTS, Account, ORGANIZATIONS, Organization, UNITS, Unit};
use crate::rows;

const QUEUE: &str = "arn:aws:sqs:eu-west-1:000000000000:jobs";
const ORGANIZATION: &str = "o-a1b2c3d4e5";
const PATH: &str = "o-a1b2c3d4e5/r-ab12/ou-ab12-c3d4e5f6/";

/// A session of a role that an identity provider vouched for, with a second factor.
fn worker() -> Principal {
    let session = Session {
        tags: vec![("Team".to_owned(), "blue".to_owned())],
        mfa: true,
        issued_secs: NOW.secs() - 60,
        source_identity: Some("ann".to_owned()),
        keys: vec![
            ("aws:FederatedProvider".to_owned(), vec!["arn:provider".to_owned()]),
            ("lambda:SourceFunctionArn".to_owned(), vec!["arn:function".to_owned()]),
        ],
        ..Session::default()
    };
    Principal {
        kind: PrincipalKind::Role {
            name: "worker".to_owned(),
            role_arn: "arn:aws:iam::000000000000:role/app/worker".to_owned(),
            session: "s1".to_owned(),
        },
        account: ACCOUNT.to_owned(),
        arn: "arn:aws:sts::000000000000:assumed-role/worker/s1".to_owned(),
        id: "AROAWORKERWORKERWORK:s1".to_owned(),
        access_key_id: None,
        session: Some(Box::new(session)),
    }
}

/// An organization with the account in a unit of it.
fn organize(house: &House) {
    let unit = |parent: &str| Unit {
        name: "unit".to_owned(),
        parent: parent.to_owned(),
        tags: Vec::new(),
    };
    let account = Account {
        organization: ORGANIZATION.to_owned(),
        parent: "ou-ab12-c3d4e5f6".to_owned(),
        name: "one".to_owned(),
        email: "one@example.org".to_owned(),
        closed: false,
        invited: false,
        joined_secs: NOW.secs(),
        tags: Vec::new(),
    };
    let organization = Organization {
        management: ACCOUNT.to_owned(),
        root: "r-ab12".to_owned(),
        policy_types: Vec::new(),
        services: Vec::new(),
    };
    house.write(|tx| {
        ORGANIZATIONS.put(tx, ORGANIZATION, &organization)?;
        UNITS.put(tx, &(ORGANIZATION, "r-ab12"), &unit(""))?;
        UNITS.put(tx, &(ORGANIZATION, "ou-ab12-c3d4e5f6"), &unit("r-ab12"))?;
        ACCOUNTS.put(tx, ACCOUNT, &account)?;
        rows::changed(tx)
    });
}

/// Whether a policy of the queue that allows everybody under a condition allows this call.
fn holds(house: &House, request: &Request, (operator, key, value): (&str, &str, &str)) -> bool {
    let text = format!(
        r#"{{"Version":"2012-10-17","Statement":{{"Effect":"Allow","Principal":"*","Action":"sqs:*","Resource":"*","Condition":{{"{operator}":{{"{key}":"{value}"}}}}}}}}"#
    );
    let document = Document::parse(&text, Kind::Resource).expect("a policy").into();
    let policy = ResourcePolicy::new(ACCOUNT, Some(document));
    let mut check = on(QUEUE);
    check.context.push(("aws:RequestTag/Team".into(), vec!["blue".to_owned()]));
    check.context.push(("aws:TagKeys".into(), vec!["Team".to_owned()]));
    let tags = |_| Ok(vec![("Owner".to_owned(), "ann".to_owned())]);
    let outcome = house.cloud.db().read(|rows| {
        let shared = request.clone().into();
        let action = "sqs:SendMessage";
        house.directory.authorise(rows, &shared, action, &check, Some(&policy), Some(&tags))
    });
    outcome.is_ok()
}

/// What a session's call has.
const OF_A_SESSION: &[(&str, &str, &str)] = &[
    ("ArnEquals", "aws:PrincipalArn", "arn:aws:iam::000000000000:role/app/worker"),
    ("StringEquals", "aws:PrincipalAccount", ACCOUNT),
    ("StringEquals", "aws:PrincipalOrgID", ORGANIZATION),
    ("ForAnyValue:StringLike", "aws:PrincipalOrgPaths", PATH),
    ("StringEquals", "aws:PrincipalTag/Team", "blue"),
    ("StringEquals", "aws:PrincipalType", "AssumedRole"),
    ("Bool", "aws:PrincipalIsAWSService", "false"),
    ("StringEquals", "aws:userid", "AROAWORKERWORKERWORK:s1"),
    ("StringEquals", "aws:FederatedProvider", "arn:provider"),
    ("StringEquals", "lambda:SourceFunctionArn", "arn:function"),
    ("DateEquals", "aws:TokenIssueTime", "2025-12-31T23:59:00Z"),
    ("NumericEquals", "aws:MultiFactorAuthAge", "60"),
    ("Bool", "aws:MultiFactorAuthPresent", "true"),
    ("StringEquals", "aws:SourceIdentity", "ann"),
    ("IpAddress", "aws:SourceIp", "203.0.113.7/32"),
    ("StringEquals", "aws:ResourceAccount", ACCOUNT),
    ("StringEquals", "aws:ResourceOrgID", ORGANIZATION),
    ("ForAnyValue:StringLike", "aws:ResourceOrgPaths", PATH),
    ("StringEquals", "aws:ResourceTag/Owner", "ann"),
    ("DateEquals", "aws:CurrentTime", "2026-01-01T00:00:00Z"),
    ("NumericEquals", "aws:EpochTime", "1767225600"),
    ("StringEquals", "aws:referer", "https://example.org/"),
    ("StringEquals", "aws:RequestedRegion", "eu-west-1"),
    ("StringEquals", "aws:RequestTag/Team", "blue"),
    ("ForAllValues:StringEquals", "aws:TagKeys", "Team"),
    ("Bool", "aws:SecureTransport", "false"),
    ("StringEquals", "aws:UserAgent", "aws-cli/2"),
    ("ForAnyValue:StringEquals", "aws:CalledVia", "athena.amazonaws.com"),
    ("StringEquals", "aws:CalledViaFirst", "cloudformation.amazonaws.com"),
    ("StringEquals", "aws:CalledViaLast", "athena.amazonaws.com"),
    ("Bool", "aws:ViaAWSService", "true"),
];

/// What a call of a service has.
const OF_A_SERVICE: &[(&str, &str, &str)] = &[
    ("Bool", "aws:PrincipalIsAWSService", "true"),
    ("StringEquals", "aws:PrincipalServiceName", "s3.amazonaws.com"),
    ("ForAnyValue:StringEquals", "aws:PrincipalServiceNamesList", "s3.amazonaws.com"),
    ("ArnEquals", "aws:SourceArn", "arn:aws:s3:::photos"),
    ("StringEquals", "aws:SourceAccount", ACCOUNT),
    ("StringEquals", "aws:SourceOrgID", ORGANIZATION),
    ("ForAnyValue:StringLike", "aws:SourceOrgPaths", PATH),
    ("Bool", "aws:ViaAWSService", "false"),
];

/// Another value of the operator's kind.
fn other(operator: &str, value: &str) -> String {
    match operator {
        "Bool" => (if value == "true" { "false" } else { "true" }).to_owned(),
        "NumericEquals" => format!("{value}1"),
        "IpAddress" => "198.51.100.0/24".to_owned(),
        "DateEquals" => "2027-01-01T00:00:00Z".to_owned(),
        "ArnEquals" => "arn:aws:iam::000000000000:role/other".to_owned(),
        _ => format!("{value}-other"),
    }
}

fn check(house: &House, request: &Request, table: &[(&str, &str, &str)], absent: &[&str]) {
    for &(operator, key, value) in table {
        assert!(holds(house, request, (operator, key, value)), "{key} is {value}");
        let another = other(operator, value);
        assert!(!holds(house, request, (operator, key, &another)), "{key} is not {another}");
        assert!(!holds(house, request, ("Null", key, "true")), "{key} is there");
    }
    for key in absent {
        assert!(holds(house, request, ("Null", key, "true")), "{key} is absent");
    }
}

#[test]
fn calls_of_sessions_have_their_keys() {
    let house = House::dev();
    organize(&house);
    let mut request = request(worker());
    request.referer = "https://example.org/".to_owned();
    request.via =
        vec!["cloudformation.amazonaws.com".to_owned(), "athena.amazonaws.com".to_owned()];
    let absent = [
        "aws:username",
        "aws:PrincipalServiceName",
        "aws:PrincipalServiceNamesList",
        "aws:AssumedRoot",
        "aws:SourceArn",
        "aws:SourceAccount",
        "aws:SourceOrgID",
        "aws:SourceVpc",
        "aws:SourceVpce",
        "aws:VpcSourceIp",
    ];
    check(&house, &request, OF_A_SESSION, &absent);
}

#[test]
fn calls_of_services_have_their_keys() {
    let house = House::dev();
    organize(&house);
    let mut request = request(Principal::service("s3.amazonaws.com"));
    request.source_ip = None;
    request.source = Some(("arn:aws:s3:::photos".to_owned(), ACCOUNT.to_owned()));
    let absent = [
        "aws:PrincipalArn",
        "aws:PrincipalAccount",
        "aws:PrincipalOrgID",
        "aws:PrincipalType",
        "aws:userid",
        "aws:username",
        "aws:SourceIp",
        "aws:TokenIssueTime",
        "aws:MultiFactorAuthPresent",
        "aws:CalledVia",
    ];
    check(&house, &request, OF_A_SERVICE, &absent);
}

#[test]
fn calls_of_users_and_of_nobody_have_their_keys() {
    let house = House::dev();
    let ann = house.user("ann", &[]).principal(ACCOUNT);
    let of_a_user = [
        ("StringEquals", "aws:username", "ann"),
        ("StringEquals", "aws:PrincipalType", "User"),
        ("StringEquals", "aws:PrincipalTag/Team", "blue"),
        ("Bool", "aws:ViaAWSService", "false"),
    ];
    let absent = [
        "aws:TokenIssueTime",
        "aws:MultiFactorAuthPresent",
        "aws:MultiFactorAuthAge",
        "aws:SourceIdentity",
        "aws:PrincipalOrgID",
        "aws:PrincipalOrgPaths",
        "aws:ResourceOrgID",
        "aws:referer",
        "aws:CalledVia",
        "aws:PrincipalTag/Other",
    ];
    check(&house, &request(ann), &of_a_user, &absent);
    let of_nobody = [("StringEquals", "aws:PrincipalType", "Anonymous")];
    let absent = ["aws:PrincipalArn", "aws:PrincipalAccount", "aws:userid", "aws:username"];
    check(&house, &request(Principal::anonymous()), &of_nobody, &absent);
    let mut root = Principal::root(ACCOUNT);
    root.session = Some(Box::new(Session {
        keys: vec![("aws:AssumedRoot".to_owned(), vec!["true".to_owned()])],
        ..Session::default()
    }));
    let of_root =
        [("Bool", "aws:AssumedRoot", "true"), ("StringEquals", "aws:PrincipalType", "Account")];
    // Else the root may whatever it wants in its own account.
    let mut foreign = request(root);
    std::sync::Arc::make_mut(&mut foreign.principal).account = "111122223333".to_owned();
    check(&house, &foreign, &of_root, &["aws:username"]);
}
