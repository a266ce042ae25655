//! Passwords, MFA devices, certificates and keys of users.

use fogbank_identity::{rows, totp};
use fogbank_testkit::{ACCOUNT, Value, World, json};

use super::{allow, bad, good, may, user, world};

async fn ann(world: &World) {
    good(world, "CreateUser", json!({"UserName": "ann"})).await;
}

#[tokio::test]
async fn passwords_obey_the_policy() {
    let world = world();
    ann(&world).await;
    let with = |password: &str| json!({"UserName": "ann", "Password": password});
    assert_eq!(
        bad(&world, "CreateLoginProfile", with("short")).await,
        "PasswordPolicyViolationException: Password should have a minimum length of 8"
    );
    assert_eq!(
        bad(&world, "GetLoginProfile", json!({"UserName": "ann"})).await,
        "NoSuchEntityException: Login Profile for User ann cannot be found."
    );
    good(&world, "CreateLoginProfile", with("Correct-horse1")).await;
    assert_eq!(
        bad(&world, "CreateLoginProfile", with("Correct-horse1")).await,
        "EntityAlreadyExistsException: Login Profile for user ann already exists."
    );
    assert_eq!(
        bad(&world, "GetAccountPasswordPolicy", json!({})).await,
        "NoSuchEntityException: The Password Policy with domain name 000000000000 cannot be found."
    );
    let policy =
        json!({"MinimumPasswordLength": 12, "RequireSymbols": true, "PasswordReusePrevention": 2});
    good(&world, "UpdateAccountPasswordPolicy", policy).await;
    let shown = good(&world, "GetAccountPasswordPolicy", json!({})).await;
    assert_eq!(shown["PasswordPolicy"]["ExpirePasswords"], false);
    assert_eq!(
        bad(&world, "UpdateLoginProfile", with("nosymbolhere")).await,
        "PasswordPolicyViolationException: Password should have at least one symbol"
    );
    good(&world, "UpdateLoginProfile", with("another-horse")).await;
    assert_eq!(
        bad(&world, "UpdateLoginProfile", with("Correct-horse1")).await,
        "PasswordPolicyViolationException: Password does not conform to the account password policy."
    );
    good(&world, "UpdateLoginProfile", with("a-third-horse")).await;
    good(&world, "UpdateLoginProfile", with("Correct-horse1")).await;
    let deleted = bad(&world, "DeleteUser", json!({"UserName": "ann"})).await;
    assert!(deleted.ends_with("must delete login profile first."), "{deleted}");
    good(&world, "DeleteLoginProfile", json!({"UserName": "ann"})).await;
    good(&world, "DeleteAccountPasswordPolicy", json!({})).await;
    good(&world, "DeleteUser", json!({"UserName": "ann"})).await;
}

#[tokio::test]
async fn a_user_changes_its_own_password() {
    let world = world();
    let bob = user(&world, "bob", allow("iam:ChangePassword", "*")).await;
    let input =
        json!({"UserName": "bob", "Password": "Correct-horse1", "PasswordResetRequired": true});
    good(&world, "CreateLoginProfile", input).await;
    let change = |old: &str, new: &str| {
        let input = json!({"OldPassword": old, "NewPassword": new});
        world.call_as(bob.clone(), "iam:ChangePassword", input)
    };
    let wrong = change("wrong-horse", "Battery-staple1").await.expect_err("not the password");
    assert_eq!(wrong.to_string(), "AccessDenied: The old password was incorrect.");
    change("Correct-horse1", "Battery-staple1").await.expect("the password");
    assert!(change("Correct-horse1", "Battery-staple2").await.is_err(), "it is no longer");
    let shown = good(&world, "GetLoginProfile", json!({"UserName": "bob"})).await;
    assert_eq!(shown["LoginProfile"]["PasswordResetRequired"], false);
    assert_eq!(
        bad(&world, "ChangePassword", json!({"OldPassword": "a", "NewPassword": "b"})).await,
        "InvalidUserTypeException: Only IAM Users can change their own password"
    );
    let row = world.rows(&crate::SERVICE).into_iter().find(|(key, _)| key.starts_with("iam.login"));
    let (_, bytes) = row.expect("a row");
    assert!(!bytes.windows(7).any(|part| part == b"Battery"), "only the hash is kept");
}

/// The code that a device shows some steps from now.
fn code(world: &World, name: &str, steps: i64) -> String {
    let key = (ACCOUNT.to_owned(), name.to_owned());
    let row = world.cloud().db().read(|tx| rows::MFA_DEVICES.get(tx, &key));
    let seed = row.expect("read").expect("a device").seed;
    assert!(matches!(seed, rows::Secret::Sealed(_)));
    let place = rows::MfaDevice::place(ACCOUNT, name);
    let seed = seed.open(world.cloud(), &place).expect("it opens");
    totp::code(&seed, totp::step(world.clock().now().secs()) + steps)
}

