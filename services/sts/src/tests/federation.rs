//! Roles of web identities and of SAML, federated users, and second factors.

use fogbank_core::Principal;
use fogbank_identity::{rows, totp};
use fogbank_testkit::{ACCOUNT, Value, World, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::credentials::{Key, send};
use super::roles::{may, with};
use super::{ROLE, allow, asked, assume, document, good, role, session, user, world};

const OIDC: &str = include_str!("../../../../crates/federation/src/tests/token.json");
const RESPONSE: &str = include_str!("../../../../crates/federation/src/tests/assertion_signed.xml");
const CERTIFICATE: &str = include_str!("../../../../crates/federation/src/tests/provider.pem");

/// What the anonymous are answered: the output, or the error's name and message.
async fn anonymous(world: &World, operation: &str, input: Value) -> Result<Value, String> {
    let outcome = world.call_as(Principal::anonymous(), &format!("sts:{operation}"), input).await;
    outcome.map_err(|fault| fault.to_string())
}

fn federated(provider: &str, action: &str, condition: Value) -> Value {
    json!({
        "Effect": "Allow", "Principal": {"Federated": provider}, "Action": action, "Condition": condition,
    })
}

/// A provider on this machine that answers every path with what `answer` makes of it.
async fn issuer(answer: impl Fn(&str, &str) -> String + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let url = format!("http://{}", listener.local_addr().expect("an address"));
    let own = url.clone();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let mut head = vec![0; 4096];
            let length = stream.read(&mut head).await.unwrap_or_default();
            let head = String::from_utf8_lossy(&head[..length]).into_owned();
            let path = head.split(' ').nth(1).unwrap_or_default();
            let body = answer(&own, path);
            let answer = format!(
                "HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{body}",
                body.len()
            );
            let _ = stream.write_all(answer.as_bytes()).await;
        }
    });
    url
}

#[tokio::test]
async fn tokens_of_unknown_or_silent_providers_are_refused() {
    let world = world();
    let fixture: Value = serde_json::from_str(OIDC).expect("JSON");
    let input =
        |token: &str| json!({"RoleArn": ROLE, "RoleSessionName": "s1", "WebIdentityToken": token});
    let token = fixture["token"].as_str().expect("a token");
    let assume = |token: &str| {
        let input = input(token);
        let world = &world;
        async move { anonymous(world, "AssumeRoleWithWebIdentity", input).await }
    };
    let unknown = assume(token).await.expect_err("no provider");
    assert_eq!(
        unknown,
        "InvalidIdentityTokenException: No OpenIDConnect provider found in your account for \
         https://idp.example.com"
    );
    let nonsense = assume("not-a-token").await.expect_err("no token");
    assert!(nonsense.contains("is not a valid JWT"), "{nonsense}");
    let url = issuer(|own, path| match path {
        "/.well-known/openid-configuration" => {
            json!({"issuer": own, "jwks_uri": format!("{own}/keys")}).to_string()
        }
        _ => json!({"keys": []}).to_string(),
    })
    .await;
    let create = json!({"Url": url, "ClientIDList": ["me"]});
    good(&world, "iam:CreateOpenIDConnectProvider", create).await;
    let unsigned = |claims: Value| {
        use base64::Engine as _;
        use base64::engine::general_purpose::URL_SAFE_NO_PAD as B64;
        let header = B64.encode(json!({"alg": "none"}).to_string());
        format!("{header}.{}.", B64.encode(claims.to_string()))
    };
    let forged = unsigned(
        json!({"iss": url, "sub": "ann", "aud": "me", "exp": 1_767_229_200, "iat": 1_767_225_600}),
    );
    let refused = assume(&forged).await.expect_err("nobody signed it");
    assert_eq!(refused, "InvalidIdentityTokenException: The signature of the token is not valid.");
}

