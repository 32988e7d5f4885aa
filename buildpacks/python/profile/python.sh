# Sourced before the app starts. Every value that the app sets itself wins.
export PATH="$DEPS_DIR/@IDX@/python/bin:$PATH"
# Libraries that the stack lacks, where there are any; 3.12 has a libffi of its own.
for library in "$DEPS_DIR/@IDX@/python/lib"/lib*.so.*; do
  case $library in
    */libpython* | *'*'*) ;;
    *)
      export LD_LIBRARY_PATH="$DEPS_DIR/@IDX@/python/lib${LD_LIBRARY_PATH:+:$LD_LIBRARY_PATH}"
      break
      ;;
  esac
done
unset library
export PYTHONUNBUFFERED="${PYTHONUNBUFFERED:-1}"
export PYTHONHASHSEED="${PYTHONHASHSEED:-random}"
export LANG="${LANG:-C.UTF-8}"
export FORWARDED_ALLOW_IPS="${FORWARDED_ALLOW_IPS:-*}"
export GUNICORN_CMD_ARGS="${GUNICORN_CMD_ARGS:---access-logfile -}"
# This Python was built elsewhere: the place of authorities that it knows does not exist here.
if [ -z "${SSL_CERT_FILE:-}" ] && [ -f /etc/ssl/certs/ca-certificates.crt ]; then
  export SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt
fi

# Workers by memory (256 MB each) and processors, for servers that fork.
if [ -z "${WEB_CONCURRENCY:-}" ]; then
  case "${MEMORY_LIMIT:-}" in
    *[0-9][mM]) memory=${MEMORY_LIMIT%[mM]} ;;
    *[0-9][gG]) memory=$((${MEMORY_LIMIT%[gG]} * 1024)) ;;
    *)
      memory=$(cat /sys/fs/cgroup/memory.max 2>/dev/null || true)
      case "$memory" in
        '' | *[!0-9]*) memory=512 ;;
        *) memory=$((memory / 1048576)) ;;
      esac
      ;;
  esac
  WEB_CONCURRENCY=$((memory / 256))
  most=$((2 * $(nproc 2>/dev/null || echo 1) + 1))
  [ "$WEB_CONCURRENCY" -le "$most" ] || WEB_CONCURRENCY=$most
  [ "$WEB_CONCURRENCY" -ge 1 ] || WEB_CONCURRENCY=1
  export WEB_CONCURRENCY
fi
