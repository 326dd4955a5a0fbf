#!/bin/sh
# Before the package is taken away; not before another version of it comes (`remove` is apt's word, 0 is dnf's).
# The schedule that root's `setup` has put into the system would start what is gone, so it is ended; that never fails,
# since there may be none. What other users have set up is theirs to end. State and keys of the machine stay.
case $1 in
remove | 0) ;;
*) exit 0 ;;
esac
HOME=/root timeout 60 /opt/strongroom-agent/strongroom-agent schedule off >/dev/null 2>&1 || true
exit 0
