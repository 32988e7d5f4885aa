/** What a filter has refused, for the message: read from the set in which it records that. */
import { execa } from 'execa';
import { z } from 'zod';
import { parseJson } from '../../words/json.ts';
import { LIST_REFUSED } from './filter.ts';

const Element = z.object({ concat: z.tuple([z.string(), z.string(), z.union([z.number(), z.string()])]) });
const Listed = z.object({
  nftables: z.array(z.object({ set: z.object({ elem: z.array(Element).optional() }).optional() })),
});

/** @param enter command line that puts what follows into the namespace */
export async function refusedIn(
  enter: readonly [string, ...string[]],
  nft: string,
): Promise<readonly string[]> {
  const [program, ...args] = enter;
  const listed = await execa(program, [...args, nft, ...LIST_REFUSED], {
    reject: false,
    stdin: 'ignore',
    env: {},
    timeout: 5_000,
  });
  return refusedOf(listed.stdout);
}

/** Pure: what `nft -j list set` writes → `10.1.2.3:443/tcp`. */
export function refusedOf(json: string): readonly string[] {
  const read = Listed.safeParse(parseJson(json));
  if (!read.success) return [];
  return read.data.nftables
    .flatMap(({ set }) => set?.elem ?? [])
    .map(({ concat: [address, protocol, port] }) => `${address}:${port}/${protocol}`)
    .toSorted();
}
