"""What time, resets and other people's grants make of KMS's keys."""

import json
import os
import subprocess
import time

import pytest
from botocore.exceptions import ClientError
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import padding, rsa
from cryptography.hazmat.primitives.keywrap import aes_key_wrap_with_padding
from support import Caller, refused


@pytest.fixture
def cloud(start):
    """A server of one's own: whoever moves the clock moves it for everybody."""
    server = start("--ephemeral")
    yield server
    print(f"\nThe end of Fogbank's log:\n{server.tail()}")


@pytest.fixture
def root(cloud):
    """The root of the cloud's own account."""
    return Caller(cloud.endpoint, "000000000000", "test", "test")


@pytest.fixture
def fogbank(binary, root):
    """Runs a command of the binary against the cloud."""

    def fogbank(*arguments):
        done = subprocess.run([binary, *arguments], env=root.environment(), capture_output=True, text=True)
        assert done.returncode == 0, done.stderr
        return done.stdout

    return fogbank


def state(kms, key):
    """The key's state, or the error of a key that is gone."""
    try:
        return kms.describe_key(KeyId=key)["KeyMetadata"]["KeyState"]
    except ClientError as error:
        return error.response["Error"]["Code"]


def eventually(what, seconds=20):
    until = time.monotonic() + seconds
    while not what():
        assert time.monotonic() < until, "it did not come to pass"
        time.sleep(0.05)


def oaep():
    return padding.OAEP(mgf=padding.MGF1(hashes.SHA256()), algorithm=hashes.SHA256(), label=None)


def test_a_private_key_comes_wrapped_by_an_aes_key(root):
    kms = root.client("kms")
    key = kms.create_key(Origin="EXTERNAL", KeySpec="RSA_2048", KeyUsage="SIGN_VERIFY")["KeyMetadata"]["KeyId"]
    wanted = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSA_AES_KEY_WRAP_SHA_256", WrappingKeySpec="RSA_3072"
    )
    mine = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    material = mine.private_bytes(
        serialization.Encoding.DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    between = os.urandom(32)
    outer = serialization.load_der_public_key(wanted["PublicKey"]).encrypt(between, oaep())
    blob = outer + aes_key_wrap_with_padding(between, material)
    arguments = dict(KeyId=key, ImportToken=wanted["ImportToken"], ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    for broken in (blob[:-1] + bytes([blob[-1] ^ 1]), outer, blob[:100]):
        with pytest.raises(ClientError):
            kms.import_key_material(EncryptedKeyMaterial=broken, **arguments)
    kms.import_key_material(EncryptedKeyMaterial=blob, **arguments)
    signed = kms.sign(KeyId=key, Message=b"a message", SigningAlgorithm="RSASSA_PKCS1_V1_5_SHA_256")
    mine.public_key().verify(signed["Signature"], b"a message", padding.PKCS1v15(), hashes.SHA256())


def imported(kms, key, material, **arguments):
    wanted = kms.get_parameters_for_import(
        KeyId=key, WrappingAlgorithm="RSAES_OAEP_SHA_256", WrappingKeySpec="RSA_2048"
    )
    blob = serialization.load_der_public_key(wanted["PublicKey"]).encrypt(material, oaep())
    kms.import_key_material(KeyId=key, ImportToken=wanted["ImportToken"], EncryptedKeyMaterial=blob, **arguments)


def test_imported_material_ends_with_its_time_and_comes_back(root, fogbank):
    kms = root.client("kms")
    key = kms.create_key(Origin="EXTERNAL")["KeyMetadata"]["KeyId"]
    material = os.urandom(32)
    imported(kms, key, material, ExpirationModel="KEY_MATERIAL_EXPIRES", ValidTo=time.time() + 3600)
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    fogbank("clock", "advance", "59m")
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    fogbank("clock", "advance", "2m")
    eventually(lambda: state(kms, key) == "PendingImport")
    with refused("KMSInvalidStateException", 400):
        kms.decrypt(CiphertextBlob=blob)
    with pytest.raises(ClientError) as other:
        imported(kms, key, os.urandom(32), ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert other.value.response["Error"]["Code"] == "IncorrectKeyMaterialException"
    imported(kms, key, material, ExpirationModel="KEY_MATERIAL_DOES_NOT_EXPIRE")
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


def test_a_key_waits_for_its_day_also_after_the_clock_went_back(root, fogbank):
    kms = root.client("kms")
    fogbank("clock", "advance", "3d")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    fogbank("clock", "reset")
    assert state(kms, key) == "PendingDeletion"
    fogbank("clock", "advance", "8d")
    assert state(kms, key) == "PendingDeletion", "its day is the tenth from today"
    kms.cancel_key_deletion(KeyId=key)
    kms.enable_key(KeyId=key)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    kms.schedule_key_deletion(KeyId=key, PendingWindowInDays=7)
    fogbank("clock", "advance", "8d")
    eventually(lambda: state(kms, key) == "NotFoundException")
    with pytest.raises(ClientError):
        kms.decrypt(CiphertextBlob=blob)


def test_a_grant_is_passed_on_no_wider_than_it_is(root):
    kms = root.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    context = {"tenant": "blue"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    first, second = root.user("first"), root.user("second")
    arn = "arn:aws:iam::000000000000:user/{}".format
    arn_of_key = kms.describe_key(KeyId=key)["KeyMetadata"]["Arn"]
    given = kms.create_grant(
        KeyId=key, GranteePrincipal=arn("first"), Operations=["Decrypt", "CreateGrant"],
        Constraints={"EncryptionContextSubset": context},
    )  # fmt: skip
    theirs = first.client("kms")
    for operations in (["Encrypt"], ["Decrypt", "Encrypt"]):
        with refused("AccessDeniedException", 400):
            theirs.create_grant(
                KeyId=arn_of_key, GranteePrincipal=arn("second"), Operations=operations,
                Constraints={"EncryptionContextSubset": context},
            )  # fmt: skip
    theirs.create_grant(
        KeyId=arn_of_key, GranteePrincipal=arn("second"), Operations=["Decrypt"],
        Constraints={"EncryptionContextSubset": context},
    )  # fmt: skip
    assert second.client("kms").decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"
    with refused("AccessDeniedException", 400):
        second.client("kms").encrypt(KeyId=arn_of_key, Plaintext=b"x", EncryptionContext=context)
    # What was passed on stays when its source goes.
    kms.revoke_grant(KeyId=key, GrantId=given["GrantId"])
    with refused("AccessDeniedException", 400):
        theirs.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    assert second.client("kms").decrypt(CiphertextBlob=blob, EncryptionContext=context)["Plaintext"] == b"x"


def test_a_reset_takes_the_keys_of_its_account(root, cloud, fogbank):
    other = Caller(cloud.endpoint, "222200000011", "222200000011", "test")
    mine, theirs = root.client("kms"), other.client("kms")
    keys = [kms.create_key()["KeyMetadata"]["KeyId"] for kms in (mine, theirs)]
    mine.create_alias(AliasName="alias/a", TargetKeyId=keys[0])
    blobs = [kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"] for kms, key in zip((mine, theirs), keys)]
    fogbank("reset", "--service", "kms", "--account", "000000000000", "--yes")
    assert mine.list_keys()["Keys"] == [] and mine.list_aliases()["Aliases"] == []
    with pytest.raises(ClientError):
        mine.decrypt(CiphertextBlob=blobs[0])
    assert theirs.decrypt(CiphertextBlob=blobs[1])["Plaintext"] == b"x"
    fogbank("reset", "--service", "kms", "--yes")
    assert json.dumps(theirs.list_keys()["Keys"]) == "[]"
