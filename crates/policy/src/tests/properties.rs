//! What holds for all policies and patterns.

use proptest::prelude::*;
use serde_json::{Value, json};

use super::document;
use crate::context::Facts;
use crate::matching::{Pattern, Syntax};
use crate::*;

/// Matching by definition, one character at a time.
fn naive(pattern: &[char], value: &[char]) -> bool {
    match pattern.split_first() {
        None => value.is_empty(),
        Some(('*', rest)) => (0..=value.len()).any(|skipped| naive(rest, &value[skipped..])),
        Some(('?', rest)) => !value.is_empty() && naive(rest, &value[1..]),
        Some((c, rest)) => value.first() == Some(c) && naive(rest, &value[1..]),
    }
}

fn action() -> impl Strategy<Value = String> {
    prop::sample::select(vec!["*", "s3:*", "s3:Get*", "s3:GetObject", "s3:PutObject", "sqs:*"])
        .prop_map(str::to_owned)
}

fn resource() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        "*",
        "arn:aws:s3:::*",
        "arn:aws:s3:::photos/*",
        "arn:aws:s3:::photos/${aws:username}",
        "arn:aws:s3:::photos/bob",
        "arn:aws:sqs:*:*:jobs",
    ])
    .prop_map(str::to_owned)
}

fn conditions() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!({}),
        json!({"StringEquals": {"aws:username": "bob"}}),
        json!({"StringNotLike": {"aws:username": "b*"}}),
        json!({"Null": {"aws:TagKeys": "true"}}),
        json!({"ForAllValues:StringEquals": {"aws:TagKeys": ["a"]}}),
        json!({"NumericLessThanIfExists": {"k:n": 5}}),
    ])
}

fn principals() -> impl Strategy<Value = Value> {
    prop::sample::select(vec![
        json!("*"),
        json!({"AWS": "111122223333"}),
        json!({"AWS": "arn:aws:iam::111122223333:user/bob"}),
        json!({"AWS": "arn:aws:iam::444455556666:role/r"}),
        json!({"Service": "sns.amazonaws.com"}),
    ])
}

fn statement() -> impl Strategy<Value = Value> {
    let parts = (any::<bool>(), any::<bool>(), action(), any::<bool>(), resource(), conditions());
    parts.prop_map(|(allow, plain_action, action, plain_resource, resource, conditions)| {
        let mut statement = json!({
            "Effect": if allow { "Allow" } else { "Deny" },
            "Condition": conditions,
        });
        statement[if plain_action { "Action" } else { "NotAction" }] = action.into();
        statement[if plain_resource { "Resource" } else { "NotResource" }] = resource.into();
        statement
    })
}

fn statements() -> impl Strategy<Value = Vec<Value>> {
    prop::collection::vec(statement(), 1..4)
}

/// A whole situation: who calls, on what, under which policies.
#[derive(Debug, Clone)]
struct Situation {
    caller: Caller,
    owner: String,
    mode: ResourcePolicyMode,
    identity: Option<Vec<Value>>,
    boundary: Option<Vec<Value>>,
    session: Option<Vec<Value>>,
    policy: Option<(Vec<Value>, Value)>,
    scp: Option<Vec<Value>>,
}

fn situation() -> impl Strategy<Value = Situation> {
    let role = Caller::assumed_role(
        "444455556666",
        "arn:aws:iam::444455556666:role/r",
        "arn:aws:sts::444455556666:assumed-role/r/s",
        "AROAROLEROLEROLEROLE:s",
    );
    let callers = vec![
        Caller::user("111122223333", "arn:aws:iam::111122223333:user/bob", "AIDABOB"),
        Caller::root("111122223333"),
        role,
        Caller::service("sns.amazonaws.com"),
        Caller::anonymous(),
    ];
    let modes =
        vec![ResourcePolicyMode::Ordinary, ResourcePolicyMode::Trust, ResourcePolicyMode::KmsKey];
    let owners = vec!["111122223333".to_owned(), "444455556666".to_owned()];
    let maybe = || prop::option::of(statements());
    (
        prop::sample::select(callers),
        prop::sample::select(owners),
        prop::sample::select(modes),
        (maybe(), maybe(), maybe(), maybe()),
        prop::option::of((statements(), principals())),
    )
        .prop_map(|(caller, owner, mode, (identity, boundary, session, scp), policy)| {
            Situation { caller, owner, mode, identity, boundary, session, policy, scp }
        })
}

