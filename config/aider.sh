#!/bin/sh
# aider takes its task from a file; our own commit is made from what it leaves in the worktree.
exec aider --yes-always --no-auto-commits --no-gitignore --message-file "$MISSION_BRIEF"
