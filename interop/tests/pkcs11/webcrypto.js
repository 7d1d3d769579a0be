// What node-webcrypto-p11 does with keys of the token: usage: webcrypto.js MODULE

"use strict";

const assert = require("assert");
const { Crypto } = require("node-webcrypto-p11");

const message = Buffer.from("hello");
const publicExponent = new Uint8Array([1, 0, 1]);

async function signs(crypto, algorithm, how) {
  const keys = await crypto.subtle.generateKey({ ...algorithm, token: true, label: algorithm.name }, false, ["sign", "verify"]);
  const signature = await crypto.subtle.sign(how, keys.privateKey, message);
  // Node's own implementation verifies it.
  const spki = await crypto.subtle.exportKey("spki", keys.publicKey);
  const theirs = await globalThis.crypto.subtle.importKey("spki", spki, algorithm, true, ["verify"]);
  assert(await globalThis.crypto.subtle.verify(how, theirs, signature, message));
  assert(!(await globalThis.crypto.subtle.verify(how, theirs, signature, Buffer.from("hullo"))));
  assert(await crypto.subtle.verify(how, keys.publicKey, signature, message));
}

async function seals(crypto, algorithm, how) {
  const made = await crypto.subtle.generateKey(algorithm, false, ["encrypt", "decrypt"]);
  const [to, from] = made.publicKey ? [made.publicKey, made.privateKey] : [made, made];
  const sealed = await crypto.subtle.encrypt(how, to, message);
  assert.deepStrictEqual(Buffer.from(await crypto.subtle.decrypt(how, from, sealed)), message);
}

async function agrees(crypto) {
  const algorithm = { name: "ECDH", namedCurve: "P-256" };
  const ours = await crypto.subtle.generateKey(algorithm, false, ["deriveBits"]);
  const theirs = await globalThis.crypto.subtle.generateKey(algorithm, true, ["deriveBits"]);
  const move = async (from, key, to) => to.subtle.importKey("raw", await from.subtle.exportKey("raw", key), algorithm, true, []);
  const there = await globalThis.crypto.subtle.deriveBits(
    { name: "ECDH", public: await move(crypto, ours.publicKey, globalThis.crypto) }, theirs.privateKey, 256);
  const here = await crypto.subtle.deriveBits(
    { name: "ECDH", public: await move(globalThis.crypto, theirs.publicKey, crypto) }, ours.privateKey, 256);
  assert.deepStrictEqual(Buffer.from(here), Buffer.from(there));
}

async function main() {
  const crypto = new Crypto({ library: process.argv[2], slot: 0, readWrite: true });
  const rsa = { modulusLength: 2048, publicExponent, hash: "SHA-256" };
  await signs(crypto, { name: "RSASSA-PKCS1-v1_5", ...rsa }, { name: "RSASSA-PKCS1-v1_5" });
  await signs(crypto, { name: "RSA-PSS", ...rsa }, { name: "RSA-PSS", saltLength: 32 });
  await signs(crypto, { name: "ECDSA", namedCurve: "P-256" }, { name: "ECDSA", hash: "SHA-256" });
  await signs(crypto, { name: "ECDSA", namedCurve: "P-384" }, { name: "ECDSA", hash: "SHA-384" });
  // It makes this of raw RSA where the token lists that, and its keys do not name raw RSA.
  await assert.rejects(seals(crypto, { name: "RSA-OAEP", ...rsa }, { name: "RSA-OAEP" }), /CKR_MECHANISM_INVALID/);
  await seals(crypto, { name: "AES-GCM", length: 256 }, { name: "AES-GCM", iv: Buffer.alloc(12, 7) });
  await seals(crypto, { name: "AES-CBC", length: 256 }, { name: "AES-CBC", iv: Buffer.alloc(16, 7) });
  await agrees(crypto);
  crypto.close();
}

main().catch((error) => {
  console.error(error);
  process.exitCode = 1;
});