fn two(world: &World, input: Value, steps: (i64, i64)) -> Value {
    let mut input = input;
    input["AuthenticationCode1"] = json!(code(world, "phone", steps.0));
    input["AuthenticationCode2"] = json!(code(world, "phone", steps.1));
    input
}

#[tokio::test]
async fn devices_must_show_their_codes() {
    let world = world();
    ann(&world).await;
    let made =
        good(&world, "CreateVirtualMFADevice", json!({"VirtualMFADeviceName": "phone"})).await;
    let serial = "arn:aws:iam::000000000000:mfa/phone";
    let device = &made["VirtualMFADevice"];
    assert_eq!(device["SerialNumber"], serial);
    let picture = device["QRCodePNG"].as_str().expect("a picture");
    assert!(picture.starts_with("iVBORw0KGgo"), "a PNG in base64: {picture}");
    assert_eq!(device["Base32StringSeed"].as_str().map(str::len), Some(88), "64 digits in base64");
    assert_eq!(
        bad(&world, "CreateVirtualMFADevice", json!({"VirtualMFADeviceName": "Phone"})).await,
        "EntityAlreadyExistsException: MFADevice entity at the same path and name already exists."
    );
    let of_ann = json!({"UserName": "ann", "SerialNumber": serial});
    for wrong in [(0, 0), (1, 0), (0, 2), (-60, -59)] {
        assert_eq!(
            bad(&world, "EnableMFADevice", two(&world, of_ann.clone(), wrong)).await,
            "InvalidAuthenticationCodeException: Authentication code for device is not valid."
        );
    }
    good(&world, "EnableMFADevice", two(&world, of_ann.clone(), (-1, 0))).await;
    assert_eq!(
        bad(&world, "EnableMFADevice", two(&world, of_ann.clone(), (-1, 0))).await,
        "EntityAlreadyExistsException: MFA Device is already in use."
    );
    let listed = good(&world, "ListMFADevices", json!({"UserName": "ann"})).await;
    assert_eq!(listed["MFADevices"][0]["SerialNumber"], serial);
    let assigned = json!({"AssignmentStatus": "Assigned"});
    let listed = good(&world, "ListVirtualMFADevices", assigned).await;
    assert_eq!(listed["VirtualMFADevices"][0]["User"]["UserName"], "ann");
    let summary = good(&world, "GetAccountSummary", json!({})).await;
    assert_eq!(summary["SummaryMap"]["MFADevicesInUse"], 1);
    assert_eq!(
        bad(&world, "DeleteVirtualMFADevice", json!({"SerialNumber": serial})).await,
        "DeleteConflictException: MFA VirtualDevice is in use. Must deactivate first."
    );
    let deleted = bad(&world, "DeleteUser", json!({"UserName": "ann"})).await;
    assert!(deleted.ends_with("must delete MFA device first."), "{deleted}");
    good(&world, "ResyncMFADevice", two(&world, of_ann.clone(), (5, 6))).await;
    good(&world, "GetMFADevice", of_ann.clone()).await;
    good(&world, "DeactivateMFADevice", of_ann.clone()).await;
    assert!(bad(&world, "GetMFADevice", of_ann).await.starts_with("NoSuchEntity"));
    good(&world, "DeleteVirtualMFADevice", json!({"SerialNumber": serial})).await;
    assert_eq!(
        bad(&world, "DeleteVirtualMFADevice", json!({"SerialNumber": serial})).await,
        "NoSuchEntityException: VirtualMFADevice with serial number arn:aws:iam::000000000000:mfa/phone doesn't \
         exist."
    );
}

