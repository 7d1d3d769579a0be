"""A TLS client that breaks the rules, and two servers with the same keys: ours has references to them, theirs has them in files.

usage: hostile.py OURS-RSA THEIRS-RSA OURS-EC THEIRS-EC CERTIFICATE KEY ROUNDS   (addresses are IP:PORT)
The servers ask for a client certificate; CERTIFICATE with its RSA KEY is one. Prints a line for each probe, with tabs between its
name and what came of it at either server. How long the servers took to answer each kind of padding goes to stderr.
"""

import random
import re
import select
import socket
import statistics
import sys
import time

from tlslite import tlsconnection
from tlslite.api import HandshakeSettings, TLSConnection, X509CertChain, parsePEMKey
from tlslite.constants import AlertDescription, ContentType, HandshakeType, SignatureScheme
from tlslite.errors import TLSAbruptCloseError, TLSLocalAlert, TLSRemoteAlert
from tlslite.extensions import SignatureAlgorithmsExtension
from tlslite.keyexchange import RSAKeyExchange
from tlslite.messages import CertificateVerify, ClientHello, ClientKeyExchange, Message
from tlslite.utils.cryptomath import getRandomBytes, numberToByteArray

TLS_1_2, TLS_1_3 = (3, 3), (3, 4)


class Client(TLSConnection):
    """Sends what `spoil` makes of each message: the same, another, or several."""

    def __init__(self, sock, spoil):
        super().__init__(sock)
        self.raw, self.spoil, self.closeSocket, self.start, self.took = sock, spoil, False, None, None

    def _sendMsg(self, message, *args, **kwargs):
        self.start = time.perf_counter()
        spoiled = self.spoil(message)
        for each in spoiled if isinstance(spoiled, list) else [spoiled]:
            yield from super()._sendMsg(each, *args, **kwargs)

    def _getFinished(self, *args, **kwargs):
        select.select([self.raw], [], [], 60)
        self.took = time.perf_counter() - self.start
        yield from super()._getFinished(*args, **kwargs)


class Padded(RSAKeyExchange):
    """The exchange of a secret within `block`, which is to the server's key what it makes of the secret."""

    block = None

    def processServerKeyExchange(self, key, message):
        secret = bytearray([3, 3]) + getRandomBytes(46)
        size = (key.n.bit_length() + 7) // 8
        block, secret = type(self).block(size, secret)
        number = pow(int.from_bytes(block, "big"), key.e, key.n)
        self.encPremasterSecret = numberToByteArray(number, size)
        return secret


def padding(size, first=b"\0\2", zero_at=None, zero=b"\0", secret=b""):
    """A block as of PKCS#1 v1.5, but for what is said otherwise."""
    filler = bytearray(random.choices(range(1, 256), k=size - len(first) - len(zero) - len(secret)))
    if zero_at is not None:
        filler[zero_at] = 0
    return first + bytes(filler) + zero + bytes(secret)


VALID = "valid"
PADDINGS = {
    VALID: lambda size, secret: (padding(size, secret=secret), secret),
    "first byte 1": lambda size, secret: (padding(size, b"\1\2", secret=secret), secret),
    "second byte 1": lambda size, secret: (padding(size, b"\0\1", secret=secret), secret),
    "second byte 3": lambda size, secret: (padding(size, b"\0\3", secret=secret), secret),
    "no zero": lambda size, secret: (padding(size, zero=b"\1", secret=secret.replace(b"\0", b"\1")), secret),
    "zero at once": lambda size, secret: (padding(size, zero_at=0, secret=secret), secret),
    "zero in the eighth place": lambda size, secret: (padding(size, zero_at=7, secret=secret), secret),
    "another zero": lambda size, secret: (padding(size, zero_at=100, secret=secret), secret),
    "nothing within": lambda size, secret: (padding(size), bytearray()),
    "47 bytes": lambda size, secret: (padding(size, secret=secret[:47]), secret[:47]),
    "49 bytes": lambda size, secret: (padding(size, secret=secret + b"x"), secret + b"x"),
    "version of TLS 1.1": lambda size, secret: of_version(size, b"\3\2", secret),
    "version 0": lambda size, secret: of_version(size, b"\0\0", secret),
    "noise": lambda size, secret: (b"\0" + getRandomBytes(size - 1), secret),
}


def of_version(size, version, secret):
    secret = bytearray(version) + secret[2:]
    return padding(size, secret=secret), secret


def of(kind, change):
    """Spoils messages of one class only."""
    return lambda message: change(message) if isinstance(message, kind) else message


def raw(kind, body):
    return Message(ContentType.handshake, bytearray([kind]) + len(body).to_bytes(3, "big") + bytearray(body))


def key_exchange(change):
    """Changes the body of the ClientKeyExchange."""
    return of(ClientKeyExchange, lambda message: raw(HandshakeType.client_key_exchange, change(bytes(message.write())[4:])))


