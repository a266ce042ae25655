"""Organizations: accounts that are entered by their role, and policies that limit them."""

from support import allow, deny, eventually, policy, refused


def test_an_organization_creates_accounts_and_limits_them(root):
    organizations = root.client("organizations")
    with refused("AWSOrganizationsNotInUseException", 400):
        organizations.describe_organization()
    made = organizations.create_organization(FeatureSet="ALL")["Organization"]
    assert made["MasterAccountId"] == root.account
    top = organizations.list_roots()["Roots"][0]["Id"]
    organizations.enable_policy_type(RootId=top, PolicyType="SERVICE_CONTROL_POLICY")
    unit = organizations.create_organizational_unit(ParentId=top, Name="dev")["OrganizationalUnit"]["Id"]
    asked = organizations.create_account(AccountName="dev one", Email=f"one@{root.account}.example.org")
    asked = asked["CreateAccountStatus"]["Id"]

    def number():
        status = organizations.describe_create_account_status(CreateAccountRequestId=asked)["CreateAccountStatus"]
        assert status["State"] in ("IN_PROGRESS", "SUCCEEDED"), status
        return status.get("AccountId")

    number = eventually(number)
    organizations.move_account(AccountId=number, SourceParentId=top, DestinationParentId=unit)
    ann = root.user("ann", allow("sts:AssumeRole"))
    admin = ann.assume(f"arn:aws:iam::{number}:role/OrganizationAccountAccessRole")
    assert admin.client("sts").get_caller_identity()["Account"] == number
    queue = admin.client("sqs").create_queue(QueueName="q")["QueueUrl"]
    assert f"/{number}/" in queue
    assert "QueueUrls" not in root.client("sqs").list_queues()

    content = policy(deny("sqs:DeleteQueue"))
    made = organizations.create_policy(
        Name="keep queues", Description="", Type="SERVICE_CONTROL_POLICY", Content=content
    )
    guard = made["Policy"]["PolicySummary"]["Id"]
    organizations.attach_policy(PolicyId=guard, TargetId=unit)
    with refused("AccessDenied", 403) as refusal:
        admin.client("sqs").delete_queue(QueueUrl=queue)
    assert "with an explicit deny in a service control policy" in refusal.message
    pages = organizations.get_paginator("list_policies_for_target").paginate(
        TargetId=unit, Filter="SERVICE_CONTROL_POLICY"
    )
    names = {found["Name"] for page in pages for found in page["Policies"]}
    assert names == {"keep queues", "FullAWSAccess"}
    organizations.detach_policy(PolicyId=guard, TargetId=unit)
    admin.client("sqs").delete_queue(QueueUrl=queue)
    with refused("AccessDeniedException", 400):
        admin.client("organizations").list_accounts()
    with refused("MalformedPolicyDocumentException", 400):
        organizations.create_policy(
            Name="broken", Description="", Type="SERVICE_CONTROL_POLICY", Content="{}"
        )
