/**
 * Stages apps of fixtures/apps by our own buildpacks, copied and above the tree of their last package:
 *
 *     node bench/both-ways.ts [APP…]
 *
 * All times in the droplets are one (`--reproducible`), since buildpacks write files anew. First once, to fill the cache;
 * then as a copy twice, and above a tree when it is made and when it is used. Prints which droplets are the same to the
 * last byte; an app of which two copies differ can't be compared. The status is 1 when a droplet above a tree differs.
 */
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { Cli } from '../test/support/cli.ts';

const APPS = fileURLToPath(new URL('../fixtures/apps', import.meta.url));
const ALL = [
  ...[
    'static-site',
    'nginx-site',
    'express',
    'vendored',
    'yarn',
    'berry',
    'pnpm',
    'typescript',
    'flask',
    'fastapi',
  ],
  ...[
    'django',
    'go-plain',
    'go-web',
    'procfile-multi',
    'php-composer',
    'java-maven',
    'rust-plain',
    'dotnet-web',
  ],
];

let differing = 0;
const wanted = process.argv.slice(2);
for (const name of wanted.length === 0 ? ALL : wanted) {
  await using cli = await Cli.make();
  const stage = async (how: string): Promise<string> => {
    const ended = await cli.run(['stage', join(APPS, name), '--workspace', how, '--reproducible']);
    const digest = /sha256:[0-9a-f]{64}/.exec(ended.stdout)?.[0];
    if (ended.code !== 0 || digest === undefined || ended.stderr.includes('copied into'))
      throw new Error(
        ended.stderr.split('\n').find((line) => /error|copied into/.test(line)) ?? ended.stderr,
      );
    return digest;
  };
  try {
    await stage('copy');
    const copied = await stage('copy');
    const isStable = (await stage('copy')) === copied;
    const [made, used] = [await stage('overlay'), await stage('overlay')];
    const isSame = made === copied && used === copied;
    if (isStable && !isSame) differing += 1;
    console.log(`${name}: ${isSame ? 'the same' : isStable ? 'OTHERS' : 'two copies differ'} ${copied}`);
  } catch (error) {
    console.log(`${name}: not staged: ${error instanceof Error ? error.message : String(error)}`);
  }
}
process.exitCode = differing === 0 ? 0 : 1;