STATIC_KEY_EXCHANGES = {
    "empty": lambda body: b"",
    "no ciphertext": lambda body: b"\0\0",
    "length alone": lambda body: body[:2],
    "cut off": lambda body: body[:-1],
    "one byte more": lambda body: body + b"x",
    "length too short": lambda body: (255).to_bytes(2, "big") + body[2:],
    "length too long": lambda body: (257).to_bytes(2, "big") + body[2:],
    "without a length": lambda body: body[2:],
    "shorter ciphertext": lambda body: (255).to_bytes(2, "big") + body[2:-1],
    "longer ciphertext": lambda body: (257).to_bytes(2, "big") + body[2:] + b"x",
    "shortest ciphertext": lambda body: (1).to_bytes(2, "big") + body[-1:],
    "ciphertext 0": lambda body: body[:2] + bytes(256),
    "ciphertext 1": lambda body: body[:2] + bytes(255) + b"\1",
    "ciphertext beyond the modulus": lambda body: body[:2] + b"\xff" * 256,
    "one bit changed": lambda body: body[:-1] + bytes([body[-1] ^ 1]),
}

EPHEMERAL_KEY_EXCHANGES = {
    "empty": lambda body: b"",
    "no point": lambda body: b"\0",
    "cut off": lambda body: body[:-1],
    "one byte more": lambda body: body + b"x",
    "point at infinity": lambda body: b"\1\0",
    "point of zeros": lambda body: body[:1] + bytes(len(body) - 1),
    "point of ones": lambda body: body[:1] + b"\xff" * (len(body) - 1),
    "point that is none": lambda body: body[:-1] + bytes([body[-1] ^ 1]),
}


def scheme_list(*schemes):
    extension = SignatureAlgorithmsExtension().create(list(schemes))

    def change(hello):
        kept = [each for each in hello.extensions if each.extType != extension.extType]
        hello.extensions = kept if schemes == (None,) else [extension] + kept
        return hello

    return of(ClientHello, change)


S = SignatureScheme
UNKNOWN = [(0xFE, 0xFE), (0, 0), (0x2A, 0x2A)]
ALGORITHM_LISTS = {
    "none sent": [None],
    "empty": [],
    "unknown ones": UNKNOWN,
    "SHA-1 for RSA": [S.rsa_pkcs1_sha1],
    "SHA-1 for ECDSA": [S.ecdsa_sha1],
    "SHA-1 first": [S.rsa_pkcs1_sha1, S.ecdsa_sha1, S.rsa_pss_rsae_sha256, S.ecdsa_secp256r1_sha256],
    "SHA-224": [S.rsa_pkcs1_sha224, S.ecdsa_sha224],
    "PKCS#1 with SHA-256": [S.rsa_pkcs1_sha256],
    "PKCS#1 with SHA-512": [S.rsa_pkcs1_sha512],
    "PSS with SHA-256": [S.rsa_pss_rsae_sha256],
    "PSS with SHA-384": [S.rsa_pss_rsae_sha384],
    "PSS with SHA-512": [S.rsa_pss_rsae_sha512],
    "PSS for PSS keys": [S.rsa_pss_pss_sha256],
    "P-256": [S.ecdsa_secp256r1_sha256],
    "P-384": [S.ecdsa_secp384r1_sha384],
    "Ed25519": [S.ed25519],
    "DSA": [S.dsa_sha256],
    "duplicates": [S.rsa_pss_rsae_sha384] * 20 + [S.ecdsa_secp256r1_sha256] * 20,
    "unknown ones before a good one": UNKNOWN + [S.rsa_pkcs1_sha512, S.rsa_pss_rsae_sha512, S.ecdsa_secp256r1_sha256],
    "very many": [(0xFE, low) for low in range(255)] * 8 + [S.rsa_pss_rsae_sha256, S.ecdsa_secp256r1_sha256],
}


def proof(signature=None, algorithm=None):
    def change(message):
        if signature:
            message.signature = signature(bytearray(message.signature))
        if algorithm:
            message.signatureAlgorithm = algorithm
        return message

    return of(CertificateVerify, change)


def one_bit_changed(signature):
    signature[-1] ^= 1
    return signature


CLIENT_PROOFS = {
    "as it should be": lambda message: message,
    "one bit changed": proof(one_bit_changed),
    "no signature": proof(lambda signature: bytearray()),
    "signature of zeros": proof(lambda signature: bytearray(len(signature))),
    "signature beyond the modulus": proof(lambda signature: bytearray(b"\xff" * len(signature))),
    "cut off": proof(lambda signature: signature[:-1]),
    "too long": proof(lambda signature: signature + b"x"),
    "another digest": proof(algorithm=S.rsa_pss_rsae_sha512),
    "another padding": proof(algorithm=S.rsa_pkcs1_sha256),
    "another kind of key": proof(algorithm=S.ecdsa_secp256r1_sha256),
    "SHA-1": proof(algorithm=S.rsa_pkcs1_sha1),
    "an unknown algorithm": proof(algorithm=(0xFE, 0xFE)),
    "missing": of(CertificateVerify, lambda message: []),
    "twice": of(CertificateVerify, lambda message: [message, message]),
    "empty": of(CertificateVerify, lambda message: raw(HandshakeType.certificate_verify, b"")),
}


