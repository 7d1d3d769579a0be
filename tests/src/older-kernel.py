"""Runs a program as on a kernel with an older Landlock: older-kernel.py ABI PROGRAM…; 0 is one without, under a unit of systemd's that
permits no filters either.

A second process answers the question for the version (seccomp_unotify(2)); all other calls go on.
"""
import ctypes, errno, os, platform, socket, struct, sys, fcntl

CREATE_RULESET, VERSION = 444, 1
SECCOMP = {"x86_64": 317, "aarch64": 277}[platform.machine()]
SET_MODE_FILTER, NEW_LISTENER, NO_NEW_PRIVS = 1, 8, 38
ALLOW, NOTIFY, REFUSE, CONTINUE = 0x7FFF0000, 0x7FC00000, 0x00050000 | errno.EPERM, 1
RECEIVE, SEND = 0xC0502100, 0xC0182101

libc = ctypes.CDLL(None, use_errno=True)


def listener(abi):
    steps = [(0x20, 0, 0, 0), (0x15, 0, 1, CREATE_RULESET), (0x06, 0, 0, NOTIFY)]
    steps += [] if abi else [(0x15, 0, 1, SECCOMP), (0x06, 0, 0, REFUSE)]
    steps += [(0x06, 0, 0, ALLOW)]
    code = b"".join(struct.pack("HBBI", *step) for step in steps)
    filters = ctypes.create_string_buffer(code)
    program = ctypes.create_string_buffer(struct.pack("HxxxxxxP", len(steps), ctypes.addressof(filters)))
    libc.prctl(NO_NEW_PRIVS, 1, 0, 0, 0)
    descriptor = libc.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, program)
    if descriptor < 0:
        sys.exit(f"no filter: {os.strerror(ctypes.get_errno())}")
    return descriptor


def serve(descriptor, abi):
    while True:
        request = bytearray(80)
        try:
            fcntl.ioctl(descriptor, RECEIVE, request)
        except OSError as error:
            if error.errno == errno.EINTR:
                continue
            return
        identity, call = struct.unpack_from("Q8xi", request)
        flags = struct.unpack_from("Q", request, 16 + 16 + 2 * 8)[0]
        if flags != VERSION:
            answer = struct.pack("QqiI", identity, 0, 0, CONTINUE)
        elif abi:
            answer = struct.pack("QqiI", identity, abi, 0, 0)
        else:
            answer = struct.pack("QqiI", identity, 0, -errno.EOPNOTSUPP, 0)
        fcntl.ioctl(descriptor, SEND, answer)


abi = int(sys.argv[1])
here, there = socket.socketpair()
if os.fork() == 0:
    here.close()
    descriptor = socket.recv_fds(there, 1, 1)[1][0]
    serve(descriptor, abi)
    os._exit(0)
there.close()
descriptor = listener(abi)
socket.send_fds(here, [b"x"], [descriptor])
os.execvp(sys.argv[2], sys.argv[2:])
