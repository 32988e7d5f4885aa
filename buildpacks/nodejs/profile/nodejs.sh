# Sourced before the app starts. Every value that the app sets itself wins.
export NODE_HOME="$DEPS_DIR/@IDX@/node"
export NODE_ENV="${NODE_ENV:-production}"
export PATH="$PATH:$HOME/node_modules/.bin"
# `npm start` passes SIGTERM to the shell that it starts. bash hands its place to the program, which then gets the
# signal; other shells stay in between, and the app is killed without warning.
if [ -z "${npm_config_script_shell:-}" ] && command -v bash >/dev/null 2>&1; then
  export npm_config_script_shell=bash
fi

# MB that the container may use: VCAP_APPLICATION's limit, then MEMORY_LIMIT (512m, 1G), then 512.
if [ -z "${MEMORY_AVAILABLE:-}" ]; then
  MEMORY_AVAILABLE=$(printf '%s' "${VCAP_APPLICATION:-}" | sed -n 's/.*"mem" *: *\([0-9][0-9]*\).*/\1/p')
fi
if [ -z "$MEMORY_AVAILABLE" ]; then
  case "${MEMORY_LIMIT:-}" in
    *[0-9][mM]) MEMORY_AVAILABLE=${MEMORY_LIMIT%[mM]} ;;
    *[0-9][gG]) MEMORY_AVAILABLE=$((${MEMORY_LIMIT%[gG]} * 1024)) ;;
    *) MEMORY_AVAILABLE=512 ;;
  esac
fi
export MEMORY_AVAILABLE

# How many workers fit, for servers that fork.
export WEB_MEMORY="${WEB_MEMORY:-512}"
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  WEB_CONCURRENCY=$((MEMORY_AVAILABLE / WEB_MEMORY))
  [ "$WEB_CONCURRENCY" -ge 1 ] || WEB_CONCURRENCY=1
fi
export WEB_CONCURRENCY

# V8 sizes its heap by the machine, not by the container; OPTIMIZE_MEMORY gives it three quarters of the container.
if [ "${OPTIMIZE_MEMORY:-}" = true ]; then
  case "${NODE_OPTIONS:-}" in
    *max-old-space-size* | *max_old_space_size*) ;;
    *) export NODE_OPTIONS="--max-old-space-size=$((MEMORY_AVAILABLE * 75 / 100))${NODE_OPTIONS:+ $NODE_OPTIONS}" ;;
  esac
fi