#[tokio::test]
async fn the_root_has_devices_of_its_own() {
    let world = world();
    ann(&world).await;
    good(&world, "CreateVirtualMFADevice", json!({"VirtualMFADeviceName": "phone"})).await;
    let serial = json!({"SerialNumber": "arn:aws:iam::000000000000:mfa/phone"});
    let mut of_root = serial.clone();
    of_root["UserName"] = json!(ACCOUNT);
    assert_eq!(good(&world, "ListMFADevices", json!({})).await["MFADevices"], json!([]));
    let bob = user(&world, "bob", allow("iam:*", "*")).await;
    let input = two(&world, of_root.clone(), (-1, 0));
    let other = world.call_as(bob, "iam:EnableMFADevice", input).await.expect_err("not the root");
    assert!(
        other.to_string().contains("The user with name 000000000000 cannot be found"),
        "{other}"
    );
    good(&world, "EnableMFADevice", two(&world, of_root.clone(), (-1, 0))).await;
    let listed = good(&world, "ListMFADevices", json!({})).await;
    assert_eq!(listed["MFADevices"][0]["SerialNumber"], serial["SerialNumber"]);
    let of_ann = json!({"UserName": "ann"});
    assert_eq!(good(&world, "ListMFADevices", of_ann).await["MFADevices"], json!([]));
    let listed = good(&world, "ListVirtualMFADevices", json!({})).await;
    let holder = &listed["VirtualMFADevices"][0]["User"];
    assert_eq!(
        (&holder["UserId"], &holder["Arn"]),
        (&json!(ACCOUNT), &json!("arn:aws:iam::000000000000:root"))
    );
    let summary = good(&world, "GetAccountSummary", json!({})).await;
    assert_eq!(summary["SummaryMap"]["AccountMFAEnabled"], 1);
    good(&world, "ResyncMFADevice", two(&world, of_root.clone(), (5, 6))).await;
    good(&world, "GetMFADevice", serial.clone()).await;
    good(&world, "DeactivateMFADevice", serial.clone()).await;
    assert!(bad(&world, "GetMFADevice", serial).await.starts_with("NoSuchEntity"));
    let summary = good(&world, "GetAccountSummary", json!({})).await;
    assert_eq!(summary["SummaryMap"]["AccountMFAEnabled"], 0);
    // A user of that name goes before.
    good(&world, "CreateUser", json!({"UserName": ACCOUNT})).await;
    good(&world, "EnableMFADevice", two(&world, of_root, (7, 8))).await;
    assert_eq!(good(&world, "ListMFADevices", json!({})).await["MFADevices"], json!([]));
}

/// A self-signed certificate and its key, both in PEM.
fn certificate(name: &str) -> (String, String) {
    let made = rcgen::generate_simple_self_signed([name.to_owned()]).expect("a certificate");
    (made.cert.pem(), made.signing_key.serialize_pem())
}

#[tokio::test]
async fn server_certificates_have_their_key() {
    let world = world();
    let ((body, key), (other, other_key)) = (certificate("a.example"), certificate("b.example"));
    let input = |body: &str, key: &str| json!({"ServerCertificateName": "web", "CertificateBody": body, "PrivateKey": key, "Path": "/cloudfront/"});
    assert_eq!(
        bad(&world, "UploadServerCertificate", input(&body, &other_key)).await,
        "KeyPairMismatchException: Certificate Body and Private Key do not match."
    );
    assert_eq!(
        bad(&world, "UploadServerCertificate", input("nonsense", &key)).await,
        "MalformedCertificateException: Unable to parse certificate. Please ensure the certificate is in PEM \
         format."
    );
    let mut chained = input(&body, &key);
    chained["CertificateChain"] = json!(other);
    let refused = bad(&world, "UploadServerCertificate", chained).await;
    assert!(refused.contains("Unable to validate certificate chain"), "{refused}");
    let made = good(&world, "UploadServerCertificate", input(&body, &key)).await;
    let metadata = &made["ServerCertificateMetadata"];
    assert_eq!(metadata["Arn"], "arn:aws:iam::000000000000:server-certificate/cloudfront/web");
    let shown = good(&world, "GetServerCertificate", json!({"ServerCertificateName": "web"})).await;
    assert_eq!(shown["ServerCertificate"]["CertificateBody"], body.as_str());
    assert!(!shown.to_string().contains("PRIVATE KEY"));
    let rename =
        json!({"ServerCertificateName": "web", "NewServerCertificateName": "site", "NewPath": "/"});
    good(&world, "UpdateServerCertificate", rename).await;
    let listed = good(&world, "ListServerCertificates", json!({})).await;
    assert_eq!(
        listed["ServerCertificateMetadataList"][0]["Arn"],
        "arn:aws:iam::000000000000:server-certificate/site"
    );
    good(&world, "DeleteServerCertificate", json!({"ServerCertificateName": "site"})).await;
    assert_eq!(
        bad(&world, "GetServerCertificate", json!({"ServerCertificateName": "site"})).await,
        "NoSuchEntityException: The Server Certificate with name site cannot be found."
    );
}

