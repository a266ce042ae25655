"""KMS through unmodified clients: keys do what they say, OpenSSL agrees with them, policies and grants decide."""

import base64
import hashlib
import os
import shutil
import stat
import subprocess

import pytest
from fogbank_server import server_environment
from support import Caller, allow, policy, refused

needs_openssl = pytest.mark.skipif(not shutil.which("openssl"), reason="SKIPPED: there is no openssl in the PATH")

SIGNING = [
    ("RSA_2048", "RSASSA_PKCS1_V1_5_SHA_256", ["-sha256"]),
    ("RSA_3072", "RSASSA_PSS_SHA_384", ["-sha384", "-sigopt", "rsa_padding_mode:pss"]),
    ("ECC_NIST_P256", "ECDSA_SHA_256", ["-sha256"]),
    ("ECC_NIST_P384", "ECDSA_SHA_384", ["-sha384"]),
    ("ECC_NIST_P521", "ECDSA_SHA_512", ["-sha512"]),
    ("ECC_SECG_P256K1", "ECDSA_SHA_256", ["-sha256"]),
]


def new_key(kms, **settings):
    return kms.create_key(**settings)["KeyMetadata"]["KeyId"]


def openssl(folder, *arguments, input=None):
    done = subprocess.run(["openssl", *arguments], cwd=folder, input=input, capture_output=True)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_the_command_line(root, tmp_path):
    key = root.aws("kms", "create-key", "--description", "mine")["KeyMetadata"]
    assert key["KeyState"] == "Enabled" and key["Arn"].endswith(f":{root.account}:key/{key['KeyId']}")
    root.aws("kms", "create-alias", "--alias-name", "alias/mine", "--target-key-id", key["KeyId"])
    plain = tmp_path / "plain"
    plain.write_bytes(b"a secret")
    sealed = root.aws("kms", "encrypt", "--key-id", "alias/mine", "--plaintext", f"fileb://{plain}")
    blob = tmp_path / "blob"
    blob.write_bytes(base64.b64decode(sealed["CiphertextBlob"]))
    opened = root.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{blob}")
    assert base64.b64decode(opened["Plaintext"]) == b"a secret"
    complaint = root.aws("kms", "decrypt", "--ciphertext-blob", f"fileb://{plain}", fails=True)
    assert "InvalidCiphertextException" in complaint
    root.aws("kms", "enable-key-rotation", "--key-id", key["KeyId"])
    assert root.aws("kms", "get-key-rotation-status", "--key-id", key["KeyId"])["RotationPeriodInDays"] == 365
    root.aws("kms", "schedule-key-deletion", "--key-id", key["KeyId"], "--pending-window-in-days", "7")
    complaint = root.aws("kms", "encrypt", "--key-id", "alias/mine", "--plaintext", f"fileb://{plain}", fails=True)
    assert f"(KMSInvalidStateException) when calling the Encrypt operation: {key['Arn']} is pending deletion." in complaint


def test_the_last_use_of_a_key(root):
    kms = root.client("kms")
    key = new_key(kms)
    told = kms.get_key_last_usage(KeyId=key)
    assert told["KeyLastUsage"] == {} and told["TrackingStartDate"] == told["KeyCreationDate"]
    sealed = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    assert kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]["Operation"] == "Encrypt"
    opened = kms.decrypt(CiphertextBlob=sealed)
    last = kms.get_key_last_usage(KeyId=key)["KeyLastUsage"]
    assert last["Operation"] == "Decrypt"
    assert last["KmsRequestId"] == opened["ResponseMetadata"]["RequestId"]


@pytest.mark.parametrize("spec, algorithm, kind", [
    ("ECC_NIST_EDWARDS25519", "ED25519_PH_SHA_512", "DIGEST"),
    ("ML_DSA_65", "ML_DSA_SHAKE_256", "EXTERNAL_MU"),
])  # fmt: skip
def test_what_the_caller_hashed_is_signed(root, spec, algorithm, kind):
    kms = root.client("kms")
    key = new_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    of = {"KeyId": key, "SigningAlgorithm": algorithm, "MessageType": kind}
    digest = hashlib.sha512(b"a message").digest()
    signature = kms.sign(Message=digest, **of)["Signature"]
    assert kms.verify(Message=digest, Signature=signature, **of)["SignatureValid"]
    with refused("KMSInvalidSignatureException", 400):
        kms.verify(Message=hashlib.sha512(b"another").digest(), Signature=signature, **of)
    with refused("ValidationException", 400):
        kms.sign(Message=b"short", **of)