#[tokio::test]
async fn a_response_of_saml_gives_a_session() {
    let world = world();
    let body: String = CERTIFICATE.lines().filter(|line| !line.starts_with("-----")).collect();
    let metadata = format!(
        "<EntityDescriptor xmlns=\"urn:oasis:names:tc:SAML:2.0:metadata\" entityID=\"https://idp.example.com\">\
         <IDPSSODescriptor><KeyDescriptor><KeyInfo xmlns=\"http://www.w3.org/2000/09/xmldsig#\"><X509Data>\
         <X509Certificate>{body}</X509Certificate></X509Data></KeyInfo></KeyDescriptor></IDPSSODescriptor>{}\
         </EntityDescriptor>",
        " ".repeat(1000)
    );
    let create = json!({"Name": "corp", "SAMLMetadataDocument": metadata});
    let provider = good(&world, "iam:CreateSAMLProvider", create).await["SAMLProviderArn"].clone();
    let provider = provider.as_str().expect("an ARN");
    let condition = json!({"StringEquals": {"saml:aud": "https://signin.aws.amazon.com/saml"}});
    let mut statement = allow("iam:ListUsers", "*");
    statement["Condition"] =
        json!({"StringEquals": {"saml:doc": "000000000000/corp", "aws:PrincipalTag/team": "blue"}});
    role(&world, "r", federated(provider, "sts:AssumeRoleWithSAML", condition.clone()), statement)
        .await;
    let encoded = {
        use base64::Engine as _;
        base64::engine::general_purpose::STANDARD.encode(RESPONSE)
    };
    let input = json!({"RoleArn": ROLE, "PrincipalArn": provider, "SAMLAssertion": encoded});
    assert_eq!(
        anonymous(&world, "AssumeRoleWithSAML", input.clone()).await,
        Err("AccessDenied: Not authorized to perform sts:TagSession".to_owned())
    );
    let both = json!(["sts:AssumeRoleWithSAML", "sts:TagSession"]);
    let mut trust = federated(provider, "", condition);
    trust["Action"] = both;
    let update = json!({"RoleName": "r", "PolicyDocument": document(&trust)});
    good(&world, "iam:UpdateAssumeRolePolicy", update).await;
    let output = anonymous(&world, "AssumeRoleWithSAML", input.clone()).await.expect("proven");
    assert_eq!(output["Issuer"], "https://idp.example.com");
    assert_eq!(output["SubjectType"], "persistent");
    assert_eq!(output["AssumedRoleUser"]["Arn"], "arn:aws:sts::000000000000:assumed-role/r/ann");
    // The session's own keys count in the policies of the role, through the credentials on the wire.
    let key = Key::of(&output["Credentials"]);
    let (status, body) = send(&world, &key, "iam", "Action=ListUsers&Version=2010-05-08").await;
    assert_eq!(status, 200, "{body}");
    let mut other = input.clone();
    other["RoleArn"] = json!("arn:aws:iam::000000000000:role/other");
    let refused = anonymous(&world, "AssumeRoleWithSAML", other).await.expect_err("another role");
    assert!(refused.contains("doesn't contain the requested Role"), "{refused}");
    world.clock().advance(301_000);
    assert_eq!(
        anonymous(&world, "AssumeRoleWithSAML", input).await,
        Err("ExpiredTokenException: Token must be redeemed within 5 minutes of issuance".to_owned())
    );
}

#[tokio::test]
async fn federated_users_may_what_both_sides_allow() {
    let world = world();
    let both =
        json!([allow("sts:GetFederationToken", "*"), allow("iam:*", "*"), allow("sts:*", "*")]);
    let ann = user(&world, "ann", both).await;
    let ask = |input| world.call_as(ann.clone(), "sts:GetFederationToken", input);
    let output = ask(json!({"Name": "guest", "Policy": document(&allow("iam:ListUsers", "*"))}));
    let output = output.await.expect("allowed");
    assert_eq!(
        output["FederatedUser"],
        json!({"FederatedUserId": "000000000000:guest", "Arn": "arn:aws:sts::000000000000:federated-user/guest"})
    );
    assert_eq!(output["Credentials"]["Expiration"], 1_767_225_600 + 43_200);
    let key = Key::of(&output["Credentials"]);
    let (status, body) =
        send(&world, &key, "sts", "Action=GetCallerIdentity&Version=2011-06-15").await;
    assert!(status == 200 && body.contains("federated-user/guest"), "{body}");
    let (status, body) = send(&world, &key, "iam", "Action=ListUsers&Version=2010-05-08").await;
    assert!(status == 403 && body.contains("InvalidClientTokenId"), "{body}");
    let guest = session(&world, &output);
    for (operation, input) in [
        ("sts:GetFederationToken", json!({"Name": "again"})),
        ("sts:GetSessionToken", json!({})),
        ("sts:GetAccessKeyInfo", json!({"AccessKeyId": "AKIAIOSFODNN7EXAMPLE"})),
        ("sts:AssumeRole", asked()),
    ] {
        let refused = world.call_as(guest.clone(), operation, input).await.expect_err(operation);
        assert_eq!(refused.name(), "AccessDenied", "{operation}");
    }
    let bob = user(&world, "bob", allow("s3:*", "*")).await;
    let refused = world.call_as(bob, "sts:GetFederationToken", json!({"Name": "guest"})).await;
    assert_eq!(
        refused.expect_err("no permission").message(),
        "User: arn:aws:iam::000000000000:user/bob is not authorized to perform: sts:GetFederationToken on \
         resource: arn:aws:sts::000000000000:federated-user/guest because no identity-based policy allows the \
         sts:GetFederationToken action"
    );
}

