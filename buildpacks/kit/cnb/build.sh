#!/bin/sh
# bin/build of a Cloud Native Buildpack that stager made of one for Cloud Foundry: LAYERS_DIR PLATFORM_DIR PLAN, in the
# app. The Node beside it runs the adapter, and the buildpack itself if it is made with the kit.
set -eu
CNB_BUILDPACK_DIR=${CNB_BUILDPACK_DIR:-$(cd "$(dirname "$0")/.." && pwd -P)}
CNB_LAYERS_DIR=${CNB_LAYERS_DIR:-$1}
CNB_BP_PLAN_PATH=${CNB_BP_PLAN_PATH:-$3}
STAGER_NODE=$CNB_BUILDPACK_DIR/node/bin/node
export CNB_BUILDPACK_DIR CNB_LAYERS_DIR CNB_BP_PLAN_PATH STAGER_NODE
exec "$STAGER_NODE" "$CNB_BUILDPACK_DIR/adapter/adapter.mjs"
