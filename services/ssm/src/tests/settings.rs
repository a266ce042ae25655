//! Service settings.

use fogbank_testkit::{World, expect, json};

use super::SERVICES;

#[tokio::test]
async fn settings_are_changed_and_reset() {
    let world = World::new(SERVICES);
    let id = "/ssm/parameter-store/high-throughput-enabled";
    let setting = json!({"SettingId": id});
    world.check("ssm:GetServiceSetting", setting.clone(), expect![[r#"
        {
          "ServiceSetting": {
            "ARN": "arn:aws:ssm:us-east-1:000000000000:servicesetting/ssm/parameter-store/high-throughput-enabled",
            "LastModifiedDate": 0,
            "LastModifiedUser": "System",
            "SettingId": "/ssm/parameter-store/high-throughput-enabled",
            "SettingValue": "false",
            "Status": "Default"
          }
        }"#]]).await;
    let arn = format!("arn:aws:ssm:us-east-1:000000000000:servicesetting{id}");
    for (value, expected) in [
        (
            "yes",
            expect![
                "ValidationException: The setting value yes is not valid. Valid values include: [false, true]."
            ],
        ),
        ("true", expect!["{}"]),
    ] {
        let input = json!({"SettingId": arn, "SettingValue": value});
        world.check("ssm:UpdateServiceSetting", input, expected).await;
    }
    let got = world.call("ssm:GetServiceSetting", setting.clone()).await.expect("a setting");
    assert_eq!(got["ServiceSetting"]["SettingValue"], "true");
    assert_eq!(got["ServiceSetting"]["Status"], "Customized");
    let reset = world.call("ssm:ResetServiceSetting", setting).await.expect("reset");
    assert_eq!(reset["ServiceSetting"]["Status"], "Default");
    for (id, expected) in [
        (
            "/ssm/opsinsights/opscenter",
            expect![
                "NotImplemented: Fogbank does not implement ssm:service settings of other tools than Parameter Store yet; see COMPATIBILITY.md."
            ],
        ),
        (
            "/ssm/parameter-store/none",
            expect![
                "ServiceSettingNotFound: The specified service setting wasn't found. Either the service name or the setting hasn't been provisioned by the Amazon Web Services service team."
            ],
        ),
    ] {
        world.check("ssm:GetServiceSetting", json!({"SettingId": id}), expected).await;
    }
}
