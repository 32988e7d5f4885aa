#!/usr/bin/env bash
# start COMMAND ARGUMENTS…: a command of Cloud Foundry, which is text for bash, with the app's directory as its home.
export HOME=@APP@
exec bash -c "$1" bash "${@:2}"
