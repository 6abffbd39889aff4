#!/bin/sh
# Builds the file system that a command sees, in namespaces that unshare(1) made, and runs the command in it. This shell is
# process 1 there: it collects orphans, and when it ends everything in its namespace ends.
# usage: enter.sh <root folder> <mount table> <cwd> <user to become: uid:gid or -> <network | loopback>
#        [<mount point> <its flags>…] -- <command…>     (these mount points are made read-only)
# Nothing of it is written to /run/mount/utab: that file is the host's, and it would grow with every run.
set -eu
root=$1 table=$2 cwd=$3 user=$4 network=$5
shift 5
# The command's own PATH may begin in the worktree: nothing is looked up there while this shell has rights.
its_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
setpriv=$(command -v setpriv)
unshare=$(command -v unshare)

if [ "$network" = loopback ]; then ip link set lo up; fi
mount --no-mtab --all --fstab "$table"
while [ "$1" != -- ]; do
  mount --no-mtab -o "remount,bind,ro$2" "$1"
  shift 2
done
shift

cd "$root"
pivot_root . .
umount --no-mtab -l .
cd /
mount --no-mtab -o remount,bind,ro /
cd "$cwd"
code=0
if [ "$user" = - ]; then
  PATH=$its_path "$setpriv" --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@" || code=$?
else
  PATH=$its_path "$unshare" --user --map-user="${user%:*}" --map-group="${user#*:}" -- "$setpriv" --no-new-privs -- "$@" || code=$?
fi
exit "$code"
