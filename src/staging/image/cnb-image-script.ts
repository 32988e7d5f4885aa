/**
 * What starts a process in an image of Cloud Native Buildpacks when the operator gives no launcher: a bash script with
 * the rules of the reference launcher (buildpack-contracts.md 5.10). What the layers hold is known when the image is
 * made, so a file for each process type says it in shell; the script itself is the same in every image.
 *
 * The program may be named by a link of `/cnb/process`, and takes arguments as the reference launcher does: those of
 * a process replace its own, `--` starts a program without a shell, anything else is a command for bash.
 */
import { CNB_INSIDE } from '../cnb/cnb-home.ts';

/** Directory of the launcher and of what belongs to it. */
export const CNB_LIFECYCLE = 'cnb/lifecycle';
/** Directory of the links that processes are started by. */
export const CNB_PROCESS = 'cnb/process';
/** Directory with a file for each process type. */
export const CNB_TYPES = `${CNB_LIFECYCLE}/types`;
/** For a command that belongs to no process type. */
export const CNB_ANY = `${CNB_LIFECYCLE}/command`;

/** The text of `/cnb/lifecycle/launcher`. */
export const CNB_IMAGE_LAUNCHER = `#!/bin/bash
# Starts a process of an image of Cloud Native Buildpacks, by the rules of their launcher. Made by stager.
fail() { echo "launcher: $1" >&2; exit 82; }
override() { export "$1=$2"; }
default() { [ -n "\${!1-}" ] || export "$1=$2"; }
append() { export "$1=\${!1-}\${!1:+$3}$2"; }
prepend() { export "$1=$2\${!1:+$3}\${!1-}"; }
_nl=$'\\n'

# Reads what a program of exec.d wrote: TOML with nothing but texts by name.
texts() {
  local _text=\${1//$'\\r\\n'/$_nl} _blank="^[[:space:]]+" _comment="^#[^$_nl]*" _rest="^[[:blank:]]*(#[^$_nl]*)?($_nl|$)"
  local _pair="^([A-Za-z0-9_-]+|\\"[^\\"\\\\$_nl]*\\"|'[^'$_nl]*')[[:blank:]]*=[[:blank:]]*(.*)$" _key _value
  while :; do
    while [[ $_text =~ $_blank || $_text =~ $_comment ]]; do _text=\${_text:\${#BASH_REMATCH[0]}}; done
    [ -n "$_text" ] || return 0
    [[ $_text =~ $_pair ]] || return 1
    _key=\${BASH_REMATCH[1]} _text=\${BASH_REMATCH[2]}
    case $_key in [\\"\\']*) _key=\${_key:1:-1} ;; esac
    case $_text in
      "'''"*) _text=\${_text:3}; _text=\${_text#"$_nl"}; literal "'''" || return 1 ;;
      "'"*) _text=\${_text:1}; literal "'" || return 1 ;;
      '"""'*) _text=\${_text:3}; _text=\${_text#"$_nl"}; basic '"""' || return 1 ;;
      '"'*) _text=\${_text:1}; basic '"' || return 1 ;;
      *) return 1 ;;
    esac
    [[ $_text =~ $_rest ]] || return 1
    _text=\${_text:\${#BASH_REMATCH[0]}}
    [[ $_key =~ ^[A-Za-z_][A-Za-z0-9_]*$ ]] || fail "a shell can't set the variable $_key"
    export "$_key=$_value"
  done
}
literal() {
  [[ $_text == *"$1"* ]] || return 1
  _value=\${_text%%"$1"*} _text=\${_text#*"$1"}
  [ \${#1} -eq 3 ] || { [[ $_value != *"$_nl"* ]]; return; }
  while [[ $_text == "'"* ]]; do _value+="'" _text=\${_text:1}; done
}
basic() {
  local _plain _hex
  _value=
  while :; do
    _plain=\${_text%%[\\"\\\\]*} _text=\${_text:\${#_plain}} _value+=$_plain
    [ \${#1} -eq 3 ] || [[ $_plain != *"$_nl"* ]] || return 1
    case $_text in
      "$1"*) _text=\${_text:\${#1}}; break ;;
      '"'*) _value+='"' _text=\${_text:1}; continue ;;
      '') return 1 ;;
    esac
    case \${_text:1:1} in
      b) _value+=$'\\b' ;; t) _value+=$'\\t' ;; n) _value+=$_nl ;; f) _value+=$'\\f' ;; r) _value+=$'\\r' ;; e) _value+=$'\\e' ;;
      '"') _value+='"' ;; \\\\) _value+=\\\\ ;;
      x) _hex=\${_text:2:2}; symbol 2 || return 1 ;;
      u) _hex=\${_text:2:4}; symbol 4 || return 1 ;;
      U) _hex=\${_text:2:8}; symbol 8 || return 1 ;;
      ' ' | $'\\t' | "$_nl") [ \${#1} -eq 3 ] && [[ $_text =~ ^.[[:space:]]+ ]] || return 1; _text=\${_text:\${#BASH_REMATCH[0]}}; continue ;;
      *) return 1 ;;
    esac
    _text=\${_text:2}
  done
  [ \${#1} -eq 1 ] || while [[ $_text == '"'* ]]; do _value+='"' _text=\${_text:1}; done
}
# UTF-8, whatever the locale is.
symbol() {
  [[ $_hex =~ ^[0-9A-Fa-f]+$ ]] && [ "\${#_hex}" -eq "$1" ] || return 1
  local _n=$((16#$_hex)) _bytes
  _text=\${_text:\${#_hex}}
  ((_n > 0 && _n < 1114112)) || return 1
  if ((_n < 128)); then printf -v _bytes '\\\\x%02x' "$_n"
  elif ((_n < 2048)); then printf -v _bytes '\\\\x%02x' $((192 | _n >> 6)) $((128 | _n & 63))
  elif ((_n < 65536)); then printf -v _bytes '\\\\x%02x' $((224 | _n >> 12)) $((128 | _n >> 6 & 63)) $((128 | _n & 63))
  else printf -v _bytes '\\\\x%02x' $((240 | _n >> 18)) $((128 | _n >> 12 & 63)) $((128 | _n >> 6 & 63)) $((128 | _n & 63)); fi
  printf -v _bytes "$_bytes"
  _value+=$_bytes
}

_type=\${0##*/}
unset CNB_LAYERS_DIR CNB_APP_DIR CNB_PROCESS_TYPE CNB_PLATFORM_API CNB_DEPRECATION_MODE
_path=:$PATH:
for _own in /${CNB_PROCESS} /${CNB_LIFECYCLE}; do while [[ $_path == *":$_own:"* ]]; do _path=\${_path/":$_own:"/:}; done; done
_path=\${_path#:}; PATH=\${_path%:}
cd ${CNB_INSIDE.app} || fail "there is no app"
if [ "$_type" != launcher ] && [ -f "/${CNB_TYPES}/$_type" ]; then
  source "/${CNB_TYPES}/$_type"
  if [ "$#" -eq 0 ]; then set -- "\${_args[@]}"
  elif [ -n "$_appends" ]; then set -- "\${_args[@]}" "$@"
  fi
  set -- "\${_fixed[@]}" "$@"
else
  [ "$#" -gt 0 ] || fail "there is no default process; give a command, or start one of /${CNB_PROCESS}: $(echo $(ls /${CNB_PROCESS} 2>/dev/null))"
  source /${CNB_ANY}
  _direct= _directory=${CNB_INSIDE.app}
  if [ "$1" = -- ] && [ "$#" -gt 1 ]; then shift; _direct=1; fi
  _command=$1; shift
fi
variables
for _program in "\${_programs[@]}"; do
  { _written=$("$_program" 3>&1 >&4 4>&-); _code=$?; } 4>&1
  [ "$_code" -eq 0 ] || fail "$_program ended with $_code"
  texts "$_written" || fail "$_program wrote something other than texts by name"
done
if [ -n "$_direct" ]; then
  builtin type -P -- "$_command" >/dev/null || fail "$_command is not a program of the final PATH"
  cd -- "$_directory" || fail "there is no directory $_directory"
  unset OLDPWD
  shopt -s execfail
  exec -- "$_command" "$@"
  fail "$_command could not be started"
fi
[ ! -f .profile ] || _profiles+=(${CNB_INSIDE.app}/.profile)
_script=
for _file in "\${_profiles[@]}"; do printf -v _line 'source %q\\n' "$_file"; _script+=$_line; done
printf -v _line 'cd %q || exit 82\\n' "$_directory"
_script+=$_line
if [ "$#" -eq 0 ]; then _script+='exec bash -c "$@"'
else
  _words='"$(eval echo \\"$0\\")"'
  for ((_i = 1; _i <= $#; _i++)); do _words+=" \\"\\$(eval echo \\\\\\"\\\${$_i}\\\\\\")\\""; done
  _script+="exec bash -c '$_words' \\"\\\${@:1}\\""
fi
exec /bin/bash -c "$_script" "$0" "$_command" "$@"
`;
