"""A plugin of pytest: most of PyKCS11's tests skip themselves on what is no SoftHSM 2, so they are told that every module is one."""

from PyKCS11 import PyKCS11Lib

of_module = PyKCS11Lib.getInfo


def get_info(self):
    info = of_module(self)
    info.libraryVersion = (2, 6)
    info.manufacturerID = "SoftHSM".ljust(32)
    return info


PyKCS11Lib.getInfo = get_info
