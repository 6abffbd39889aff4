#!/bin/sh
# The last step before a repository's command: says on descriptor 3 that everything around it stands, or that the command
# is not there, and becomes it.
# usage: start-command.sh <limiting command…> -- <command…>     (the limiting command may be empty)
set -eu
for word in "$@"; do
  if [ "${found:-}" = next ]; then found=$word; break; fi
  if [ "$word" = -- ]; then found=next; fi
done
case $found in
  */*) [ -f "$found" ] && [ -x "$found" ] && there=yes ;;
  *) command -v -- "$found" >/dev/null 2>&1 && there=yes ;;
esac
if [ "${there:-}" != yes ]; then
  echo missing >&3
  exit 127
fi
echo started >&3
exec 3>&-
if [ "$1" = -- ]; then shift; fi
exec "$@"
