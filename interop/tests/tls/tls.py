"""A server and a client that prove themselves to each other with the key web.pem, in one process and then in two."""

import os
import socket
import ssl
import threading


def side(protocol):
    context = ssl.SSLContext(protocol)
    context.load_cert_chain("web.crt", "web.pem")
    context.load_verify_locations("web.crt")
    context.verify_mode = ssl.CERT_REQUIRED
    return context


server, client = side(ssl.PROTOCOL_TLS_SERVER), side(ssl.PROTOCOL_TLS_CLIENT)


def serve(connection):
    with server.wrap_socket(connection, server_side=True) as tls:
        subject = dict(pair for (pair,) in tls.getpeercert()["subject"])
        tls.sendall(f"{tls.version()} {subject['commonName']}".encode())


def fetch(connection, version):
    client.maximum_version = version
    with client.wrap_socket(connection, server_hostname="localhost") as tls:
        print(tls.recv(100).decode(), flush=True)


for forking in (False, True):
    for version in (ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3):
        here, there = socket.socketpair()
        if not forking:
            thread = threading.Thread(target=serve, args=(there,))
            thread.start()
            fetch(here, version)
            thread.join()
        elif (child := os.fork()) == 0:
            here.close()
            serve(there)
            os._exit(0)
        else:
            there.close()
            fetch(here, version)
            assert os.waitpid(child, 0)[1] == 0
