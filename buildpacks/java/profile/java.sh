# Sourced before the app starts. Every value that the app sets itself wins.
export JAVA_HOME="$DEPS_DIR/@IDX@/jre"
export LANG="${LANG:-C.UTF-8}" MALLOC_ARENA_MAX="${MALLOC_ARENA_MAX:-2}"
if [ -n "${PORT:-}" ]; then
  export SERVER_PORT="${SERVER_PORT:-$PORT}" QUARKUS_HTTP_PORT="${QUARKUS_HTTP_PORT:-$PORT}"
  export MICRONAUT_SERVER_PORT="${MICRONAUT_SERVER_PORT:-$PORT}"
fi

# $NAME and ${NAME} in options get their values, once; \$ stays a dollar; nothing is run.
_java_expand() {
  local text=${1//[$'\r\n']/ } out='' name
  local pattern='^([^\$]*)(\\.|\$\{([A-Za-z_][A-Za-z0-9_]*)\}|\$([A-Za-z_][A-Za-z0-9_]*)|[\$])'
  while [[ $text =~ $pattern ]]; do
    out+=${BASH_REMATCH[1]}
    case ${BASH_REMATCH[2]} in
      '\$') out+='$' ;;
      '$'?*)
        name=${BASH_REMATCH[3]:-${BASH_REMATCH[4]}}
        out+=${!name-}
        ;;
      *) out+=${BASH_REMATCH[2]} ;;
    esac
    text=${text:${#BASH_REMATCH[0]}}
  done
  _java_out=$out$text
}

# KiB of 512m, 1g, 2048k, bytes.
_java_kib() {
  local number=${1%%[!0-9]*}
  [ -n "$number" ] || return 1
  case ${1#"$number"} in
    [gG]*) _java_out=$((10#$number * 1048576)) ;;
    [mM]*) _java_out=$((10#$number * 1024)) ;;
    [kK]*) _java_out=$((10#$number)) ;;
    '' | [bB]) _java_out=$((10#$number / 1024)) ;;
    *) return 1 ;;
  esac
}

# The last option that begins with $1, as KiB: one that the app sets is neither changed nor repeated.
_java_given() {
  local option found=''
  for option in ${_java_options}; do
    case $option in "$1"*) found=${option#"$1"} ;; esac
  done
  [ -n "$found" ] && _java_kib "$found"
}

_java_user=''
[ '@FROM_ENVIRONMENT@' = false ] || _java_user=${JAVA_OPTS:-}
_java_expand @LIST_OPTS@"$_java_user"
export JAVA_OPTS="$_java_out"
if [ "${BPL_DEBUG_ENABLED:-@DEBUG@}" = true ]; then
  _java_suspend=n
  [ "${BPL_DEBUG_SUSPEND:-@DEBUG_SUSPEND@}" != true ] || _java_suspend=y
  if [ -f "$JAVA_HOME/lib/libjdwp.so" ]; then
    JAVA_OPTS="-agentlib:jdwp=transport=dt_socket,server=y,address=*:${BPL_DEBUG_PORT:-@DEBUG_PORT@},suspend=$_java_suspend $JAVA_OPTS"
  else
    echo 'java buildpack: this JRE has no debug agent; Java 17 and 21 have it.' >&2
  fi
fi
if [ "${BPL_JMX_ENABLED:-@JMX@}" = true ]; then
  _java_port=${BPL_JMX_PORT:-@JMX_PORT@}
  JAVA_OPTS="-Djava.rmi.server.hostname=127.0.0.1 -Dcom.sun.management.jmxremote.authenticate=false -Dcom.sun.management.jmxremote.ssl=false -Dcom.sun.management.jmxremote.port=$_java_port -Dcom.sun.management.jmxremote.rmi.port=$_java_port $JAVA_OPTS"
fi

# Memory: heap = all - head room - direct memory - metaspace - code cache - stacks. All in KiB.
_java_options="${JAVA_TOOL_OPTIONS:-} ${JDK_JAVA_OPTIONS:-} $JAVA_OPTS"
_java_headroom=${BPL_JVM_HEAD_ROOM:-${MEMORY_CALCULATOR_HEADROOM:-@HEADROOM@}}
_java_threads=${BPL_JVM_THREAD_COUNT:-${MEMORY_CALCULATOR_STACK_THREADS:-@THREADS@}}
_java_classes=${BPL_JVM_LOADED_CLASS_COUNT:-@CLASSES@}

# What is left for the heap of $1. If that is too little, the code cache and the room for stacks shrink, unless somebody set them.
_java_fit() {
  local all=$(($1 * (100 - _java_headroom) / 100)) rest target stacks count=${_java_threads:-250}
  _java_direct=10240 _java_meta=$(((_java_classes * 5800 + 14000000) / 1024)) _java_code=245760 _java_stack=1024
  local fixed_code=''
  _java_given -XX:MaxDirectMemorySize= && _java_direct=$_java_out
  _java_given -XX:MaxMetaspaceSize= && _java_meta=$_java_out
  _java_given -XX:ReservedCodeCacheSize= && _java_code=$_java_out fixed_code=1
  { _java_given -Xss || _java_given -XX:ThreadStackSize=; } && _java_stack=$_java_out
  stacks=$((count * _java_stack))
  rest=$((all - _java_direct - _java_meta))
  if _java_given -Xmx; then
    _java_heap=$_java_out rest=$((rest - _java_out))
    [ -n "$fixed_code" ] || [ $((_java_code + stacks)) -le "$rest" ] || _java_code=$((rest / 2 < 16384 ? 16384 : rest / 2))
    [ "$_java_heap" -le "$all" ] && return 0
    return 1
  fi
  _java_heap=$((rest - _java_code - stacks))
  # Four tenths for the heap, or half of what there is to share.
  target=$((all * 2 / 5 < rest / 2 ? all * 2 / 5 : rest / 2))
  if [ "$_java_heap" -lt "$target" ]; then
    local room=$((rest - target))
    if [ -z "$fixed_code$_java_threads" ]; then
      _java_code=$((room * _java_code / (_java_code + stacks)))
      stacks=$((room - _java_code))
    elif [ -z "$fixed_code" ]; then
      _java_code=$((room - stacks < 16384 ? 16384 : room - stacks))
    elif [ -z "$_java_threads" ]; then
      stacks=$((room - _java_code < 5 * _java_stack ? 5 * _java_stack : room - _java_code))
    fi
    _java_heap=$((rest - _java_code - stacks))
  fi
  [ "$_java_heap" -ge 16384 ]
}

_java_flags='-XX:+ExitOnOutOfMemoryError'
_java_total=''
if [ -n "${MEMORY_LIMIT:-}" ]; then
  _java_kib "$MEMORY_LIMIT" && _java_total=$_java_out
else
  _java_bytes=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || cat /sys/fs/cgroup/memory/memory.limit_in_bytes 2>/dev/null || true)
  # Without a limit, the old kind of cgroup says 8 EiB.
  case $_java_bytes in '' | *[!0-9]*) ;; *) [ ${#_java_bytes} -gt 13 ] || _java_total=$((_java_bytes / 1024)) ;; esac
fi
for _java_number in "$_java_headroom" "${_java_threads:-0}" "$_java_classes"; do
  case $_java_number in '' | *[!0-9]*)
    echo "java buildpack: $_java_number is not a number: check BPL_JVM_… and MEMORY_CALCULATOR_…" >&2
    exit 1
    ;;
  esac
done
case " $_java_options" in *' -XX:MaxRAMPercentage='*) _java_total='' ;; esac
if [ "$_java_headroom" -gt 90 ]; then
  echo "java buildpack: a head room of $_java_headroom % leaves no memory for the JVM; at most 90 will do." >&2
  exit 1
fi
if [ -n "$_java_total" ]; then
  if ! _java_fit "$_java_total"; then
    # In between of this, which is too little, and 64 GiB.
    _java_low=$((_java_total / 1024)) _java_least=65536
    while [ $((_java_least - _java_low)) -gt 1 ]; do
      _java_middle=$(((_java_low + _java_least) / 2))
      if _java_fit $((_java_middle * 1024)); then _java_least=$_java_middle; else _java_low=$_java_middle; fi
    done
    echo "java buildpack: $((_java_total / 1024))M is not enough memory for the JVM: it needs at least ${_java_least}M" \
      "(direct memory $((_java_direct / 1024))M, metaspace $((_java_meta / 1024))M for $_java_classes classes, the rest for heap, code and stacks)." \
      'Give the app more memory, or set smaller values in JAVA_OPTS.' >&2
    exit 1
  fi
  _java_given -Xmx || _java_flags+=" -Xmx${_java_heap}K"
  _java_given -Xss || _java_given -XX:ThreadStackSize= || _java_flags+=' -Xss1M'
  _java_given -XX:MaxMetaspaceSize= || _java_flags+=" -XX:MaxMetaspaceSize=${_java_meta}K"
  _java_given -XX:ReservedCodeCacheSize= || _java_flags+=" -XX:ReservedCodeCacheSize=${_java_code}K"
  _java_given -XX:MaxDirectMemorySize= || _java_flags+=" -XX:MaxDirectMemorySize=${_java_direct}K"
fi
if [ -n "${BPL_HEAP_DUMP_PATH:-}" ]; then
  _java_flags+=" -XX:+HeapDumpOnOutOfMemoryError -XX:HeapDumpPath=\"$BPL_HEAP_DUMP_PATH\""
fi
[ -z "${TMPDIR:-}" ] || _java_flags+=" -Djava.io.tmpdir=\"$TMPDIR\""

# Authorities of this machine that staging did not see.
_java_new=()
for _java_file in "${CF_SYSTEM_CERT_PATH:-/etc/cf-system-certificates}"/*.{crt,pem}; do
  [ -f "$_java_file" ] || continue
  _java_sum=$(sha256sum <"$_java_file")
  grep -qs "${_java_sum%% *}" "$JAVA_HOME/lib/security/authorities.sha256" || _java_new+=("$_java_file")
done
if [ ${#_java_new[@]} -gt 0 ]; then
  _java_store=$(mktemp -d "${TMPDIR:-/tmp}/java.XXXXXX")/cacerts
  cp "$JAVA_HOME/lib/security/cacerts" "$_java_store" && chmod u+w "$_java_store"
  for _java_file in "${_java_new[@]}"; do
    "$JAVA_HOME/bin/keytool" -importcert -noprompt -storepass changeit -keystore "$_java_store" \
      -alias "start-${_java_file##*/}" -file "$_java_file" >/dev/null 2>&1 ||
      echo "java buildpack: $_java_file is not a certificate; it is not trusted." >&2
  done
  _java_flags+=" -Djavax.net.ssl.trustStore=\"$_java_store\""
fi

# For every java that is started, whatever starts it; what comes later wins.
export JDK_JAVA_OPTIONS="$_java_flags${JDK_JAVA_OPTIONS:+ $JDK_JAVA_OPTIONS}"
export JAVA_OPTS
unset -f _java_expand _java_kib _java_given _java_fit
unset "${!_java_@}"
