#!/bin/sh
# An agent that takes missions from the queue, with nothing but curl, git and a POSIX shell.
#
#   MISSION_CONTROL_URL=http://127.0.0.1:8000 MISSION_CONTROL_KEY=mck_... AGENT_ID=my-agent sh agent.sh [--once] [COMMAND [ARGUMENT...]]
#
# COMMAND runs in a clean checkout of the mission's base, with the brief in the file named by MISSION_BRIEF; what it changes
# there is the patch. Without one, scripted-fix.sh beside this file runs. --once ends after one mission: 0 when its patch was
# proved, 1 when it was not.
set -u
umask 077
once=no
if [ "${1:-}" = --once ]; then once=yes; shift; fi
here=$(cd "$(dirname "$0")" && pwd)
[ $# -gt 0 ] || set -- sh "$here/scripted-fix.sh"
url=${MISSION_CONTROL_URL%/}
lease_seconds=120
folder=$(mktemp -d)
heart=
stop_heart() { [ -z "$heart" ] || kill "$heart" 2>/dev/null; heart=; }
trap 'stop_heart; rm -rf "$folder"' EXIT
trap 'exit 130' INT TERM

# The key is in no argument list, and the command, which works on what others wrote, does not get it.
printf 'authorization: Bearer %s\n' "$MISSION_CONTROL_KEY" > "$folder/key"
unset MISSION_CONTROL_KEY

# ask METHOD PATH [CURL OPTION...]: one request, its answer in $folder/answer, its status in $status. Again while nobody is there:
# every request here may be repeated.
ask() {
  method=$1 path=$2
  shift 2
  while :; do
    status=$(curl -sS -m 60 -X "$method" -H "@$folder/key" -o "$folder/answer" -w '%{http_code}' "$@" "$url$path") || status=000
    case $status in
      000|429|503) sleep 1 ;;
      *) return 0 ;;
    esac
  done
}
# field NAME: one plain value of a JSON answer. Quotes inside texts are escaped, so no text can pass for a field.
field() { sed -n 's/.*[{,]"'"$1"'":"\{0,1\}\([^",}]*\).*/\1/p' "$folder/answer"; }
problem() { printf '%s: %s\n' "$mission" "$(field code)" >&2; }

claim() {
  ask POST "/mission-control/queue/$mission/claim" -H 'content-type: application/json' \
    -d '{"agent_id":"'"$AGENT_ID"'","lease_seconds":'"$lease_seconds"'}'
  [ "$status" = 200 ] || { problem; return 1; }
  lease=$(field lease_id) base=$(field commit)
}

# A lease that is lost all the same is noticed when the patch is posted.
beat() {
  trap 'kill "$nap"; exit' TERM
  while :; do
    sleep $((lease_seconds / 3)) &
    nap=$!
    wait "$nap"
    curl -sS -m 20 -o /dev/null -H "@$folder/key" -H 'content-type: application/json' \
      -d '{"lease_id":"'"$lease"'"}' "$url/mission-control/queue/$mission/lease"
  done
}

# One attempt: a checkout, the command, and the difference that it leaves in $folder/patch.
make_patch() {
  if [ ! -d "$folder/checkout" ]; then
    ask GET "/mission-control/missions/$mission/base.bundle" && mv "$folder/answer" "$folder/base.bundle" || return 1
    git clone --quiet "$folder/base.bundle" "$folder/checkout" || return 1
  fi
  ask GET "/mission-control/missions/$mission/brief" && mv "$folder/answer" "$folder/brief.md" || return 1
  (
    cd "$folder/checkout" && git reset --quiet --hard "$base" && git clean --quiet -ffdx &&
      MISSION_BRIEF="$folder/brief.md" "$@" && git add --all &&
      git diff --cached --binary --full-index --no-renames --no-ext-diff "$base" > "$folder/patch"
  )
}

# Takes the mission and tries until a patch is proved or none is wanted any more. 0 proved, 1 not, 2 not ours any more.
work() {
  rm -rf "$folder/checkout"
  claim || return 2
  beat &
  heart=$!
  while :; do
    if ! make_patch "$@"; then
      ask DELETE "/mission-control/queue/$mission/lease?lease_id=$lease"
      return 2
    fi
    ask POST "/mission-control/missions/$mission/patches?lease_id=$lease" -H 'content-type: text/x-diff' --data-binary "@$folder/patch"
    [ "$status" = 202 ] || { problem; return 2; }
    number=$(field number)
    while [ "$(field state)" = testing ] && [ "$(field mission_status)" = in_progress ]; do
      ask GET "/mission-control/missions/$mission/patches/$number?wait=20"
    done
    state=$(field state)
    printf '%s: patch %s %s\n' "$mission" "$number" "$state"
    [ "$state" != proved ] || return 0
    [ "$(field again)" = true ] || return 1
    # Whoever holds it gets the same lease, once the brief of the next attempt is there.
    claim || return 2
  done
}

while :; do
  ask GET "/mission-control/queue/next?agent_id=$AGENT_ID&needs=patch&wait=20"
  [ "$status" = 200 ] || { cat "$folder/answer" >&2; exit 1; }
  mission=$(field take | sed -n 's|.*/queue/\(.*\)/claim$|\1|p')
  [ -n "$mission" ] || continue
  work "$@"
  result=$?
  stop_heart
  if [ "$once" = yes ] && [ "$result" -lt 2 ]; then exit "$result"; fi
  [ "$result" -lt 2 ] || sleep 1
done
