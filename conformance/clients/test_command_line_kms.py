"""Every operation of KMS through the AWS CLI."""

import base64
import json
import os

import pytest
from command_line import CommandLine
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding
from support import policy

STORES = "UnsupportedOperationException"


@pytest.fixture
def kms(root, tmp_path):
    return CommandLine(root, "kms", tmp_path)


def test_every_operation(kms):
    keys(kms)
    aliases(kms)
    policies(kms)
    encryption(kms)
    data_keys(kms)
    signatures(kms)
    secrets_of_two(kms)
    grants(kms)
    rotation(kms)
    material(kms)
    regions(kms)
    key_stores(kms)
    assert kms.missing() == []


def new(kms, **settings):
    return kms("create-key", **settings)["KeyMetadata"]["KeyId"]


def decoded(answer, member):
    return base64.b64decode(answer[member])


def keys(kms):
    key = new(kms, description="mine", tags=[{"TagKey": "team", "TagValue": "blue"}])
    kms("update-key-description", key_id=key, description="ours")
    assert kms("describe-key", key_id=key)["KeyMetadata"]["Description"] == "ours"
    kms("disable-key", key_id=key)
    assert "(DisabledException)" in kms.fails("encrypt", key_id=key, plaintext=b"x")
    kms("enable-key", key_id=key)
    kms("tag-resource", key_id=key, tags=[{"TagKey": "stage", "TagValue": "test"}])
    kms("untag-resource", key_id=key, tag_keys=["team"])
    assert kms("list-resource-tags", key_id=key)["Tags"] == [{"TagKey": "stage", "TagValue": "test"}]
    kms("schedule-key-deletion", key_id=key, pending_window_in_days=7)
    assert kms("describe-key", key_id=key)["KeyMetadata"]["KeyState"] == "PendingDeletion"
    kms("cancel-key-deletion", key_id=key)
    assert key in [row["KeyId"] for row in kms("list-keys")["Keys"]]


def aliases(kms):
    one, two = new(kms), new(kms)
    kms("create-alias", alias_name="alias/mine", target_key_id=one)
    kms("update-alias", alias_name="alias/mine", target_key_id=two)
    assert kms("list-aliases", key_id=two)["Aliases"][0]["AliasName"] == "alias/mine"
    assert kms("describe-key", key_id="alias/mine")["KeyMetadata"]["KeyId"] == two
    kms("delete-alias", alias_name="alias/mine")
    assert "(NotFoundException)" in kms.fails("describe-key", key_id="alias/mine")


def policies(kms):
    key = new(kms)
    owner = {"AWS": f"arn:aws:iam::{kms.caller.account}:root"}
    document = policy(dict(Sid="all", Effect="Allow", Principal=owner, Action="kms:*", Resource="*"))
    kms("put-key-policy", key_id=key, policy_name="default", policy=document)
    shown = kms("get-key-policy", key_id=key, policy_name="default")
    assert json.loads(shown["Policy"])["Statement"][0]["Sid"] == "all"
    assert kms("list-key-policies", key_id=key)["PolicyNames"] == ["default"]


def encryption(kms):
    key, other = new(kms), new(kms)
    sealed = decoded(kms("encrypt", key_id=key, plaintext=b"a secret", encryption_context="a=1"), "CiphertextBlob")
    assert "(InvalidCiphertextException)" in kms.fails("decrypt", ciphertext_blob=sealed)
    opened = kms("decrypt", ciphertext_blob=sealed, encryption_context="a=1")
    assert decoded(opened, "Plaintext") == b"a secret"
    moved = kms(
        "re-encrypt",
        ciphertext_blob=sealed,
        source_encryption_context="a=1",
        destination_key_id=other,
        destination_encryption_context="b=2",
    )
    opened = kms("decrypt", ciphertext_blob=decoded(moved, "CiphertextBlob"), encryption_context="b=2")
    assert opened["KeyId"].endswith(other)
    one, two = (decoded(kms("generate-random", number_of_bytes=32), "Plaintext") for _ in range(2))
    assert len(one) == 32 and one != two


def data_keys(kms):
    key = new(kms)
    made = kms("generate-data-key", key_id=key, key_spec="AES_256")
    assert len(decoded(made, "Plaintext")) == 32
    opened = kms("decrypt", ciphertext_blob=decoded(made, "CiphertextBlob"))
    assert opened["Plaintext"] == made["Plaintext"]
    assert "Plaintext" not in kms("generate-data-key-without-plaintext", key_id=key, number_of_bytes=24)
    pair = kms("generate-data-key-pair", key_id=key, key_pair_spec="ECC_NIST_P256")
    public = serialization.load_der_public_key(decoded(pair, "PublicKey"))
    private = serialization.load_der_private_key(decoded(pair, "PrivateKeyPlaintext"), None)
    assert private.public_key() == public
    sealed = kms("generate-data-key-pair-without-plaintext", key_id=key, key_pair_spec="ECC_NIST_P256")
    assert "PrivateKeyPlaintext" not in sealed and sealed["PrivateKeyCiphertextBlob"]