#[tokio::test]
async fn signing_certificates_are_two_at_most() {
    let world = world();
    ann(&world).await;
    let upload = |body: &str| json!({"UserName": "ann", "CertificateBody": body});
    let (first, _) = certificate("a");
    let made = good(&world, "UploadSigningCertificate", upload(&first)).await;
    assert!(bad(&world, "UploadSigningCertificate", upload(&first)).await.starts_with("Duplicate"));
    good(&world, "UploadSigningCertificate", upload(&certificate("b").0)).await;
    assert_eq!(
        bad(&world, "UploadSigningCertificate", upload(&certificate("c").0)).await,
        "LimitExceededException: Cannot exceed quota for CertificatesPerUser: 2"
    );
    let id = &made["Certificate"]["CertificateId"];
    let inactive = json!({"UserName": "ann", "CertificateId": id, "Status": "Inactive"});
    good(&world, "UpdateSigningCertificate", inactive).await;
    good(&world, "DeleteSigningCertificate", json!({"UserName": "ann", "CertificateId": id})).await;
    let listed = good(&world, "ListSigningCertificates", json!({"UserName": "ann"})).await;
    assert_eq!(listed["Certificates"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn ssh_keys_and_service_credentials_are_kept() {
    let world = world();
    ann(&world).await;
    let key = "ssh-rsa AAAAB3NzaC1yc2EAAAADAQABAAABAQDFFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcXFxcX";
    let input = json!({"UserName": "ann", "SSHPublicKeyBody": key});
    let made = good(&world, "UploadSSHPublicKey", input.clone()).await;
    assert!(bad(&world, "UploadSSHPublicKey", input).await.starts_with("DuplicateSSHPublicKey"));
    let bare = json!({"UserName": "ann", "SSHPublicKeyBody": "ssh-ed25519 AAAA"});
    assert!(bad(&world, "UploadSSHPublicKey", bare).await.starts_with("UnrecognizedPublicKeyEnc"));
    let id = &made["SSHPublicKey"]["SSHPublicKeyId"];
    let get = json!({"UserName": "ann", "SSHPublicKeyId": id, "Encoding": "PEM"});
    let shown = good(&world, "GetSSHPublicKey", get).await;
    let body = shown["SSHPublicKey"]["SSHPublicKeyBody"].as_str().expect("text");
    assert!(body.starts_with("-----BEGIN PUBLIC KEY-----"), "{body}");
    let service = |name: &str| json!({"UserName": "ann", "ServiceName": name});
    let made =
        good(&world, "CreateServiceSpecificCredential", service("codecommit.amazonaws.com")).await;
    let made = &made["ServiceSpecificCredential"];
    assert_eq!(made["ServiceUserName"], "ann-at-000000000000");
    assert!(made["ServicePassword"].as_str().is_some_and(|password| password.len() >= 32));
    assert!(
        bad(&world, "CreateServiceSpecificCredential", service("s3.amazonaws.com"))
            .await
            .starts_with("NoSuchEntity")
    );
    let one = json!({"UserName": "ann", "ServiceSpecificCredentialId": made["ServiceSpecificCredentialId"]});
    let reset = good(&world, "ResetServiceSpecificCredential", one.clone()).await;
    assert_ne!(reset["ServiceSpecificCredential"]["ServicePassword"], made["ServicePassword"]);
    let deleted = bad(&world, "DeleteUser", json!({"UserName": "ann"})).await;
    assert!(deleted.ends_with("must delete referenced objects first."), "{deleted}");
    good(&world, "DeleteServiceSpecificCredential", one).await;
    good(&world, "DeleteSSHPublicKey", json!({"UserName": "ann", "SSHPublicKeyId": id})).await;
    good(&world, "DeleteUser", json!({"UserName": "ann"})).await;
}

#[tokio::test]
async fn devices_can_be_limited_by_tags() {
    let world = world();
    let mut statement = allow("iam:*MFADevice", "arn:aws:iam::000000000000:mfa/*");
    statement["Condition"] = json!({"StringEquals": {"aws:ResourceTag/team": "blue"}});
    let eve = user(&world, "eve", statement).await;
    let tags = json!([{"Key": "team", "Value": "blue"}]);
    let made = json!({"VirtualMFADeviceName": "a", "Tags": tags, "Path": "/x/"});
    good(&world, "CreateVirtualMFADevice", made).await;
    good(&world, "CreateVirtualMFADevice", json!({"VirtualMFADeviceName": "b"})).await;
    let serial =
        |path: &str| json!({"SerialNumber": format!("arn:aws:iam::000000000000:mfa/{path}")});
    assert!(!may(&world, &eve, "DeleteVirtualMFADevice", serial("b")).await);
    assert!(may(&world, &eve, "DeleteVirtualMFADevice", serial("x/a")).await);
}
