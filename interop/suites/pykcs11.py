"""What programs do with PyKCS11, on the module and with the PIN of the command line. Python's cryptography checks what the token makes."""

import sys

import PyKCS11
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa, utils
from PyKCS11 import CK_TRUE, Mechanism
from PyKCS11 import LowLevel as ck

MESSAGE = b"to be signed, or to be kept secret"
P256 = bytes.fromhex("06082a8648ce3d030107")


def roles(label, *more):
    """The template of a token object with some roles, and other attributes."""
    more = [kind if isinstance(kind, tuple) else (kind, CK_TRUE) for kind in more]
    return [(ck.CKA_TOKEN, CK_TRUE), (ck.CKA_LABEL, label), (ck.CKA_ID, label.encode()), *more]


def signs(session, public, private, mechanism, check):
    """Signs; another implementation and the token itself verify, and refuse another message."""
    signature = bytes(session.sign(private, MESSAGE, mechanism))
    check(signature)
    assert session.verify(public, MESSAGE, signature, mechanism)
    assert not session.verify(public, MESSAGE + b"!", signature, mechanism)


def rsa_keys(session):
    public, private = session.generateKeyPair(
        roles("rsa", ck.CKA_VERIFY, ck.CKA_ENCRYPT, (ck.CKA_MODULUS_BITS, 2048), (ck.CKA_PUBLIC_EXPONENT, (1, 0, 1))),
        roles("rsa", ck.CKA_SIGN, ck.CKA_DECRYPT),
    )
    numbers = session.getAttributeValue(public, [ck.CKA_PUBLIC_EXPONENT, ck.CKA_MODULUS])
    elsewhere = rsa.RSAPublicNumbers(*(int.from_bytes(bytes(number), "big") for number in numbers)).public_key()

    pkcs1 = padding.PKCS1v15()
    mechanism = Mechanism(ck.CKM_SHA256_RSA_PKCS)
    signs(session, public, private, mechanism, lambda signature: elsewhere.verify(signature, MESSAGE, pkcs1, hashes.SHA256()))
    pss = padding.PSS(padding.MGF1(hashes.SHA384()), 48)
    mechanism = PyKCS11.RSA_PSS_Mechanism(ck.CKM_SHA384_RSA_PKCS_PSS, ck.CKM_SHA384, ck.CKG_MGF1_SHA384, 48)
    signs(session, public, private, mechanism, lambda signature: elsewhere.verify(signature, MESSAGE, pss, hashes.SHA384()))

    oaep = padding.OAEP(padding.MGF1(hashes.SHA1()), hashes.SHA1(), None)
    mechanism = PyKCS11.RSAOAEPMechanism(ck.CKM_SHA_1, ck.CKG_MGF1_SHA1)
    for sealed in (elsewhere.encrypt(MESSAGE, oaep), session.encrypt(public, MESSAGE, mechanism)):
        assert bytes(session.decrypt(private, sealed, mechanism)) == MESSAGE

    (hidden,) = session.getAttributeValue(private, [ck.CKA_PRIVATE_EXPONENT])
    assert hidden is None, "the private key can be read"


def elliptic_keys(session):
    public, private = session.generateKeyPair(
        roles("ec", ck.CKA_VERIFY, (ck.CKA_EC_PARAMS, P256)),
        roles("ec", ck.CKA_SIGN),
        Mechanism(ck.CKM_EC_KEY_PAIR_GEN),
    )
    point = bytes(session.getAttributeValue(public, [ck.CKA_EC_POINT])[0])[2:]
    elsewhere = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)

    def check(signature):
        r, s = (int.from_bytes(half, "big") for half in (signature[:32], signature[32:]))
        elsewhere.verify(utils.encode_dss_signature(r, s), MESSAGE, ec.ECDSA(hashes.SHA256()))

    signs(session, public, private, Mechanism(ck.CKM_ECDSA_SHA256), check)


def secret_keys(session):
    key = session.generateKey(roles("aes", ck.CKA_ENCRYPT, ck.CKA_DECRYPT, (ck.CKA_VALUE_LEN, 32)))
    nonce = session.generateRandom(12)
    modes = [
        Mechanism(ck.CKM_AES_CBC_PAD, bytes(range(16))),
        PyKCS11.AES_CTR_Mechanism(128, bytes(range(16))),
        PyKCS11.AES_GCM_Mechanism(nonce, b"additional", 128),
    ]
    for mode in modes:
        sealed = bytes(session.encrypt(key, MESSAGE, mode))
        assert sealed != MESSAGE and bytes(session.decrypt(key, sealed, mode)) == MESSAGE


def objects(session):
    """Finds by all that tells the objects apart, and removes them."""
    for label, count in (("rsa", 2), ("ec", 2), ("aes", 1)):
        found = session.findObjects([(ck.CKA_LABEL, label)])
        assert len(found) == count, f"{label}: {found}"
    (private,) = session.findObjects([(ck.CKA_CLASS, ck.CKO_PRIVATE_KEY), (ck.CKA_KEY_TYPE, ck.CKK_EC)])
    assert session.getAttributeValue(private, [ck.CKA_LABEL, ck.CKA_SIGN, ck.CKA_LOCAL]) == ["ec", True, True]
    session.setAttributeValue(private, [(ck.CKA_LABEL, "renamed")])
    (renamed,) = session.findObjects([(ck.CKA_LABEL, "renamed"), (ck.CKA_CLASS, ck.CKO_PRIVATE_KEY)])
    assert renamed.value() == private.value()
    for kind in (ck.CKO_PUBLIC_KEY, ck.CKO_PRIVATE_KEY, ck.CKO_SECRET_KEY):
        for found in session.findObjects([(ck.CKA_CLASS, kind)]):
            session.destroyObject(found)
    assert not session.findObjects()


def nothing_happens_to_slots(library):
    try:
        library.waitForSlotEvent(ck.CKF_DONT_BLOCK)
    except PyKCS11.PyKCS11Error as error:
        assert error.value == ck.CKR_NO_EVENT, error
    else:
        raise AssertionError("an event")


module, pin = sys.argv[1:]
pkcs11 = PyKCS11.PyKCS11Lib()
pkcs11.load(module)
token = pkcs11.openSession(pkcs11.getSlotList(tokenPresent=True)[0], ck.CKF_SERIAL_SESSION | ck.CKF_RW_SESSION)
token.login(pin)
rsa_keys(token)
elliptic_keys(token)
secret_keys(token)
objects(token)
nothing_happens_to_slots(pkcs11)
token.logout()
token.closeSession()
