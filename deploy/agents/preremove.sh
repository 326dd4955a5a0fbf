#!/bin/sh
# Before the package is taken away; not before another version of it comes (`remove` is apt's word, 0 is dnf's).
# What `setup` has put into the system besides the package, such as a schedule, is ended here, and never fails: a
# system without systemd has none. State and keys of the machine stay.
case $1 in
remove | 0) ;;
*) exit 0 ;;
esac
exit 0