impl Situation {
    fn is_allowed(&self) -> bool {
        let compile = |statements: &Option<Vec<Value>>, kind| {
            let statements = statements.as_ref()?;
            Some(document(&Value::from(statements.clone()), kind))
        };
        let identity = compile(&self.identity, Kind::Identity);
        let boundary = compile(&self.boundary, Kind::Boundary);
        let session = compile(&self.session, Kind::Session);
        let scp = compile(&self.scp, Kind::ServiceControl);
        let policy = self.policy.as_ref().map(|(statements, principal)| {
            let mut statements = statements.clone();
            statements.iter_mut().for_each(|s| s["Principal"] = principal.clone());
            document(&Value::from(statements), Kind::Resource)
        });
        fn attach<'a>(document: &'a Option<Document>, source: &'a str) -> Option<Attached<'a>> {
            document.as_ref().map(|document| Attached { source, document })
        }
        let (identity, session) = (attach(&identity, "identity"), attach(&session, "session"));
        let scp = attach(&scp, "scp");
        let levels = [scp.as_slice()];
        let policies = Policies {
            identity: identity.as_slice(),
            boundary: attach(&boundary, "boundary"),
            session: session.as_slice(),
            resource: Some(ResourceSide {
                owner: &self.owner,
                policy: attach(&policy, "policy"),
                grants: &[],
            }),
            scps: if scp.is_some() { &levels } else { &[] },
            rcps: &[],
            mode: self.mode,
        };
        let call = Call {
            action: "s3:GetObject",
            resource: "arn:aws:s3:::photos/bob",
            principal: &self.caller,
            context: &(),
        };
        evaluate(&call, &policies).is_allowed()
    }
}

