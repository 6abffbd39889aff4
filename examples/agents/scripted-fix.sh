#!/bin/sh
# Stands in for a coding CLI: it knows one mistake, and mends it once it was told that its first idea failed.
set -eu
if grep -q '## What was tried before' "$MISSION_BRIEF"; then idea='a + b'; else idea='a * b + 1'; fi
sed "s/a - b/$idea/" add.js > add.js.new
mv add.js.new add.js