/// Gives a user a device, and says how its codes are made.
async fn device(world: &World, name: &str) -> (String, Vec<u8>) {
    let made =
        good(world, "iam:CreateVirtualMFADevice", json!({"VirtualMFADeviceName": name})).await;
    let serial = made["VirtualMFADevice"]["SerialNumber"].as_str().expect("text").to_owned();
    let key = (ACCOUNT.to_owned(), name.to_owned());
    let row = world.cloud().db().read(|tx| rows::MFA_DEVICES.get(tx, &key));
    let seed = row.expect("read").expect("a device").seed;
    let place = rows::MfaDevice::place(ACCOUNT, name);
    let seed = seed.open(world.cloud(), &place).expect("it opens").to_vec();
    let step = totp::step(world.clock().now().secs());
    let input = json!({
        "UserName": name, "SerialNumber": serial, "AuthenticationCode1": totp::code(&seed, step - 1),
        "AuthenticationCode2": totp::code(&seed, step),
    });
    good(world, "iam:EnableMFADevice", input).await;
    (serial, seed)
}

#[tokio::test]
async fn a_second_factor_opens_what_asks_for_it() {
    let world = world();
    let mut statement = allow("iam:ListUsers", "*");
    statement["Condition"] = json!({
        "Bool": {"aws:MultiFactorAuthPresent": "true"}, "NumericLessThan": {"aws:MultiFactorAuthAge": "300"},
    });
    let ann = user(&world, "ann", statement).await;
    let (serial, seed) = device(&world, "ann").await;
    let code = |world: &World| totp::code(&seed, totp::step(world.clock().now().secs()));
    let ask = |input| world.call_as(ann.clone(), "sts:GetSessionToken", input);
    let used = ask(json!({"SerialNumber": serial, "TokenCode": code(&world)})).await;
    assert_eq!(
        used.expect_err("it enabled the device").message(),
        "MultiFactorAuthentication failed with invalid MFA one time pass code. "
    );
    world.clock().advance(60_000);
    assert!(!may(&world, &ann, "iam:ListUsers", json!({})).await);
    let good_code = json!({"SerialNumber": serial, "TokenCode": code(&world)});
    let output = ask(good_code.clone()).await.expect("the right code");
    assert!(ask(good_code).await.is_err(), "no code is taken twice");
    let key = Key::of(&output["Credentials"]);
    let (status, body) = send(&world, &key, "iam", "Action=ListUsers&Version=2010-05-08").await;
    assert_eq!(status, 200, "{body}");
    world.clock().advance(301_000);
    let (status, _) = send(&world, &key, "iam", "Action=ListUsers&Version=2010-05-08").await;
    assert_eq!(status, 403, "the factor is too old");
    let half = ask(json!({"SerialNumber": serial})).await.expect_err("no code");
    assert!(half.message().contains("must provide both"), "{half}");
    let other = json!({"SerialNumber": "arn:aws:iam::000000000000:mfa/x", "TokenCode": "123456"});
    let other = ask(other).await.expect_err("not hers");
    assert!(other.message().contains("unable to validate MFA code"), "{other}");

    let mut trust =
        json!({"Effect": "Allow", "Principal": {"AWS": ann.arn}, "Action": "sts:AssumeRole"});
    trust["Condition"] = json!({"Bool": {"aws:MultiFactorAuthPresent": "true"}});
    role(&world, "r", trust, allow("s3:*", "*")).await;
    assert!(assume(&world, &ann, asked()).await.is_err(), "without a factor");
    let factor = with(with(asked(), "SerialNumber", serial.clone()), "TokenCode", code(&world));
    assert!(assume(&world, &ann, factor.clone()).await.is_ok());
    assert!(assume(&world, &ann, factor).await.is_err(), "no code is taken twice");
}
