; The installer for people and for scripts: strongroom-agent-….exe [/S] [/D=FOLDER], the latter last and without quotes.
; Exit status: 0 done, 1 stopped by a person, 2 refused or failed, with the reason in a window or, with /S, in
; strongroom-agent-install.log of the folder for temporary files.
; Given on the command line of makensis: VERSION, NUMBERS (four, with dots), TREE, OUTPUT, COMPRESSION,
; SIGN where the uninstaller is to be signed.
Target amd64-unicode
Unicode true
ManifestSupportedOS Win10
ManifestLongPathAware true
SetCompressor ${COMPRESSION}
SetDateSave on
CRCCheck force
RequestExecutionLevel admin
Name "Strongroom agent"
OutFile "${OUTPUT}"
InstallDir "$PROGRAMFILES64\strongroom-agent"
BrandingText "Strongroom agent ${VERSION}"
ShowInstDetails show

VIProductVersion "${NUMBERS}"
VIAddVersionKey "ProductName" "strongroom-agent"
VIAddVersionKey "FileDescription" "Strongroom agent, installer"
VIAddVersionKey "FileVersion" "${VERSION}"
VIAddVersionKey "LegalCopyright" "Apache-2.0 and others, named in the folder licences"

!include LogicLib.nsh
!include x64.nsh
!include FileFunc.nsh

!define LISTED "Software\Microsoft\Windows\CurrentVersion\Uninstall\strongroom-agent"
!define PROGRAM "$INSTDIR\strongroom-agent.exe"

Page directory
Page instfiles
UninstPage uninstConfirm
UninstPage instfiles

!ifdef SIGN
  !uninstfinalize `${SIGN} "%1"` = 0
!endif

; Stops with the reason, which nobody may miss.
!macro Refuse text
  DetailPrint "${text}"
  FileOpen $9 "$TEMP\strongroom-agent-install.log" w
  FileWriteUTF16LE /BOM $9 "${text}$\r$\n"
  FileClose $9
  MessageBox MB_OK|MB_ICONSTOP "${text}" /SD IDOK
  SetErrorLevel 2
  Quit
!macroend
!define Refuse "!insertmacro Refuse"

; Whether a program of ours runs: Windows lets nobody write to it then.
!macro RequireAtRest
  ${If} ${FileExists} "${PROGRAM}"
    ClearErrors
    FileOpen $0 "${PROGRAM}" a
    ${If} ${Errors}
      ${Refuse} "strongroom-agent is running: wait until it is done, then try again."
    ${EndIf}
    FileClose $0
  ${EndIf}
!macroend

Function .onInit
  SetRegView 64
  ReadRegDWORD $0 HKLM "SOFTWARE\Microsoft\Windows NT\CurrentVersion" "CurrentMajorVersionNumber"
  ${If} $0 < 10 ; older ones have no such number
    ${Refuse} "strongroom-agent needs Windows 10, Windows Server 2016 or newer. Nothing was installed."
  ${EndIf}
  ${IfNot} ${RunningX64}
    ${Refuse} "strongroom-agent needs a 64-bit Windows. Nothing was installed."
  ${EndIf}
FunctionEnd

Section
  SetShellVarContext all
  ; A folder that is somebody else's would be closed to them, and is not ours to delete from.
  ${If} ${FileExists} "$INSTDIR\*.*"
  ${AndIfNot} ${FileExists} "$INSTDIR\about.json"
    ${DirState} "$INSTDIR" $0
    ${If} $0 == 1
      ${Refuse} "$INSTDIR has other files in it. Choose a new or an empty folder, for example with /D=FOLDER."
    ${EndIf}
  ${EndIf}
  !insertmacro RequireAtRest
  ClearErrors
  RMDir /r "$INSTDIR\python"
  RMDir /r "$INSTDIR\packages"
  RMDir /r "$INSTDIR\licences"
  CreateDirectory "$INSTDIR"
  ${If} ${Errors}
    ${Refuse} "$INSTDIR cannot be written to. Choose another folder, for example with /D=FOLDER."
  ${EndIf}

  ; Administrators and the system write there, everybody else reads and runs; by their numbers, which no language changes.
  ; Before anything lies there: what is run as the system must never have been anybody else's.
  nsExec::ExecToLog '"$SYSDIR\icacls.exe" "$INSTDIR" /inheritance:r /grant:r *S-1-5-32-544:(OI)(CI)F *S-1-5-18:(OI)(CI)F *S-1-5-32-545:(OI)(CI)RX /Q'
  Pop $0
  ${If} $0 != 0
    ${Refuse} "The rights of $INSTDIR could not be set (icacls: $0). Choose a folder on an NTFS disk."
  ${EndIf}

  SetOutPath "$INSTDIR"
  ClearErrors
  File /r "${TREE}/*.*"
  WriteUninstaller "$INSTDIR\uninstall.exe"
  ${If} ${Errors}
    ${Refuse} "$INSTDIR could not be filled: is the disk full? Free some space, then install again."
  ${EndIf}
  ; What was there before may have had rights of its own.
  nsExec::ExecToLog '"$SYSDIR\icacls.exe" "$INSTDIR\*" /reset /T /C /Q'
  Pop $0

  nsExec::ExecToLog '"$INSTDIR\python\on-path.exe" add "$INSTDIR"'
  Pop $0
  ${If} $0 != 0
    DetailPrint "PATH was left as it is; start the program as ${PROGRAM}."
  ${EndIf}

  WriteRegStr HKLM "${LISTED}" "DisplayName" "Strongroom agent"
  WriteRegStr HKLM "${LISTED}" "DisplayVersion" "${VERSION}"
  WriteRegStr HKLM "${LISTED}" "Publisher" "Strongroom"
  WriteRegStr HKLM "${LISTED}" "InstallLocation" "$INSTDIR"
  WriteRegStr HKLM "${LISTED}" "UninstallString" '"$INSTDIR\uninstall.exe"'
  WriteRegStr HKLM "${LISTED}" "QuietUninstallString" '"$INSTDIR\uninstall.exe" /S'
  WriteRegDWORD HKLM "${LISTED}" "NoModify" 1
  WriteRegDWORD HKLM "${LISTED}" "NoRepair" 1
  ${GetSize} "$INSTDIR" "/S=0K" $0 $1 $2
  WriteRegDWORD HKLM "${LISTED}" "EstimatedSize" $0
SectionEnd

Function un.onInit
  SetRegView 64
FunctionEnd

Section Uninstall
  SetShellVarContext all
  !insertmacro RequireAtRest
  ; The schedule that this user's setup has made would start what is gone. That of others is theirs to end; state and keys
  ; of the machine stay.
  nsExec::ExecToLog /TIMEOUT=60000 '"${PROGRAM}" schedule off'
  Pop $0
  nsExec::ExecToLog '"$INSTDIR\python\on-path.exe" remove "$INSTDIR"'
  Pop $0
  RMDir /r "$INSTDIR\python"
  RMDir /r "$INSTDIR\packages"
  RMDir /r "$INSTDIR\licences"
  Delete "${PROGRAM}"
  Delete "$INSTDIR\restic.exe"
  Delete "$INSTDIR\about.json"
  Delete "$INSTDIR\bill-of-materials.cdx.json"
  Delete "$INSTDIR\uninstall.exe"
  RMDir "$INSTDIR"
  DeleteRegKey HKLM "${LISTED}"
SectionEnd