fn with(list: &Option<Vec<Value>>, statement: Value) -> Option<Vec<Value>> {
    let mut list = list.clone().unwrap_or_default();
    list.push(statement);
    Some(list)
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(512))]

    #[test]
    fn patterns_match_as_defined(pattern in "[ab*?/:ö]{0,8}", value in "[ab/:ö*?]{0,10}") {
        let syntax = Syntax { wildcards: true, variables: true, fold: false };
        let compiled = Pattern::compile(&pattern, syntax);
        let caller = Caller::anonymous();
        let call = Call { action: "a:b", resource: "*", principal: &caller, context: &() };
        let facts = Facts::new(&call, None);
        let (left, right): (Vec<char>, Vec<char>) =
            (pattern.chars().collect(), value.chars().collect());
        prop_assert_eq!(compiled.matches(value.as_bytes(), &facts), naive(&left, &right));
        prop_assert_eq!(compiled.text(), pattern);
    }

    #[test]
    fn a_variable_equals_its_value(before in "[a*?]{0,4}", value in "[ab*?${}]{0,6}", after in "[a*?]{0,4}") {
        let mut context = ContextMap::new();
        context.set("K:V", value.as_str());
        let caller = Caller::anonymous();
        let call = Call { action: "a:b", resource: "*", principal: &caller, context: &context };
        let facts = Facts::new(&call, None);
        let syntax = Syntax { wildcards: false, variables: true, fold: false };
        let compiled = Pattern::compile(&format!("{before}${{k:v}}{after}"), syntax);
        let whole = format!("{before}{value}{after}");
        prop_assert!(compiled.matches(whole.as_bytes(), &facts));
        let longer = format!("{whole}!");
        prop_assert!(!compiled.matches(longer.as_bytes(), &facts));
    }

    #[test]
    fn another_deny_never_allows(situation in situation(), deny in statement(), layer in 0..5) {
        let mut deny = deny;
        deny["Effect"] = "Deny".into();
        let mut more = situation.clone();
        // A layer that is not in use stays unused: adding the first policy of a limiting layer is another matter.
        match layer {
            0 => more.identity = with(&more.identity, deny),
            1 if more.boundary.is_some() => more.boundary = with(&more.boundary, deny),
            2 if more.session.is_some() => more.session = with(&more.session, deny),
            3 if more.scp.is_some() => more.scp = with(&more.scp, deny),
            _ => if let Some((statements, _)) = &mut more.policy { statements.push(deny) },
        }
        prop_assert!(situation.is_allowed() || !more.is_allowed());
    }

    #[test]
    fn another_allow_never_denies(situation in situation(), allow in statement(), layer in 0..5) {
        let mut allow = allow;
        allow["Effect"] = "Allow".into();
        let mut more = situation.clone();
        match layer {
            0 => more.identity = with(&more.identity, allow),
            1 if more.boundary.is_some() => more.boundary = with(&more.boundary, allow),
            2 if more.session.is_some() => more.session = with(&more.session, allow),
            3 if more.scp.is_some() => more.scp = with(&more.scp, allow),
            _ => if let Some((statements, _)) = &mut more.policy { statements.push(allow) },
        }
        prop_assert!(!situation.is_allowed() || more.is_allowed());
    }

    #[test]
    fn a_limit_never_allows(situation in situation(), limit in statements()) {
        let bounded = Situation { boundary: Some(limit.clone()), ..situation.clone() };
        let unbounded = Situation { boundary: None, ..situation };
        prop_assert!(unbounded.is_allowed() || !bounded.is_allowed());
    }

    #[test]
    fn any_text_is_parsed_or_refused(text in "\\PC{0,60}") {
        for kind in [Kind::Identity, Kind::Resource, Kind::Trust] {
            let _ = Document::parse(&text, kind);
        }
    }

    #[test]
    fn any_statement_is_parsed_or_refused(
        element in prop::sample::select(vec![
            "Sid", "Effect", "Principal", "NotPrincipal", "Action", "NotAction", "Resource",
            "NotResource", "Condition",
        ]),
        value in prop_oneof![
            "[a-z:*?${}'/0-9-]{0,24}".prop_map(Value::from),
            "arn:[a-z:*?${}/,' -]{0,24}".prop_map(Value::from),
            prop::collection::vec("[a:*ö]{0,6}", 0..3).prop_map(Value::from),
            any::<i64>().prop_map(Value::from),
            Just(json!({"AWS": ["*", "arn:aws:iam::x"]})),
            Just(json!({"StringLike": {"${": ["${a", "${a,'", "${a,''}"]}})),
            "[0-9tz:.+-]{0,20}".prop_map(|date| json!({"DateEquals": {"a": date}})),
            "[0-9a-f:./]{0,20}".prop_map(|range| json!({"IpAddress": {"aws:SourceIp": range}})),
        ],
        given in "[0-9a-ftz:./${}+-]{0,20}",
    ) {
        let mut statement = json!({
            "Effect": "Allow", "Action": "s3:GetObject", "Resource": "*",
        });
        statement[element] = value;
        let json = json!({"Version": "2012-10-17", "Statement": statement}).to_string();
        let mut context = ContextMap::new();
        context.set("a", given.as_str()).set("aws:SourceIp", given.as_str());
        for kind in [Kind::Identity, Kind::Resource, Kind::Trust, Kind::ResourceControl] {
            let Ok(document) = Document::parse(&json, kind) else { continue };
            let attached = [Attached { source: "any", document: &document }];
            let caller = Caller::root("111122223333");
            let call = Call {
                action: &given, resource: &given, principal: &caller, context: &context,
            };
            evaluate(&call, &Policies { identity: &attached, ..Policies::default() });
        }
    }
}
