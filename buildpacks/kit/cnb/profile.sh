#!/usr/bin/env bash
# exec.d of the launcher: sources what Cloud Foundry sources before an app starts, and tells on descriptor 3 which
# variables that changed. The home is the app's directory meanwhile, as on Cloud Foundry.
_stager_app=@APP@ _stager_deps=@DEPS@ _stager_profile=@PROFILE@ _stager_idx=@IDX@ _stager_final=@FINAL@
declare -A _stager_before
while IFS= read -r _stager_name; do
  _stager_before[$_stager_name]=${!_stager_name}
done < <(compgen -e)

export HOME=$_stager_app
cd "$_stager_app" || exit 1
_stager_scripts=("$_stager_deps/$_stager_idx"/profile.d/*)
if [ "$_stager_final" = yes ]; then
  _stager_scripts+=("$_stager_profile"/* "$_stager_app"/.profile.d/*.sh "$_stager_app/.profile")
fi
for _stager_script in "${_stager_scripts[@]}"; do
  # The launcher reads to the end of descriptor 3: what a script leaves running is not to hold it.
  # shellcheck source=/dev/null
  if [ -f "$_stager_script" ]; then . "$_stager_script" 3>&-; fi
done

_stager_slash='\'
while IFS= read -r _stager_name; do
  case $_stager_name in HOME | PWD | OLDPWD | SHLVL | _) continue ;; esac
  _stager_value=${!_stager_name}
  if [ "${_stager_before[$_stager_name]+there}" = there ] && [ "${_stager_before[$_stager_name]}" = "$_stager_value" ]; then
    continue
  fi
  _stager_value=${_stager_value//"$_stager_slash"/"$_stager_slash$_stager_slash"}
  _stager_value=${_stager_value//\"/"$_stager_slash\""}
  if [[ $_stager_value == *[[:cntrl:]]* ]]; then
    for _stager_code in {1..31} 127; do
      printf -v _stager_hex '%04x' "$_stager_code"
      printf -v _stager_char "${_stager_slash}x${_stager_hex:2}"
      _stager_value=${_stager_value//"$_stager_char"/"${_stager_slash}u$_stager_hex"}
    done
  fi
  printf '%s = "%s"\n' "$_stager_name" "$_stager_value" >&3
done < <(compgen -e)
exit 0
