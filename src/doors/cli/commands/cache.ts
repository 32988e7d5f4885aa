/** `stager cache du|prune`: what is kept on this machine to save time, none of which a droplet needs. */
import { join } from 'node:path';
import { sweepMemberCache } from '../../../staging/droplet/pack/member-cache-sweep.ts';
import { apparentSize } from '../../../staging/workspace/apparent-size.ts';
import { formatBytes } from '../../../words/units.ts';
import type { Context } from '../input/context.ts';
import { table } from '../terminal/table.ts';

/** What each cache takes. */
export async function cacheUse({ stager, output, signal }: Context): Promise<number> {
  const { layers, memberCache, config } = await stager();
  const caches = [
    { cache: 'layers', what: "trees of apps' last packages", bytes: (await layers.use()).bytes },
    {
      cache: 'members',
      what: 'compressed parts of droplets',
      bytes: await apparentSize(memberCache, signal),
    },
    {
      cache: 'unpacked',
      what: 'what buildpacks install, unpacked',
      bytes: await apparentSize(join(config.home, 'unpacked'), signal),
    },
    { cache: 'downloads', what: 'what was downloaded', bytes: await apparentSize(config.cacheHome, signal) },
  ];
  if (output.json) for (const one of caches) output.object(one);
  else
    for (const line of table([
      ['cache', 'size', 'what'],
      ...caches.map(({ cache, what, bytes }) => [cache, formatBytes(bytes), what]),
    ]))
      output.line(line);
  return 0;
}

/** Removes the two that grow with every app. Stagings that run keep what they use. */
export async function cachePrune({ stager, output, signal }: Context): Promise<number> {
  const { layers, memberCache } = await stager();
  const before = await layers.use();
  const limits = { maxBytes: 0, maxAgeMs: 0 };
  const after = await layers.sweep(signal, limits);
  const members = await sweepMemberCache(memberCache, { signal, limits, force: true });
  const removed = { layers: before.bytes - after.bytes, members: members.removedBytes };
  if (output.json) output.object(removed);
  else if (!output.quiet)
    output.line(
      `Removed ${formatBytes(removed.layers)} of trees and ${formatBytes(removed.members)} of members`,
    );
  return 0;
}
