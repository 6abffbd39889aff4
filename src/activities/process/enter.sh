#!/bin/sh
# Builds the file system that a command sees, in namespaces that unshare(1) made, and runs the command in it. This shell is
# process 1 there: it collects orphans, and when it ends everything in its namespace ends.
# usage: enter.sh <empty folder> <cwd> <user to become: uid:gid or -> <step…> -- <command…>
# steps: read FROM AT FLAGS | lock AT FLAGS | write FROM AT | empty AT | nothing AT | link TO AT | loopback | guard
set -eu
root=$1 cwd=$2 user=$3
shift 3
# The command's own PATH may begin in the worktree: nothing is looked up there while this shell has rights.
its_path=$PATH
PATH=/usr/sbin:/usr/bin:/sbin:/bin
setpriv=$(command -v setpriv) unshare=$(command -v unshare)

# A place to mount on, of the kind that is mounted.
place() {
  if [ -d "$1" ]; then
    [ -d "$root$2" ] || mkdir -p "$root$2"
  elif [ ! -e "$root$2" ]; then
    mkdir -p "$root${2%/*}"
    : > "$root$2"
  fi
}

mount -t tmpfs -o mode=0755,size=16m,nosuid,nodev none "$root"
mkdir -p "$root/proc" "$root/dev/pts" "$root/dev/shm"
mount -t proc -o nosuid,nodev,noexec proc "$root/proc"
for device in null zero full random urandom tty; do
  : > "$root/dev/$device"
  mount --bind "/dev/$device" "$root/dev/$device"
done
mount -t devpts -o newinstance,ptmxmode=0666,mode=0620,nosuid,noexec devpts "$root/dev/pts"
mount -t tmpfs -o mode=1777,nosuid,nodev none "$root/dev/shm"
ln -s pts/ptmx "$root/dev/ptmx"
ln -s /proc/self/fd "$root/dev/fd"
ln -s /proc/self/fd/0 "$root/dev/stdin"
ln -s /proc/self/fd/1 "$root/dev/stdout"
ln -s /proc/self/fd/2 "$root/dev/stderr"

while [ "$1" != -- ]; do
  case $1 in
    read) place "$2" "$3"; mount --rbind "$2" "$root$3"; mount -o "remount,bind,ro$4" "$root$3"; shift 4 ;;
    lock) mount -o "remount,bind,ro$3" "$root$2"; shift 3 ;;
    write) place "$2" "$3"; mount --rbind "$2" "$root$3"; shift 3 ;;
    empty) mkdir -p "$root$2"; mount -t tmpfs -o mode=0755,size=1m,nosuid,nodev none "$root$2"; shift 2 ;;
    nothing) mount --bind /dev/null "$root$2"; shift 2 ;;
    link) ln -s "$2" "$root$3"; shift 3 ;;
    loopback) ip link set lo up; shift ;;
    # Root without capabilities still owns these files.
    guard)
      for part in sys sysrq-trigger irq bus; do
        [ -e "$root/proc/$part" ] || continue
        mount --bind "$root/proc/$part" "$root/proc/$part"
        mount -o remount,bind,ro,nosuid,nodev,noexec "$root/proc/$part"
      done
      shift ;;
    *) echo "enter.sh: unknown step $1" >&2; exit 1 ;;
  esac
done
shift

cd "$root"
pivot_root . .
umount -l .
cd /
mount -o remount,ro,nosuid,nodev /
cd "$cwd"
code=0
if [ "$user" = - ]; then
  PATH=$its_path "$setpriv" --no-new-privs --inh-caps=-all --ambient-caps=-all --bounding-set=-all -- "$@" || code=$?
else
  PATH=$its_path "$unshare" --user --map-user="${user%:*}" --map-group="${user#*:}" -- "$setpriv" --no-new-privs -- "$@" || code=$?
fi
exit "$code"
