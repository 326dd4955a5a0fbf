"""The installer for roll-outs: a package of the Windows Installer, which msitools makes of the folder."""

import hashlib
import os
import re
import struct
import subprocess
import tempfile
from collections.abc import Iterator
from pathlib import Path
from uuid import UUID, uuid5
from xml.sax.saxutils import quoteattr

from strongroom_agent import __version__

from deploy.agents import compiled

_PRODUCT = UUID("5d1c2f6e-6f43-4a41-9a35-7e0d0f1f7b52")
"""Never changes: by it Windows knows a later version as one of the same product."""
_NUMBER = re.compile(r"\{[0-9A-F-]{36}\}")
_IS_TIME = b"\x40\0\0\0"
_TIME = re.compile(re.escape(_IS_TIME) + rb".{6}[\xd0-\xef]\x01", re.DOTALL)
"""A time in the summary, counted in steps of 100 ns from 1601: from 2005 to 2059."""
_SINCE_1601 = 11_644_473_600  # seconds to 1970
_SUMMARY = 512  # bytes on both sides of the number, which the whole summary lies in
_WHOLE = """\
<?xml version="1.0" encoding="utf-8"?>
<Wix xmlns="http://schemas.microsoft.com/wix/2006/wi">
  <Product Id="{code}" Name="Strongroom agent" UpgradeCode="{product}" Version="{version}" Language="1033"
      Manufacturer="Strongroom">
    <Package InstallerVersion="500" Compressed="yes" InstallScope="perMachine"
        Description="Strongroom agent" Manufacturer="Strongroom"/>
    <Media Id="1" Cabinet="agent.cab" EmbedCab="yes"/>
    <MajorUpgrade DowngradeErrorMessage="A newer strongroom-agent is installed. Remove it first."/>
    <Property Id="WINDOWSMAJOR">
      <RegistrySearch Id="WindowsMajor" Root="HKLM" Key="SOFTWARE\\Microsoft\\Windows NT\\CurrentVersion"
          Name="CurrentMajorVersionNumber" Type="raw"/>
    </Property>
    <Condition Message="strongroom-agent needs Windows 10, Windows Server 2016 or newer.">
      Installed OR WINDOWSMAJOR
    </Condition>
    <Directory Id="TARGETDIR" Name="SourceDir">
      <Directory Id="ProgramFiles64Folder">
        <Directory Id="INSTALLDIR" Name="strongroom-agent">
{folders}
        </Directory>
      </Directory>
    </Directory>
    <Feature Id="Agent" Title="Strongroom agent" Level="1">
{components}
    </Feature>
  </Product>
</Wix>
"""
# What wixl has no elements for: the PATH of all users; who may do what in the folder, by SDDL; and the end of the
# schedule of whoever uninstalls, while the program is there (82: a file of ours, its failure does not matter).
_TABLES = (
    "CREATE TABLE `Environment` (`Environment` CHAR(72) NOT NULL, `Name` CHAR(255) NOT NULL LOCALIZABLE, "
    "`Value` CHAR(255) LOCALIZABLE, `Component_` CHAR(72) NOT NULL PRIMARY KEY `Environment`)",
    "INSERT INTO `Environment` (`Environment`, `Name`, `Value`, `Component_`) "
    "VALUES ('Path', '=-*Path', '[~];[INSTALLDIR]', '{component}')",
    "CREATE TABLE `MsiLockPermissionsEx` (`MsiLockPermissionsEx` CHAR(72) NOT NULL, `LockObject` CHAR(72) NOT NULL, "
    "`Table` CHAR(32) NOT NULL, `SDDLText` CHAR(255) NOT NULL, `Condition` CHAR(255) "
    "PRIMARY KEY `MsiLockPermissionsEx`)",
    "INSERT INTO `MsiLockPermissionsEx` (`MsiLockPermissionsEx`, `LockObject`, `Table`, `SDDLText`) "
    "VALUES ('Folder', 'INSTALLDIR', 'CreateFolder', "
    "'D:P(A;OICI;FA;;;SY)(A;OICI;FA;;;BA)(A;OICI;0x1200a9;;;BU)')",
    "INSERT INTO `CustomAction` (`Action`, `Type`, `Source`, `Target`) "
    "VALUES ('ScheduleOff', 82, '{program}', 'schedule off')",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) "
    "VALUES ('ScheduleOff', 'REMOVE=\"ALL\" AND NOT UPGRADINGPRODUCTCODE', 1505)",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) "
    "VALUES ('WriteEnvironmentStrings', '', 5200)",
    "INSERT INTO `InstallExecuteSequence` (`Action`, `Condition`, `Sequence`) "
    "VALUES ('RemoveEnvironmentStrings', '', 3300)",
)


