"""Certificates and identity providers that tests make for themselves."""

import base64
import datetime
import uuid
from dataclasses import dataclass

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from cryptography.x509.oid import NameOID
from lxml import etree
from signxml import XMLSigner, methods

SIGN_IN = "https://signin.aws.amazon.com/saml"
ATTRIBUTES = "https://aws.amazon.com/SAML/Attributes/"
NAMES = {
    "p": "urn:oasis:names:tc:SAML:2.0:protocol",
    "a": "urn:oasis:names:tc:SAML:2.0:assertion",
    "md": "urn:oasis:names:tc:SAML:2.0:metadata",
    "ds": "http://www.w3.org/2000/09/xmldsig#",
}


def utc(secs=0):
    """The time in so many seconds."""
    return datetime.datetime.now(datetime.timezone.utc) + datetime.timedelta(seconds=secs)


@dataclass
class Certificate:
    """A certificate that its own key has signed."""

    key: rsa.RSAPrivateKey
    certificate: x509.Certificate

    @classmethod
    def make(cls, name):
        key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        builder = x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        builder = builder.not_valid_before(utc(-3600)).not_valid_after(utc(86_400))
        return cls(key, builder.sign(key, hashes.SHA256()))

    @property
    def pem(self):
        return self.certificate.public_bytes(serialization.Encoding.PEM).decode()

    @property
    def key_pem(self):
        form = serialization.PrivateFormat.TraditionalOpenSSL
        none = serialization.NoEncryption()
        return self.key.private_bytes(serialization.Encoding.PEM, form, none).decode()

    def ssh_key(self):
        """The public key as SSH writes it."""
        form = serialization.PublicFormat.OpenSSH
        return self.key.public_key().public_bytes(serialization.Encoding.OpenSSH, form).decode()

    def metadata(self, entity):
        """What an identity provider that signs with this says of itself."""
        der = self.certificate.public_bytes(serialization.Encoding.DER)
        return (
            f'<md:EntityDescriptor xmlns:md="{NAMES["md"]}" entityID="{entity}">'
            f'<md:IDPSSODescriptor protocolSupportEnumeration="{NAMES["p"]}"><md:KeyDescriptor use="signing">'
            f'<ds:KeyInfo xmlns:ds="{NAMES["ds"]}"><ds:X509Data><ds:X509Certificate>{base64.b64encode(der).decode()}'
            "</ds:X509Certificate></ds:X509Data></ds:KeyInfo></md:KeyDescriptor>"
            '<md:SingleSignOnService Binding="urn:oasis:names:tc:SAML:2.0:bindings:HTTP-POST"'
            f' Location="{entity}/sso"/></md:IDPSSODescriptor></md:EntityDescriptor>'
        )


class SamlProvider:
    """An identity provider that signs its assertions."""

    def __init__(self, entity="https://idp.example"):
        self.entity = entity
        self.certificate = Certificate.make("idp.example")

    @property
    def metadata(self):
        return self.certificate.metadata(self.entity)

    def response(self, attributes, subject="ann", audience="urn:amazon:webservices", ends_in=300, signed=True):
        """A response in base 64 whose assertion is signed; attributes are short names of AWS's and lists of values."""
        response = etree.fromstring(self._response(attributes, subject, audience, ends_in))
        if signed:
            assertion = response.find("a:Assertion", NAMES)
            signer = XMLSigner(
                method=methods.enveloped,
                signature_algorithm="rsa-sha256",
                digest_algorithm="sha256",
                c14n_algorithm="http://www.w3.org/2001/10/xml-exc-c14n#",
            )
            done = signer.sign(
                assertion,
                key=self.certificate.key,
                cert=[self.certificate.certificate],
                reference_uri=assertion.get("ID"),
            )
            response.replace(assertion, done)
        return base64.b64encode(etree.tostring(response)).decode()

    def _response(self, attributes, subject, audience, ends_in):
        form = "%Y-%m-%dT%H:%M:%SZ"
        now, end = utc().strftime(form), utc(ends_in).strftime(form)
        values = "".join(
            f'<a:Attribute Name="{ATTRIBUTES}{name}">'
            + "".join(f"<a:AttributeValue>{value}</a:AttributeValue>" for value in values)
            + "</a:Attribute>"
            for name, values in attributes.items()
        )
        return (
            f'<p:Response xmlns:p="{NAMES["p"]}" xmlns:a="{NAMES["a"]}" ID="_{uuid.uuid4()}" Version="2.0"'
            f' IssueInstant="{now}" Destination="{SIGN_IN}"><a:Issuer>{self.entity}</a:Issuer>'
            '<p:Status><p:StatusCode Value="urn:oasis:names:tc:SAML:2.0:status:Success"/></p:Status>'
            f'<a:Assertion ID="_{uuid.uuid4()}" Version="2.0" IssueInstant="{now}"><a:Issuer>{self.entity}</a:Issuer>'
            f'<a:Subject><a:NameID Format="urn:oasis:names:tc:SAML:2.0:nameid-format:persistent">{subject}</a:NameID>'
            '<a:SubjectConfirmation Method="urn:oasis:names:tc:SAML:2.0:cm:bearer">'
            f'<a:SubjectConfirmationData Recipient="{SIGN_IN}" NotOnOrAfter="{end}"/></a:SubjectConfirmation></a:Subject>'
            f'<a:Conditions NotOnOrAfter="{end}"><a:AudienceRestriction><a:Audience>{audience}</a:Audience>'
            f'</a:AudienceRestriction></a:Conditions><a:AuthnStatement AuthnInstant="{now}"><a:AuthnContext>'
            "<a:AuthnContextClassRef>urn:oasis:names:tc:SAML:2.0:ac:classes:Password</a:AuthnContextClassRef>"
            f"</a:AuthnContext></a:AuthnStatement><a:AttributeStatement>{values}</a:AttributeStatement></a:Assertion>"
            "</p:Response>"
        )