@needs_openssl
@pytest.mark.parametrize("spec, algorithm, options", SIGNING, ids=[case[0] for case in SIGNING])
def test_openssl_verifies_signatures(root, tmp_path, spec, algorithm, options):
    kms = root.client("kms")
    key = new_key(kms, KeySpec=spec, KeyUsage="SIGN_VERIFY")
    (tmp_path / "message").write_bytes(b"a message")
    (tmp_path / "public.der").write_bytes(kms.get_public_key(KeyId=key)["PublicKey"])
    signed = kms.sign(KeyId=key, Message=b"a message", SigningAlgorithm=algorithm)
    (tmp_path / "signature").write_bytes(signed["Signature"])
    openssl(tmp_path, "pkey", "-pubin", "-inform", "DER", "-in", "public.der", "-out", "public.pem")
    told = openssl(tmp_path, "dgst", *options, "-verify", "public.pem", "-signature", "signature", "message")
    assert told.strip() == b"Verified OK"
    given = {"KeyId": key, "SigningAlgorithm": algorithm, "Signature": signed["Signature"]}
    assert kms.verify(Message=b"a message", **given)["SignatureValid"]
    with refused("KMSInvalidSignatureException", 400):
        kms.verify(Message=b"another message", **given)


@needs_openssl
def test_openssl_encrypts_for_a_key_and_wraps_material(root, tmp_path):
    kms = root.client("kms")
    key = new_key(kms, KeySpec="RSA_2048", KeyUsage="ENCRYPT_DECRYPT")
    oaep = [
        "-pkeyopt", "rsa_padding_mode:oaep", "-pkeyopt", "rsa_oaep_md:sha256", "-pkeyopt", "rsa_mgf1_md:sha256",
    ]  # fmt: skip
    public = ["pkeyutl", "-encrypt", "-pubin", "-keyform", "DER", "-inkey", "public.der"]
    (tmp_path / "public.der").write_bytes(kms.get_public_key(KeyId=key)["PublicKey"])
    blob = openssl(tmp_path, *public, *oaep, input=b"from outside")
    opened = kms.decrypt(KeyId=key, CiphertextBlob=blob, EncryptionAlgorithm="RSAES_OAEP_SHA_256")
    assert opened["Plaintext"] == b"from outside"

    imported = new_key(kms, Origin="EXTERNAL")
    with refused("KMSInvalidStateException", 400):
        kms.encrypt(KeyId=imported, Plaintext=b"x")
    material = os.urandom(32)

    def put(material, **more):
        wrapping = {"WrappingAlgorithm": "RSAES_OAEP_SHA_256", "WrappingKeySpec": "RSA_2048"}
        parameters = kms.get_parameters_for_import(KeyId=imported, **wrapping)
        (tmp_path / "public.der").write_bytes(parameters["PublicKey"])
        wrapped = openssl(tmp_path, *public, *oaep, input=material)
        more.setdefault("ExpirationModel", "KEY_MATERIAL_DOES_NOT_EXPIRE")
        token = parameters["ImportToken"]
        kms.import_key_material(KeyId=imported, ImportToken=token, EncryptedKeyMaterial=wrapped, **more)

    put(material)
    assert kms.describe_key(KeyId=imported)["KeyMetadata"]["KeyState"] == "Enabled"
    blob = kms.encrypt(KeyId=imported, Plaintext=b"kept")["CiphertextBlob"]
    kms.delete_imported_key_material(KeyId=imported)
    assert kms.describe_key(KeyId=imported)["KeyMetadata"]["KeyState"] == "PendingImport"
    with refused("IncorrectKeyMaterialException", 400):
        put(os.urandom(32))
    put(material)
    assert kms.decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"