def pack(tree: Path, output: Path, version: str = __version__) -> None:
    """Make the package of what lies in `tree`."""
    names = _Names(tree)
    folders = "\n".join(names.folder(tree, "INSTALLDIR"))
    components = "\n".join(f'      <ComponentRef Id="{each}"/>' for each in names.components)
    codes = {"code": _code("code", version), "product": _braced(_PRODUCT)}
    words = {"version": version, "folders": folders, "components": components, **codes}
    with tempfile.TemporaryDirectory() as scratch:
        described = Path(scratch) / "agent.wxs"
        described.write_text(_WHOLE.format(**words), encoding="utf-8")
        _run("wixl", "-a", "x64", "-D", "Win64=yes", "-o", str(output.absolute()), str(described), folder=tree)
    known = {"component": names.components[0], "program": names.files[tree / "strongroom-agent.exe"]}
    for query in _TABLES:
        _run("msibuild", str(output), "-q", query.format(**known))
    _same_again(output)


def _same_again(package: Path) -> None:
    """Write over what msitools makes up anew each time: two times, and the package's number, which now follows from all
    that is in it, as it has to differ where the content does."""
    made_up = _NUMBER.search(_run("msiinfo", "suminfo", str(package)))
    content = package.read_bytes()
    if made_up is None or content.count(made_up[0].encode()) != 1:
        raise SystemExit("msitools has written the package's summary in a way that we do not know.")
    at = content.index(made_up[0].encode())
    begin, end = at - _SUMMARY, at + _SUMMARY
    time = struct.pack("<Q", (int(compiled.SECONDS) + _SINCE_1601) * 10**7)
    timed = _TIME.sub(lambda _: _IS_TIME + time, content[begin:end])
    before, after = content[:begin] + timed[:_SUMMARY], timed[_SUMMARY + len(made_up[0]) :] + content[end:]
    number = _braced(uuid5(_PRODUCT, hashlib.sha256(before + after).hexdigest()))
    package.write_bytes(before + number.encode() + after)


class _Names:
    """The words that the database has for folders and files: numbers, since its names have few characters."""

    def __init__(self, tree: Path) -> None:
        self.tree = tree
        self.components: list[str] = []
        self.files: dict[Path, str] = {}

    def folder(self, folder: Path, key: str) -> Iterator[str]:
        """A component with the files of the folder, then the folders in it."""
        entries = sorted(folder.iterdir())
        files = [each for each in entries if each.is_file()]
        if files:
            self.components.append(name := f"c{len(self.components)}")
            yield f'<Component Id="{name}" Guid="{_code(key, str(folder.name), str(len(self.files)))}" Win64="yes">'
            if key == "INSTALLDIR":
                yield "<CreateFolder/>"
            for number, file in enumerate(files):
                self.files[file] = f"f{len(self.files)}"
                first = ' KeyPath="yes"' if number == 0 else ""
                places = f"Name={quoteattr(file.name)} Source={quoteattr(str(file.relative_to(self.tree)))}"
                yield f'<File Id="{self.files[file]}" {places}{first}/>'
            yield "</Component>"
        for each in entries:
            if each.is_dir():
                below = f"d{len(self.files)}_{len(self.components)}_{len(key)}"
                yield f'<Directory Id="{below}" Name={quoteattr(each.name)}>'
                yield from self.folder(each, below)
                yield "</Directory>"


def _code(*words: str) -> str:
    """The same number for the same words of this version, as the database writes numbers."""
    return _braced(uuid5(_PRODUCT, "\0".join([__version__, *words])))


def _braced(code: UUID) -> str:
    return f"{{{str(code).upper()}}}"


def _run(*command: str, folder: Path | None = None) -> str:
    environment = {**os.environ, "SOURCE_DATE_EPOCH": compiled.SECONDS, "TZ": "UTC"}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False)
    if done.returncode:
        raise SystemExit(f"{command[0]}: {(done.stdout + done.stderr).strip()[-2000:]}")
    return done.stdout
