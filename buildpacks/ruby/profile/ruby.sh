# Sourced before the app starts. Every value that the app sets itself wins.
export LANG="${LANG:-C.UTF-8}"
export RAILS_ENV="${RAILS_ENV:-production}"
export RACK_ENV="${RACK_ENV:-production}"
export RAILS_SERVE_STATIC_FILES="${RAILS_SERVE_STATIC_FILES:-enabled}"
export RAILS_LOG_TO_STDOUT="${RAILS_LOG_TO_STDOUT:-enabled}"
export MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
export BUNDLE_GEMFILE="${BUNDLE_GEMFILE:-$HOME/@GEMFILE@}"
export BUNDLE_PATH="$DEPS_DIR/@IDX@/vendor_bundle"
export BUNDLE_APP_CONFIG="$DEPS_DIR/@IDX@/bundle"
export BUNDLE_WITHOUT="${BUNDLE_WITHOUT:-development:test}"
export BUNDLER_VERSION="@BUNDLER@"
if [ -n "@DEPLOYMENT@" ]; then export BUNDLE_DEPLOYMENT=true; fi
# Of JRuby: metaspace, compiled code and stacks take the rest. A buildpack for Java before this one says it by JDK_JAVA_OPTIONS.
if [ -n "@JRUBY@" ] && [ -z "${JAVA_MEM:-}" ]; then
  case "${JAVA_OPTS:-}${JRUBY_OPTS:-}${JAVA_TOOL_OPTIONS:-}${JDK_JAVA_OPTIONS:-}" in
    *-Xmx*) ;;
    *)
      case "${MEMORY_LIMIT:-}" in
        *[0-9][mM]) memory_mb=${MEMORY_LIMIT%[mM]} ;;
        *[0-9][gG]) memory_mb=$((${MEMORY_LIMIT%[gG]} * 1024)) ;;
        *) memory_mb=640 ;;
      esac
      export JAVA_MEM="-Xmx$((memory_mb * 3 / 5))m"
      unset memory_mb
      ;;
  esac
fi
# One for this instance: in the droplet it would be no secret. Sessions of several instances need a common one.
if [ -n "@RAILS@" ] && [ -z "${SECRET_KEY_BASE:-}${RAILS_MASTER_KEY:-}" ] && [ ! -f "$HOME/config/master.key" ]; then
  echo 'SECRET_KEY_BASE is not set: one is made up for this instance; sessions end with it' >&2
  SECRET_KEY_BASE=$(od -An -tx1 -N64 /dev/urandom | tr -d ' \n')
  export SECRET_KEY_BASE
fi
