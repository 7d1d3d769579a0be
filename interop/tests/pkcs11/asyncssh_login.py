"""A server of asyncssh lets in a client whose keys are in the token; usage: asyncssh_login.py MODULE TOKEN. Prints the keys' algorithms."""

import asyncio
import base64
import sys

import asyncssh


def greet(process: asyncssh.SSHServerProcess) -> None:
    process.stdout.write("hello")
    process.exit(0)


async def main(module: str, token: str) -> None:
    # X.509 certificates of the token need pyOpenSSL.
    keys = asyncssh.load_pkcs11_keys(module, token_label=token, load_certs=False)
    for key in keys:
        public = base64.b64encode(key.public_data).decode()
        authorized = asyncssh.import_authorized_keys(f"{key.algorithm.decode()} {public}\n")
        host = asyncssh.generate_private_key("ssh-ed25519")
        server = await asyncssh.listen(
            "127.0.0.1", 0, server_host_keys=[host], authorized_client_keys=authorized, process_factory=greet)
        async with server:
            known = ([host.convert_to_public()], [], [])
            async with asyncssh.connect(
                    "127.0.0.1", server.get_port(), username="user", client_keys=[key], known_hosts=known, agent_path=None) as client:
                said = await client.run("greet", check=True)
                assert said.stdout == "hello", said
        print(key.algorithm.decode())


asyncio.run(main(*sys.argv[1:]))
