"""Access lists of Windows, where the mode of a file says nothing about who may read it.

What is private to root elsewhere is private to the system and its administrators there: also to a person who is one
of them, until they act as one. So a program that runs with that person's everyday rights reads no key.
"""

import ctypes
import errno
import sys
from functools import cache
from pathlib import Path

_SYSTEM, _ADMINISTRATORS, _OWNER = "SY", "BA", "OW"
_TRUSTED = {
    "S-1-5-18",  # the system
    "S-1-5-32-544",  # its administrators
    "S-1-5-80-956008885-3418522649-1831038044-1853292631-2271478464",  # TrustedInstaller, whose the drive is
}
_FILE_OBJECT, _SDDL = 1, 1
_OWNER_INFORMATION, _DACL_INFORMATION = 0x1, 0x4
_PROTECTED = 0x80000000  # nothing is inherited from the folders above
_PERSISTENT_ACLS = 0x8
_TOKEN_QUERY, _TOKEN_USER = 0x8, 1


def elevated() -> bool:
    """Whether this is the system itself or an administrator acting as one; never so but on Windows."""
    return sys.platform == "win32" and bool(ctypes.windll.shell32.IsUserAnAdmin())


def restrict(path: Path) -> None:
    """Leave a file, or a folder with all that is and will be in it, to this user alone; elsewhere than on Windows
    nothing happens.

    OSError when Windows refuses it, where the file system keeps no access lists (FAT), and for a whole drive.
    """
    if sys.platform == "win32":
        path = path.absolute()
        if path.parent == path:
            raise OSError(errno.EINVAL, "it is a whole drive", str(path))
        if not _keeps_lists(path.anchor):
            raise OSError(errno.ENOTSUP, "its file system keeps no access lists, as NTFS does", str(path))
        _apply(path, described(administrator=elevated(), folder=path.is_dir()))


def described(*, administrator: bool, folder: bool) -> str:
    """The access list, in the language that Windows has for it (SDDL). Who is no administrator stays the owner of what
    they make, and reads it as that."""
    inherited = "OICI" if folder else ""
    whose = (_SYSTEM, _ADMINISTRATORS) if administrator else (_SYSTEM, _ADMINISTRATORS, _OWNER)
    owner = f"O:{_ADMINISTRATORS}" if administrator else ""
    return f"{owner}D:P{''.join(f'(A;{inherited};FA;;;{who})' for who in whose)}"


def foreign_owner(path: Path) -> str:
    """The number (SID) of the owner of a file or folder, who may always change who reads it, where that is somebody
    else than this user, the system and its administrators; "" where it is not, and elsewhere than on Windows.

    OSError when it cannot be looked at.
    """
    if sys.platform == "win32":
        owner = _owner(path)
        return "" if owner in _TRUSTED or owner == _user() else owner
    return ""


if sys.platform == "win32":

    def _keeps_lists(drive: str) -> bool:
        flags = ctypes.c_ulong()
        if not ctypes.windll.kernel32.GetVolumeInformationW(drive, None, 0, None, None, ctypes.byref(flags), None, 0):
            raise ctypes.WinError()
        return bool(flags.value & _PERSISTENT_ACLS)

    @cache
    def _advapi() -> ctypes.CDLL:
        library, pointer = ctypes.WinDLL("advapi32", use_last_error=True), ctypes.c_void_p
        library.SetNamedSecurityInfoW.argtypes = [ctypes.c_wchar_p, ctypes.c_int, ctypes.c_ulong, *[pointer] * 4]
        library.GetNamedSecurityInfoW.argtypes = [ctypes.c_wchar_p, ctypes.c_int, ctypes.c_ulong, *[pointer] * 5]
        return library

    def _apply(path: Path, sddl: str) -> None:
        whole, dacl, owner, there, defaulted = *(ctypes.c_void_p() for _ in range(3)), ctypes.c_int(), ctypes.c_int()
        given = _advapi()
        if not given.ConvertStringSecurityDescriptorToSecurityDescriptorW(sddl, _SDDL, ctypes.byref(whole), None):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            given.GetSecurityDescriptorDacl(whole, ctypes.byref(there), ctypes.byref(dacl), ctypes.byref(defaulted))
            given.GetSecurityDescriptorOwner(whole, ctypes.byref(owner), ctypes.byref(defaulted))
            what = _DACL_INFORMATION | _PROTECTED | (_OWNER_INFORMATION if owner else 0)
            if status := given.SetNamedSecurityInfoW(str(path), _FILE_OBJECT, what, owner, None, dacl, None):
                raise ctypes.WinError(status)
        finally:
            _free(whole)

    def _owner(path: Path) -> str:
        whole, owner = ctypes.c_void_p(), ctypes.c_void_p()
        status = _advapi().GetNamedSecurityInfoW(
            str(path), _FILE_OBJECT, _OWNER_INFORMATION, ctypes.byref(owner), None, None, None, ctypes.byref(whole)
        )
        if status:
            raise ctypes.WinError(status)
        try:
            return _text(owner)
        finally:
            _free(whole)

    @cache
    def _user() -> str:
        """The number of the user that this runs as."""
        token, length, buffer = ctypes.c_void_p(), ctypes.c_ulong(), ctypes.create_string_buffer(256)
        kernel, itself = ctypes.windll.kernel32, ctypes.c_void_p(-1)
        if not _advapi().OpenProcessToken(itself, _TOKEN_QUERY, ctypes.byref(token)):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            if not _advapi().GetTokenInformation(token, _TOKEN_USER, buffer, len(buffer), ctypes.byref(length)):
                raise ctypes.WinError(ctypes.get_last_error())
            return _text(ctypes.c_void_p.from_buffer(buffer))
        finally:
            kernel.CloseHandle(token)

    def _text(sid: ctypes.c_void_p) -> str:
        text = ctypes.c_wchar_p()
        if not _advapi().ConvertSidToStringSidW(sid, ctypes.byref(text)):
            raise ctypes.WinError(ctypes.get_last_error())
        try:
            return text.value or ""
        finally:
            _free(text)

    def _free(pointer: ctypes.c_void_p | ctypes.c_wchar_p) -> None:
        ctypes.windll.kernel32.LocalFree(pointer)
