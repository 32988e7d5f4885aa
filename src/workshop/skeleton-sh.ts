/** A new buildpack in shell. */
import { commonFiles, named, type SkeletonFile, type SkeletonNames } from './skeleton.ts';

const SUPPLY = `#!/bin/sh
# BUILD_DIR CACHE_DIR DEPS_DIR IDX: puts what the app needs into DEPS_DIR/IDX, and never into the app.
set -eu
build=$1
cache=$2
dep=$3/$4
root=$(cd "$(dirname "$0")/.." && pwd -P)
version=$(cat "$root/VERSION")
echo "-----> LANGUAGE buildpack $version"

# CACHE_DIR is kept between stagings of an app: what takes long to get goes there.
if [ -f "$cache/greeting" ] && cmp -s "$cache/greeting" "$build/LANGUAGE.txt"; then
  echo '       Using the greeting of the last staging'
else
  echo '       Writing the greeting'
  cp "$build/LANGUAGE.txt" "$cache/greeting"
fi

# bin/ is on PATH for later buildpacks and for the app.
mkdir -p "$dep/bin" "$dep/env" "$dep/profile.d" "$dep/share"
cp "$cache/greeting" "$dep/share/greeting"
cat >"$dep/bin/LANGUAGE-hello" <<'END'
#!/bin/sh
cat "$VARIABLE_HOME/share/greeting"
END
chmod 755 "$dep/bin/LANGUAGE-hello"

# A variable for later buildpacks (the file's content as it is), and one for the app when it starts.
printf %s "$dep" >"$dep/env/VARIABLE_HOME"
echo "export VARIABLE_HOME=\\$DEPS_DIR/$4" >"$dep/profile.d/LANGUAGE.sh"
printf 'name: LANGUAGE\\nversion: %s\\nconfig: {}\\n' "$version" >"$dep/config.yml"
`;

const FINALIZE = `#!/bin/sh
# BUILD_DIR CACHE_DIR DEPS_DIR IDX [PROFILE_DIR]: only the last buildpack runs this. It has to put what all
# buildpacks supplied on the app's search paths, and their profile scripts where the launcher looks.
set -eu
exec "$(dirname "$0")/../lib/launch-env.sh" "$3" "\${5:-$1/.profile.d}"
`;

const README = `| file | |
|---|---|
| bin/detect | says whether an app is ours |
| bin/supply | installs into DEPS_DIR/IDX |
| bin/finalize | prepares the start of the app |
| bin/release | names its processes |
| lib/launch-env.sh | search paths and profile scripts, copied from stager's kit |
`;

/** Its files; `launchEnv` is the text of the kit's launch-env.sh. */
export function shellSkeleton(names: SkeletonNames, launchEnv: string): readonly SkeletonFile[] {
  return [
    ...commonFiles(names, { included: ['VERSION', 'bin', 'lib', 'manifest.yml'], readme: README }),
    { path: 'bin/supply', text: named(SUPPLY, names), executable: true },
    { path: 'bin/finalize', text: named(FINALIZE, names), executable: true },
    { path: 'lib/launch-env.sh', text: launchEnv, executable: true },
  ];
}
