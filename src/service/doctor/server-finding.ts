/** Whether a stager server is there and ready, for `stager doctor`. */
import { z } from 'zod';
import { type Facts, type Finding, noted } from '../../machine/doctor/finding.ts';
import { exchange, hostOf, type RemoteParts } from '../../remote/http.ts';
import { serverLinks, serverUrl } from '../../remote/links.ts';
import { StagerError } from '../../words/errors.ts';
import { parseJson } from '../../words/json.ts';

const Ready = z.record(z.string(), z.string());

/** @throws StagerError CONFIG_INVALID for what is not an address, SERVER_UNAVAILABLE. */
export async function serverFinding(
  parts: Pick<RemoteParts, 'http' | 'signal'>,
  address: string,
): Promise<Finding<Facts>> {
  const url = serverUrl(address);
  const { stager, login } = await serverLinks(parts, url);
  if (stager === undefined)
    return noted([`${hostOf(url)} answers as Cloud Foundry, not as stager; people sign in at ${login}`]);
  const answer = await exchange(parts, `${url}/readyz`, { method: 'GET' });
  const ready = Ready.safeParse(parseJson(answer.text));
  const parted = Object.entries(ready.data ?? {}).filter(([name]) => name !== 'status');
  const states = parted.map(([name, state]) => `${name} ${state}`).join(', ');
  if (answer.status === 200) return noted([`${hostOf(url)} is ready${states === '' ? '' : `: ${states}`}`]);
  throw new StagerError(
    'SERVER_UNAVAILABLE',
    `${hostOf(url)} is not ready: ${states === '' ? `it answers ${answer.status}` : states}`,
    { next: 'Run stager doctor with --database and --blobstore on the machine of the server.' },
  );
}
