#!/bin/sh
# bin/detect of a Cloud Native Buildpack that stager made of one for Cloud Foundry: PLATFORM_DIR PLAN, in the app.
# Ends with 0, having written one of the plans beside it, or with 100.
set -eu
root=${CNB_BUILDPACK_DIR:-$(cd "$(dirname "$0")/.." && pwd -P)}
plan=${CNB_BUILD_PLAN_PATH:-${2:-/dev/null}}
name=$(cat "$root/plan/name")

# As with `cf push -b first -b last`: nobody is asked, all supply, and the last one has the app.
if [ -n "${STAGER_BUILDPACKS:-}" ]; then
  role=''
  for wanted in $(printf %s "$STAGER_BUILDPACKS" | tr ',' ' '); do
    if [ "$wanted" = "$name" ]; then role=app; elif [ "$role" = app ]; then role=supply; fi
  done
  if [ -z "$role" ]; then
    echo "STAGER_BUILDPACKS does not name $name"
    exit 100
  fi
  cat "$root/plan/$role.toml" >"$plan"
  exit 0
fi

"$root/cf/bin/detect" "$PWD" || exit 100
cat "$root/plan/app.toml" >"$plan"
