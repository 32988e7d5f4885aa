/**
 * What starts a droplet in an image: a bash script, since a droplet needs bash for its profile scripts anyway and an
 * image has no Node. The script that it hands to bash is the one of `stager run` (launch/start-script.ts), with the
 * command put in; so both follow the same rules.
 *
 * `/lifecycle/process/<type>` are links to it. Without arguments it starts the type that its name says; with one
 * argument a shell command, with several a program and its arguments, as `stager run --` does. The command takes
 * the script's place, so it gets SIGTERM and its status is the container's. Sidecars are started beside it; then the
 * script stays to stop all of them when one ends.
 */
import { launchScript } from '../launch/start-script.ts';

/** Directory of what we put into an image. */
export const LIFECYCLE = 'lifecycle';
const MARK = 'STAGER_COMMAND';

/** The text of `/lifecycle/launcher`. */
export const IMAGE_LAUNCHER = `#!/bin/bash
# Starts a process of a droplet: profile scripts, then the command. Made by stager.
type=\${0##*/}
[ "$type" != launcher ] || type=web
kind=process
[ "\${1-}" != -- ] || shift
if [ "$#" -eq 1 ]; then kind=task command=$1
elif [ "$#" -gt 1 ]; then kind=task; printf -v command '%q ' "$@"
elif [ -f "/lifecycle/commands/$type" ]; then command=$(cat "/lifecycle/commands/$type")
else
  echo "the droplet has no command for process type $type; it has: $(echo $(ls /lifecycle/commands 2>/dev/null))" >&2
  exit 1
fi
launch() {
  local text quoted
  text=$(cat "/lifecycle/$kind.sh")
  printf -v quoted %q "$1"
  exec /bin/bash -c "\${text/${MARK}/"$quoted"}" launcher
}
[ "$kind" = process ] && [ -d "/lifecycle/sidecars/$type" ] || launch "$command"
all=()
for file in "/lifecycle/sidecars/$type"/*; do
  launch "$(cat "$file")" &
  all+=($!)
done
launch "$command" &
main=$!
all+=($main)
stopped=
trap 'stopped=1; kill -TERM "\${all[@]}" 2>/dev/null' TERM INT
wait -n "\${all[@]}"
code=$?
[ -z "$stopped" ] || { wait "$main"; code=$?; }
kill -TERM "\${all[@]}" 2>/dev/null
( for second in 1 2 3 4 5 6 7 8 9 10; do sleep 1; done; kill -KILL "\${all[@]}" 2>/dev/null ) &
wait "\${all[@]}"
exit "$code"
`;

/** The templates into which the command is put. */
export function imageTemplates(
  entrypointPrefix: string | undefined,
): Readonly<Record<'process.sh' | 'task.sh', string>> {
  const prefix = entrypointPrefix === undefined ? {} : { entrypointPrefix };
  return {
    'process.sh': launchScript({ command: MARK, announce: true, ...prefix }),
    'task.sh': launchScript({ command: MARK, announce: false, ...prefix }),
  };
}