def settings(version, exchange):
    wanted = HandshakeSettings()
    wanted.minVersion = wanted.maxVersion = version
    wanted.keyExchangeNames = [exchange]
    wanted.cipherNames = ["aes128gcm"]
    # tlslite-ng would compress its certificate for servers that have not asked for it
    wanted.certificate_compression_send = []
    return wanted


def meet(address, version, exchange, spoil=lambda message: message, identity=(None, None)):
    """What comes of a handshake, in words, and how long the server took to answer the client's last flight of TLS 1.2."""
    host, port = address.rsplit(":", 1)
    with socket.create_connection((host, int(port)), timeout=60) as sock:
        tls = Client(sock, spoil)
        try:
            tls.handshakeClientCert(*identity, settings=settings(version, exchange))
            if version == TLS_1_3:
                # a ticket, or a refusal
                tls.read(min=0)
            tls.write(b"GET / HTTP/1.0\r\n\r\n")
            page = bytes(tls.read(max=65536)).decode()
            said = "served " + (re.search("<title>(.*)</title>", page) or re.search("\r\n\r\n(.*)", page)).group(1)
        except TLSRemoteAlert as alert:
            said = f"alert {AlertDescription.toRepr(alert.description)}, {end(sock)}"
        except TLSLocalAlert as alert:
            said = f"the client says {AlertDescription.toRepr(alert.description)}"
        except TLSAbruptCloseError:
            said = "closed without a word"
        except ConnectionError:
            said = "reset"
        scheme = f" after {SignatureScheme.toRepr(tls.serverSigAlg)}" if tls.serverSigAlg else ""
        return said + scheme, tls.took


def end(sock):
    try:
        while sock.recv(65536):
            pass
        return "closed"
    except ConnectionError:
        return "reset"


def set_padding(block):
    tlsconnection.RSAKeyExchange = type("Exchange", (Padded,), {"block": staticmethod(block)})


def report(name, servers, *args, **kwargs):
    print(name, *(meet(server, *args, **kwargs)[0] for server in servers), sep="\t", flush=True)


def time_paddings(servers, rounds):
    """Prints how long each server took to answer each padding: quartiles, and how far the class is from all other invalid ones, as
    the standard score of a rank sum (Mann and Whitney), which one slow machine does not move."""
    took = {(server, name): [] for server in servers for name in PADDINGS}
    for _ in range(rounds):
        for server, name in random.sample(list(took), len(took)):
            set_padding(PADDINGS[name])
            took[server, name].append(meet(server, TLS_1_2, "rsa")[1])
    print(f"microseconds until the answer, {rounds} times\tours: quartiles, z\ttheirs: quartiles, z", file=sys.stderr)
    for name in PADDINGS:
        cells = []
        for server in servers:
            others = [t for other in PADDINGS if other not in (name, VALID) for t in took[server, other]]
            quartiles = " ".join(f"{1e6 * q:.0f}" for q in statistics.quantiles(took[server, name], n=4))
            cells.append(f"{quartiles}  {standard_score(took[server, name], others):+.1f}")
        print(name, *cells, sep="\t", file=sys.stderr)


def standard_score(some, others):
    later = sum((a > b) + (a == b) / 2 for a in some for b in others)
    n, m = len(some), len(others)
    return (later - n * m / 2) / (n * m * (n + m + 1) / 12) ** 0.5


def main(ours_rsa, theirs_rsa, ours_ec, theirs_ec, certificate, key, rounds):
    rsa, ec = (ours_rsa, theirs_rsa), (ours_ec, theirs_ec)
    chain = X509CertChain()
    with open(certificate, encoding="ascii") as file:
        chain.parsePemList(file.read())
    with open(key, encoding="ascii") as file:
        identity = (chain, parsePEMKey(file.read(), private=True))

    for name, block in PADDINGS.items():
        set_padding(block)
        report(f"padding: {name}", rsa, TLS_1_2, "rsa")
    set_padding(PADDINGS[VALID])
    for name, change in STATIC_KEY_EXCHANGES.items():
        report(f"static key exchange: {name}", rsa, TLS_1_2, "rsa", key_exchange(change))
    for kind, servers, exchange in (("RSA", rsa, "ecdhe_rsa"), ("EC", ec, "ecdhe_ecdsa")):
        for name, change in EPHEMERAL_KEY_EXCHANGES.items():
            report(f"{kind}, ephemeral key exchange: {name}", servers, TLS_1_2, exchange, key_exchange(change))
        for version in (TLS_1_2, TLS_1_3):
            here = f"{kind}, TLS 1.{version[1] - 1}"
            for name, schemes in ALGORITHM_LISTS.items():
                report(f"{here}, algorithm list: {name}", servers, version, exchange, scheme_list(*schemes))
            for name, spoil in CLIENT_PROOFS.items():
                report(f"{here}, client's proof: {name}", servers, version, exchange, spoil, identity)
            report(f"{here}, client's certificate: none", servers, version, exchange)
    time_paddings(rsa, int(rounds))


main(*sys.argv[1:])
