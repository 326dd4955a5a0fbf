#!/bin/sh
# Of the calling shell's environment only what the agent's README names reaches the program: modules could be planted with
# PYTHONPATH, and other programs be run with PEX_MODULE. Of PATH only the parts that name a place by themselves do, or else
# a program in the current folder might be run.
set -f; IFS=:; kept=
for part in $PATH; do case $part in /*) kept=$kept:$part ;; esac; done
PATH=${kept#:}; unset IFS
%{command} -I -W ignore -X utf8 %{program} "$@"
