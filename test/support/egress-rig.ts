/**
 * Opens a network with a filtered way out, for tests that kill its maker or give it another resolver. Prints the pids that
 * hold it, and what the name in argv[3] is, asked inside; then waits.
 */
import { execFileSync } from 'node:child_process';
import { readdirSync, readFileSync } from 'node:fs';
import { EgressNetwork } from '../../src/machine/network/egress.ts';
import { findTools } from '../../src/machine/network/tools.ts';

const [directory = '', name] = process.argv.slice(2);
const tools = await findTools();
if ('why' in tools) throw new Error(tools.why);
const network = await EgressNetwork.open({ tools, policy: { rules: [], allowed: [] }, directory });
const children = readdirSync(`/proc/${process.pid}/task`).flatMap((thread) =>
  readFileSync(`/proc/${process.pid}/task/${thread}/children`, 'utf8').split(' ').filter(Boolean).map(Number),
);
const ask = `import { Resolver } from 'node:dns/promises'; const resolver = new Resolver({ timeout: 5000, tries: 2 });
resolver.setServers(['198.51.100.3']); console.log(JSON.stringify(await resolver.resolve4(process.argv[1])))`;
const answer =
  name === undefined
    ? '[]'
    : execFileSync(
        'nsenter',
        [`--net=${network.entrance.net}`, process.execPath, '--input-type=module', '-e', ask, name],
        { encoding: 'utf8' },
      );
process.stdout.write(`${JSON.stringify({ children, answer: JSON.parse(answer) })}\n`);
setInterval(() => undefined, 60_000);
