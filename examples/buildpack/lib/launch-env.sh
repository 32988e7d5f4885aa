#!/bin/sh
# launch-env.sh DEPS_DIR PROFILE_DIR: what writeLaunchEnv of environment.ts does, for buildpacks written in shell:
# search paths of all buildpacks, highest index first, and a copy of every profile.d script.
set -eu
deps=$1
profile=$2
mkdir -p "$profile"
indexes=$(for dir in "$deps"/*/; do basename "$dir"; done | grep -E '^[0-9]+$' | sort -rn || true)

# Literally: export NAME="$DEPS_DIR/1/bin:$DEPS_DIR/0/bin${NAME:+:$NAME}"
export_line() {
  paths=''
  for idx in $indexes; do
    [ -d "$deps/$idx/$2" ] && paths="$paths${paths:+:}\$DEPS_DIR/$idx/$2"
  done
  [ -z "$paths" ] || printf 'export %s="%s${%s:+:$%s}"\n' "$1" "$paths" "$1" "$1"
}

{
  export_line PATH bin
  export_line LD_LIBRARY_PATH lib
  export_line LIBRARY_PATH lib
} >"$profile/000_multi-supply.sh"
chmod 755 "$profile/000_multi-supply.sh"

for idx in $indexes; do
  for script in "$deps/$idx/profile.d"/*; do
    [ -f "$script" ] && cp "$script" "$profile/${idx}_$(basename "$script")"
  done
done
exit 0
