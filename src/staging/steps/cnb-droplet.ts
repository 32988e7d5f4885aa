/** The droplet of a build with Cloud Native Buildpacks: `layers/…` and `workspace/…`. */
import { CNB_INSIDE, type CnbHome } from '../cnb/cnb-home.ts';
import { packEntries } from '../droplet/pack/tarball.ts';
import { walkRoots } from '../droplet/tar/tree-walk.ts';
import type { DropletPacking } from './droplet.ts';

const ROOTS = ['layers', 'workspace'] as const;

/** How it is packed; absolute links into the home directory become relative. */
export async function packCnbDroplet(home: CnbHome): Promise<DropletPacking> {
  const roots = await Promise.all(
    ROOTS.map(async (name) => {
      const hostPath = await home.real(`${CNB_INSIDE.home}/${name}`);
      return { kind: 'tree', hostPath, archivePath: name } as const;
    }),
  );
  const inside = `${CNB_INSIDE.home}/`;
  return {
    pack: (options) =>
      packEntries(function* (onSkipped, atEnd) {
        const { sourceDateEpoch } = options;
        const walk = { onSkipped, atEnd, ...(sourceDateEpoch !== undefined && { sourceDateEpoch }) };
        for (const entry of walkRoots(roots, walk)) {
          const { type, link, name } = entry;
          if (type !== 'symlink' || !link.startsWith(inside)) yield entry;
          else yield { ...entry, link: '../'.repeat(name.split('/').length - 1) + link.slice(inside.length) };
        }
      }, options),
  };
}
