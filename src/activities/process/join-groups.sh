#!/bin/sh
# Enters control groups before anything of the command runs, so that nothing can start outside of them.
# usage: join-groups.sh <cgroup.procs file>… -- <command…>
set -eu
while [ "$1" != -- ]; do
  echo $$ > "$1"
  shift
done
shift
exec "$@"