def test_the_key_policy_decides(root, other):
    kms = root.client("kms")
    user = root.user("reader", allow("kms:*"))
    key = kms.create_key()["KeyMetadata"]
    blob = user.client("kms").encrypt(KeyId=key["KeyId"], Plaintext=b"x")["CiphertextBlob"]
    alone = policy(
        {"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{root.account}:root"}, "Action": "kms:Put*", "Resource": "*"}
    )
    kms.put_key_policy(KeyId=key["KeyId"], Policy=alone)
    # The identity policy allows everything, and the key policy does not let it.
    with refused("AccessDeniedException", 400):
        user.client("kms").decrypt(CiphertextBlob=blob)
    with refused("AccessDeniedException", 400):
        kms.decrypt(CiphertextBlob=blob)
    locked = policy({"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{other.account}:root"}, "Action": "kms:*", "Resource": "*"})
    with refused("MalformedPolicyDocumentException", 400):
        kms.put_key_policy(KeyId=key["KeyId"], Policy=locked)
    # Another account may once the key policy says so.
    shared = policy(
        {
            "Effect": "Allow",
            "Principal": {"AWS": [f"arn:aws:iam::{account}:root" for account in (root.account, other.account)]},
            "Action": "kms:*",
            "Resource": "*",
        }
    )
    kms.put_key_policy(KeyId=key["KeyId"], Policy=shared)
    assert other.client("kms").decrypt(CiphertextBlob=blob)["KeyId"] == key["Arn"]


def test_a_grant_allows_what_it_says(root):
    kms = root.client("kms")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    user = root.user("grantee")
    context = {"tenant": "blue"}
    blob = kms.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context)["CiphertextBlob"]
    bare = kms.encrypt(KeyId=key, Plaintext=b"x")["CiphertextBlob"]
    theirs = user.client("kms")
    with refused("AccessDeniedException", 400):
        theirs.decrypt(CiphertextBlob=blob, EncryptionContext=context)
    arn = f"arn:aws:iam::{root.account}:user/grantee"
    grant = kms.create_grant(
        KeyId=key,
        GranteePrincipal=arn,
        RetiringPrincipal=arn,
        Operations=["Decrypt", "RetireGrant"],
        Constraints={"EncryptionContextSubset": context},
    )
    tokens = [grant["GrantToken"]]
    opened = theirs.decrypt(CiphertextBlob=blob, EncryptionContext=context, GrantTokens=tokens)
    assert opened["Plaintext"] == b"x"
    for call in (
        lambda: theirs.decrypt(CiphertextBlob=bare),
        lambda: theirs.encrypt(KeyId=key, Plaintext=b"x", EncryptionContext=context),
    ):
        with refused("AccessDeniedException", 400):
            call()
    assert [each["GrantId"] for each in kms.list_grants(KeyId=key)["Grants"]] == [grant["GrantId"]]
    assert kms.list_retirable_grants(RetiringPrincipal=arn)["Grants"][0]["GranteePrincipal"] == arn
    theirs.retire_grant(GrantToken=grant["GrantToken"])
    with refused("AccessDeniedException", 400):
        theirs.decrypt(CiphertextBlob=blob, EncryptionContext=context)


def test_ciphertexts_survive_a_kill_and_the_root_key_is_needed(start):
    cloud = start()
    root = Caller(cloud.endpoint, "222200000009", "222200000009", "test")
    kms = root.client("kms")
    key = new_key(kms)
    blob = kms.encrypt(KeyId=key, Plaintext=b"kept")["CiphertextBlob"]
    cloud.kill()
    file = cloud.data / "ROOT_KEY"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    cloud.start()
    assert root.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
    cloud.kill()
    right = file.read_text()
    assert right.strip().encode() not in b"".join(path.read_bytes() for path in cloud.data.rglob("*.jnl"))
    command = [cloud.binary, "start", "--listen", "127.0.0.1:0", "--data-dir", cloud.data]
    for wrong, why in ((None, "ROOT_KEY is missing"), ("00" * 32, "is not the root key"), ("12", "64 hexadecimal")):
        file.unlink()
        if wrong is not None:
            file.write_text(wrong)
            file.chmod(0o600)
        done = subprocess.run(command, capture_output=True, text=True, timeout=60, env=server_environment())
        assert done.returncode != 0 and why in done.stderr, done.stderr
        if wrong is None:
            file.write_text("")
    file.write_text(right)
    cloud.start()
    root = Caller(cloud.endpoint, root.account, root.account, "test")
    assert root.client("kms").decrypt(CiphertextBlob=blob)["Plaintext"] == b"kept"
