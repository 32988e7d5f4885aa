/**
 * Makes a Cloud Native Buildpack of a buildpack for Cloud Foundry: an image of one layer, as `pack buildpack package`
 * makes it, in a .cnb file or in a registry. docs/decisions/both-contracts.md says how it works.
 */
import { chmod, copyFile, mkdir, stat, symlink, writeFile } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import { fileDigest } from '../machine/host/file-digest.ts';
import { handOver } from '../staging/build-image.ts';
import { rootfsLayer } from '../staging/image/image-layers.ts';
import { imageTexts, packLayer } from '../staging/image/image-parts.ts';
import { createWorkspace } from '../staging/workspace/workspace.ts';
import type { RegistryClient } from '../stores/registry/client.ts';
import { machineArch } from '../stores/registry/documents.ts';
import { parseImageReference } from '../stores/registry/reference.ts';
import { CNB_API_OF_PACKAGES, type CnbIdentity, writeCnbParts } from './cnb-parts.ts';
import type { OfflinePorts } from './offline.ts';
import { unpackageable } from './package-files.ts';
import type { ZipEntry } from './write-zip.ts';

/** What making one needs besides. */
export interface CnbWish {
  /** Default: the buildpack's own name. */
  readonly id?: string;
  /** Goes to this image of a registry, instead of a file. */
  readonly push?: string;
  /** The exported kit. */
  readonly kit: string;
  /** Directory of workspaces. */
  readonly workspaces: string;
  /** Downloads, for Node. */
  readonly ports: OfflinePorts;
  readonly client: RegistryClient;
}

/** The buildpack that goes into it. */
export interface CnbContent {
  readonly name: string;
  readonly version: string;
  readonly entries: readonly ZipEntry[];
}

/** What was made. */
export interface MadeCnb {
  /** Path of the file, or name of the image. */
  readonly file: string;
  readonly sizeBytes: number;
  /** Hex: of the file, or of the image's manifest. */
  readonly sha256: string;
}

const TIME = '1980-01-01T00:00:01Z';

/** Makes it. @throws StagerError BUILDPACK_MALFORMED, and those of downloads and registries. */
export async function writeCnb(file: string, content: CnbContent, wish: CnbWish): Promise<MadeCnb> {
  const identity = identityOf(content, wish.id);
  const { signal, clock } = wish.ports.downloads;
  const target = wish.push === undefined ? undefined : parseImageReference(wish.push);
  const workspace = await createWorkspace({ parent: wish.workspaces });
  try {
    const spool = join(workspace.root, 'layers');
    const rootfs = join(workspace.root, 'image');
    const path = `cnb/buildpacks/${identity.id.replaceAll('/', '_')}/${identity.version}`;
    const root = join(rootfs, path);
    await mkdir(spool);
    await writeCnbParts(root, identity, wish);
    for (const entry of content.entries) await writeEntry(join(root, 'cf'), entry);
    const layer = await packLayer({ title: path, entries: rootfsLayer(rootfs) }, 0, { spool, signal });
    const texts = imageTexts({
      architecture: identity.arch,
      created: TIME,
      run: { Labels: labelsOf(identity, layer.diffId) },
      layers: [layer],
      baseLayers: 0,
    });
    const to = target === undefined ? ({ kind: 'tar', file } as const) : ({ kind: 'push' } as const);
    const named =
      target ?? parseImageReference(`${identity.id.replaceAll('/', '-').toLowerCase()}:${identity.version}`);
    const made = await handOver(
      { to, target: named },
      { texts, layers: [layer] },
      { client: wish.client, clock, signal },
    );
    if (target !== undefined)
      return {
        file: made.name,
        sizeBytes: layer.descriptor.size,
        sha256: made.digest.replace('sha256:', ''),
      };
    return { file, sizeBytes: (await stat(file)).size, sha256: await fileDigest(file, signal) };
  } finally {
    await workspace.release({ keep: 'never', failed: false });
  }
}

function identityOf({ name, version, entries }: CnbContent, given: string | undefined): CnbIdentity {
  const id = given ?? name;
  if (!/^[A-Za-z0-9./-]+$/.test(id) || /^(app|config|generated|sbom|\.+)$/.test(id))
    throw unpackageable(
      `${JSON.stringify(id)} is not an id`,
      'Give one with --id: letters, digits, dots, dashes and slashes.',
    );
  if (!/^(0|[1-9]\d*)\.(0|[1-9]\d*)\.(0|[1-9]\d*)$/.test(version))
    throw unpackageable(
      `its version ${version} is not of the form 1.2.3`,
      'Write such a version into VERSION.',
    );
  const paths = new Set(entries.map(({ path }) => path));
  for (const script of ['bin/detect', 'bin/supply', 'bin/finalize']) {
    if (!paths.has(script))
      throw unpackageable(
        `it has no ${script}`,
        'Only buildpacks with supply and finalize can be Cloud Native Buildpacks.',
      );
  }
  return { id, version, name, arch: machineArch() };
}

function labelsOf({ id, version, name, arch }: CnbIdentity, layerDiffID: string): Record<string, string> {
  const stacks = [{ id: '*' }];
  const targets = [{ os: 'linux', arch }];
  return {
    'io.buildpacks.buildpackage.metadata': JSON.stringify({ id, version, name, stacks }),
    'io.buildpacks.buildpack.layers': JSON.stringify({
      [id]: { [version]: { api: CNB_API_OF_PACKAGES, name, stacks, targets, layerDiffID } },
    }),
  };
}

async function writeEntry(root: string, entry: ZipEntry): Promise<void> {
  const path = join(root, entry.path);
  await mkdir(entry.kind === 'directory' ? path : dirname(path), { recursive: true });
  if (entry.kind === 'symlink') await symlink(entry.target, path);
  else if (entry.kind === 'file') await copyFile(entry.hostPath, path);
  else if (entry.kind === 'text') await writeFile(path, entry.text);
  if (entry.kind !== 'symlink') await chmod(path, entry.mode);
}
