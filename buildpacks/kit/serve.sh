#!/usr/bin/env bash
# Sourced by start scripts: `serve NAME…` runs functions side by side, each of which ends in exec of a server.
# /dev/stdout and /dev/stderr of the servers are pipes of their own: paths that can't be opened where they are sockets,
# or pipes of somebody else. SIGTERM lets servers finish what they began (SIGQUIT); when one ends, so do the others.
# Returns how the first one ended. `NAME:WINCH` is for a server that has another signal for that.
serve() {
  local servers=() signals=() stopping='' code=0 out err loggers=() name server
  # shellcheck disable=SC2329 # the trap calls it
  finish() {
    stopping=1
    for server in "${!servers[@]}"; do
      kill -"${signals[server]}" "${servers[server]}" 2>/dev/null || true
    done
  }
  # A signal to the whole group is not to end those that pass on the last lines.
  exec {out}> >(trap '' TERM INT QUIT && exec cat)
  loggers+=($!)
  exec {err}> >(trap '' TERM INT QUIT && exec cat >&2)
  loggers+=($!)
  # Set before the first one starts, since it may listen at once.
  trap finish TERM INT QUIT
  for name in "$@"; do
    [[ $name == *:* ]] || name+=:QUIT
    signals+=("${name#*:}")
    "${name%:*}" >&"$out" 2>&"$err" {out}>&- {err}>&- &
    servers+=($!)
  done
  exec {out}>&- {err}>&-
  [ -z "$stopping" ] || finish
  wait -n "${servers[@]}" || code=$?
  # A signal ends a wait early.
  [ -z "$stopping" ] || code=0
  finish
  # Asked again each second: one that has just begun ignores the signal that bash gave it to ignore.
  for server in "${!servers[@]}"; do
    while kill -"${signals[server]}" "${servers[server]}" 2>/dev/null; do
      sleep 1 &
      wait -n "${servers[server]}" $! || true
    done
  done
  wait "${loggers[@]}" || true
  return "$code"
}
