/** A new buildpack in TypeScript, with the kit in it; it runs as it is, on the Node that the kit finds. */
import { commonFiles, named, type SkeletonFile, type SkeletonNames } from './skeleton.ts';

const MAIN = `import { copyFile, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { runSteps, type StepContext } from '../kit/kit.mjs';

/** Puts what the app needs into \`deps/<idx>\`, and never into the app. */
async function supply({ buildDir, cacheDir, dep, log }: StepContext): Promise<void> {
  const wanted = join(buildDir, 'LANGUAGE.txt');
  // CACHE_DIR is kept between stagings of an app: what takes long to get goes there.
  const kept = join(cacheDir, 'greeting');
  if ((await textOf(kept)) === (await textOf(wanted))) {
    log.info('Using the greeting of the last staging');
  } else {
    log.info('Writing the greeting');
    await copyFile(wanted, kept);
  }
  // bin/ is on PATH for later buildpacks and for the app.
  await mkdir(dep.at('bin'), { recursive: true });
  await mkdir(dep.at('share'), { recursive: true });
  await copyFile(kept, dep.at('share', 'greeting'));
  const program = '#!/bin/sh\\ncat "$VARIABLE_HOME/share/greeting"\\n';
  await writeFile(dep.at('bin', 'LANGUAGE-hello'), program, { mode: 0o755 });
  // A variable for later buildpacks, and one for the app when it starts.
  await dep.writeEnv('VARIABLE_HOME', dep.path);
  await dep.writeProfile('LANGUAGE.sh', \`export VARIABLE_HOME=\${dep.atRunTime()}\\n\`);
}

async function textOf(path: string): Promise<string | undefined> {
  return await readFile(path, 'utf8').catch(() => undefined);
}

await runSteps({ supply });
`;

const PACKAGE = `{
  "name": "LANGUAGE-buildpack",
  "private": true,
  "type": "module",
  "engines": { "node": ">=22.21" }
}
`;

const TSCONFIG = `{
  "compilerOptions": {
    "target": "es2024",
    "module": "nodenext",
    "strict": true,
    "noEmit": true,
    "erasableSyntaxOnly": true,
    "verbatimModuleSyntax": true,
    "allowImportingTsExtensions": true,
    "skipLibCheck": true
  },
  "include": ["src"]
}
`;

const README = `Nothing has to be built: Node reads src/main.ts as it is. kit/ is a copy of stager's buildpack kit, with its types;
a newer one comes with \`stager buildpack new\` of a newer stager. Your editor wants \`npm install --no-save
typescript @types/node\`.

| file | |
|---|---|
| bin/detect | says whether an app is ours |
| src/main.ts | supply, and finalize if you write one |
| bin/release | names the app's processes |
| dist/run.sh | finds a Node and starts src/main.ts on it |
`;

const step = (name: string): string => `#!/bin/sh\nexec "$(dirname "$0")/../dist/run.sh" ${name} "$@"\n`;

/** Texts of the kit's files. */
export interface KitTexts {
  readonly launchEnv: string;
  readonly runScript: string;
  readonly nodeRuntime: string;
}

/** Its files, without those of `kit/`. */
export function typescriptSkeleton(names: SkeletonNames, kit: KitTexts): readonly SkeletonFile[] {
  return [
    ...commonFiles(names, {
      included: ['VERSION', 'bin', 'dist', 'kit/kit.mjs', 'manifest.yml', 'package.json', 'src'],
      readme: README,
    }),
    { path: 'package.json', text: named(PACKAGE, names) },
    { path: 'tsconfig.json', text: TSCONFIG },
    { path: '.gitignore', text: 'node_modules\n*.zip\n' },
    { path: 'bin/supply', text: step('supply'), executable: true },
    { path: 'bin/finalize', text: step('finalize'), executable: true },
    { path: 'src/main.ts', text: named(MAIN, names) },
    { path: 'dist/main.mjs', text: "import '../src/main.ts';\n" },
    { path: 'dist/run.sh', text: kit.runScript, executable: true },
    { path: 'dist/node-runtime', text: kit.nodeRuntime },
    { path: 'dist/launch-env.sh', text: kit.launchEnv, executable: true },
  ];
}
