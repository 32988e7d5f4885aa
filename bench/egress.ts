/**
 * What a network of its own costs: a download of 1 GiB from this machine with and without it, and the time to make and to
 * remove one. `node bench/egress.ts [ROUNDS]`, as root; needs curl.
 */
import { execFileSync } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Worker } from 'node:worker_threads';
import { EgressNetwork } from '../src/machine/network/egress.ts';
import { DEFAULT_RULES } from '../src/machine/network/rules.ts';
import { findTools } from '../src/machine/network/tools.ts';

const rounds = Number(process.argv[2] ?? 5);
const tools = await findTools();
if ('why' in tools) throw new Error(tools.why);

/** In a thread of its own: curl is waited for in this one. */
const server = new Worker(
  `const { createServer } = require('node:http'); const { parentPort } = require('node:worker_threads');
   const block = Buffer.alloc(1 << 20, 7);
   createServer((_, response) => {
     let left = 1024; response.writeHead(200, { 'content-length': 1 << 30 });
     const go = () => { while (left-- > 0) if (!response.write(block)) return response.once('drain', go); response.end(); };
     go();
   }).listen(0, '127.0.0.1', function () { parentPort.postMessage(this.address().port); });`,
  { eval: true },
);
const [port] = await once(server, 'message');
const home = mkdtempSync(join(tmpdir(), 'stager-bench-'));
const median = (values: readonly number[]): number =>
  values.toSorted((a, b) => a - b)[values.length >> 1] ?? 0;
const curl = ['curl', '-so', '/dev/null', '-w', '%{speed_download}', `http://127.0.0.1:${port}/`] as const;
const figures: Record<'host' | 'egress' | 'made' | 'removed', number[]> = {
  host: [],
  egress: [],
  made: [],
  removed: [],
};
for (let round = 0; round < rounds; round += 1) {
  const [program, ...args] = curl;
  figures.host.push(Number(execFileSync(program, args, { encoding: 'utf8' })));
  const begun = performance.now();
  const policy = { rules: DEFAULT_RULES, allowed: [{ host: '127.0.0.1', port: Number(port) }] };
  const network = await EgressNetwork.open({ tools, policy, directory: join(home, String(round)) });
  figures.made.push(performance.now() - begun);
  const inside = [`--net=${network.entrance.net}`, ...curl];
  figures.egress.push(Number(execFileSync('nsenter', inside, { encoding: 'utf8' })));
  const ending = performance.now();
  await network[Symbol.asyncDispose]();
  figures.removed.push(performance.now() - ending);
}
await server.terminate();
rmSync(home, { recursive: true });
const mb = (values: readonly number[]): string => `${Math.round(median(values) / 1e6)} MB/s`;
console.log(`1 GiB, the machine's network   ${mb(figures.host)}`);
console.log(`1 GiB, one of its own          ${mb(figures.egress)}`);
console.log(`made in                        ${median(figures.made).toFixed(1)} ms`);
console.log(`removed in                     ${median(figures.removed).toFixed(1)} ms`);