def signatures(kms):
    key = new(kms, key_spec="ECC_NIST_P256", key_usage="SIGN_VERIFY")
    how = {"key_id": key, "signing_algorithm": "ECDSA_SHA_256"}
    signature = decoded(kms("sign", message=b"a message", **how), "Signature")
    assert kms("verify", message=b"a message", signature=signature, **how)["SignatureValid"] is True
    wrong = kms.fails("verify", message=b"another", signature=signature, **how)
    assert "(KMSInvalidSignatureException)" in wrong
    assert kms("get-public-key", key_id=key)["SigningAlgorithms"] == ["ECDSA_SHA_256"]
    key = new(kms, key_spec="HMAC_256", key_usage="GENERATE_VERIFY_MAC")
    how = {"key_id": key, "mac_algorithm": "HMAC_SHA_256", "message": b"a message"}
    mac = decoded(kms("generate-mac", **how), "Mac")
    assert kms("verify-mac", mac=mac, **how)["MacValid"] is True


def secrets_of_two(kms):
    one, two = (new(kms, key_spec="ECC_NIST_P256", key_usage="KEY_AGREEMENT") for _ in range(2))
    shared = [
        kms(
            "derive-shared-secret",
            key_id=own,
            key_agreement_algorithm="ECDH",
            public_key=decoded(kms("get-public-key", key_id=other), "PublicKey"),
        )["SharedSecret"]
        for own, other in [(one, two), (two, one)]
    ]
    assert shared[0] == shared[1]
    key = new(kms, key_spec="ML_KEM_768", key_usage="ENCAPSULATE_DECAPSULATE")
    how = {"key_id": key, "encapsulation_algorithm": "ML_KEM"}
    sealed = kms("encapsulate", **how)
    blob = decoded(sealed, "SharedSecretCiphertextBlob")
    opened = kms("decapsulate", **how, shared_secret_ciphertext_blob=blob)
    assert opened["SharedSecret"] == sealed["SharedSecret"]


def grants(kms):
    key = new(kms)
    role = kms.caller.role("worker", {"AWS": kms.caller.account})
    of = {"key_id": key, "grantee_principal": role, "retiring_principal": role, "operations": ["Decrypt"]}
    one, two = (kms("create-grant", name=name, **of) for name in ("one", "two"))
    assert {row["Name"] for row in kms("list-grants", key_id=key)["Grants"]} == {"one", "two"}
    assert len(kms("list-retirable-grants", retiring_principal=role)["Grants"]) == 2
    kms("retire-grant", grant_token=one["GrantToken"])
    kms("revoke-grant", key_id=key, grant_id=two["GrantId"])
    assert kms("list-grants", key_id=key)["Grants"] == []


def rotation(kms):
    key = new(kms)
    assert kms("get-key-last-usage", key_id=key)["KeyLastUsage"] == {}
    kms("enable-key-rotation", key_id=key, rotation_period_in_days=100)
    assert kms("get-key-rotation-status", key_id=key)["RotationPeriodInDays"] == 100
    kms("rotate-key-on-demand", key_id=key)
    assert kms("list-key-rotations", key_id=key)["Rotations"][0]["RotationType"] == "ON_DEMAND"
    kms("disable-key-rotation", key_id=key)
    assert kms("get-key-rotation-status", key_id=key)["KeyRotationEnabled"] is False


def material(kms):
    key = new(kms, origin="EXTERNAL")
    wanted = kms(
        "get-parameters-for-import", key_id=key, wrapping_algorithm="RSAES_OAEP_SHA_256", wrapping_key_spec="RSA_2048"
    )
    public = serialization.load_der_public_key(decoded(wanted, "PublicKey"))
    oaep = padding.OAEP(padding.MGF1(hashes.SHA256()), hashes.SHA256(), None)
    kms(
        "import-key-material",
        key_id=key,
        import_token=decoded(wanted, "ImportToken"),
        encrypted_key_material=public.encrypt(os.urandom(32), oaep),
        expiration_model="KEY_MATERIAL_DOES_NOT_EXPIRE",
    )
    assert kms("describe-key", key_id=key)["KeyMetadata"]["KeyState"] == "Enabled"
    kms("delete-imported-key-material", key_id=key)
    assert kms("describe-key", key_id=key)["KeyMetadata"]["KeyState"] == "PendingImport"


def regions(kms):
    key = new(kms, multi_region=True)
    made = kms("replicate-key", key_id=key, replica_region="eu-west-1")["ReplicaKeyMetadata"]
    assert made["MultiRegionConfiguration"]["MultiRegionKeyType"] == "REPLICA"
    kms("update-primary-region", key_id=key, primary_region="eu-west-1")
    kind = kms("describe-key", key_id=key)["KeyMetadata"]["MultiRegionConfiguration"]["MultiRegionKeyType"]
    assert kind == "REPLICA"


def key_stores(kms):
    """There are none: neither a CloudHSM cluster nor an external key manager."""
    assert kms("describe-custom-key-stores")["CustomKeyStores"] == []
    unknown = {"custom_key_store_id": "cks-1234567890abcdef0"}
    kms.only_refuses("create-custom-key-store", "UnsupportedOperationException", custom_key_store_name="mine",
                     cloud_hsm_cluster_id="cluster-abcdefghijk", trust_anchor_certificate="x",
                     key_store_password="kmsPswd1")  # fmt: skip
    for operation in ("connect", "disconnect", "update", "delete"):
        kms.only_refuses(f"{operation}-custom-key-store", "CustomKeyStoreNotFoundException", **unknown)
