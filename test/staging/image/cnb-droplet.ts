/** A droplet of Cloud Native Buildpacks on disk, as the lifecycle of a Cloud Foundry leaves it. */
import { join } from 'node:path';
import { writeAt } from '../cnb/support.ts';

/** Two buildpacks, one of an old API; processes with and without a shell; layers with everything that a launcher reads. */
export const CNB_DROPLET: Readonly<Record<string, string>> = {
  'workspace/index': 'hi\n',
  'workspace/static/a.css': 'a\n',
  'workspace/static/deep/b.css': 'b\n',
  'workspace/.profile': 'export FROM_PROFILE="$FROM_LAYER profile"\n',
  'layers/a_one/tool/bin/tool':
    '#!/bin/bash\necho "tool[$*] in $PWD: $FROM_LAYER|$FROM_EXECD|$ONLY_WEB|$LIST|$CNB_APP_DIR"\ncat /etc/new 2>/dev/null\nexit 0\n',
  'layers/a_one/tool/env/FROM_LAYER': "it's a layer",
  'layers/a_one/tool/env/LIST.append': 'one',
  'layers/a_one/tool/env/LIST.delim': ',',
  'layers/a_one/tool/env.launch/web/ONLY_WEB.override': 'web only',
  'layers/a_one/tool/exec.d/set': `#!/bin/bash\necho 'FROM_EXECD = "said \\"'"$FROM_LAYER"'\\""' >&3\necho out\n`,
  'layers/a_one/tool.toml': '[types]\nlaunch = true\nbuild = true\n[metadata]\nversion = "1.2"\n',
  'layers/a_one/launch.toml':
    '[[slices]]\npaths = ["static/*.css"]\n[[labels]]\nkey = "mine"\nvalue = "yes"\n',
  'layers/a_one/store.toml': '[metadata]\nkept = "k"\n',
  'layers/b_two/late/env/LIST.append': 'two',
  'layers/b_two/late/env/LIST.delim': ',',
  'layers/b_two/late/profile.d/p.sh': 'export PROFILE_D=ran\n',
  'layers/b_two/late.toml': '[types]\nlaunch = true\n',
  'layers/sbom/launch/a_one/tool/sbom.cdx.json': '{}',
  'layers/config/metadata.toml': `buildpack-default-process-type = "web"
[[buildpacks]]
id = "a/one"
version = "1.0.0"
api = "0.10"
homepage = "https://example.com"
[[buildpacks]]
id = "b/two"
version = "2.0.0"
api = "0.8"
[[processes]]
type = "web"
command = ["tool", "always"]
args = ["by default"]
direct = true
buildpack-id = "a/one"
[[processes]]
type = "shell"
command = ["echo \\"shell $PROFILE_D $FROM_PROFILE $FROM_EXECD $0\\""]
args = []
direct = false
buildpack-id = "b/two"
[[processes]]
type = "words"
command = ["echo"]
args = ["$LIST", "a  b"]
direct = false
buildpack-id = "b/two"
[[processes]]
type = "below"
command = ["tool"]
args = ["x"]
direct = true
working-dir = "/home/vcap/workspace/static"
buildpack-id = "a/one"
`,
};

/** Writes the files below `root`. */
export function writeCnbDroplet(root: string, files: Readonly<Record<string, string>> = CNB_DROPLET): string {
  for (const [path, text] of Object.entries(files))
    writeAt(join(root, path), text, /\/(bin|exec\.d)\//.test(path) ? 0o755 : 0o644);
  return root;
}
