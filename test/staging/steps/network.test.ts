import { expect, it } from 'vitest';
import type { NetworkKind } from '../../../src/machine/sandbox/port/network.ts';
import { withNetworkHint } from '../../../src/staging/steps/network.ts';
import { StagerError } from '../../../src/words/errors.ts';

const failure = new StagerError('SUPPLY_FAILED', 'bin/supply of x failed with exit status 6', {
  next: 'Look.',
});

function staging(
  kind: NetworkKind,
  refused: readonly string[] = [],
  env: Readonly<Record<string, string>> = {},
) {
  const ownNetwork = {
    publish: async () => {},
    listeners: async () => [],
    refused: async () => refused,
    end: async () => {},
  };
  return { network: () => ({ kind }), request: { env }, ports: { sandbox: { ownNetwork } } };
}

it('a staging without a network is told apart from one whose network is broken', async () => {
  const { next } = await withNetworkHint(failure, staging('none'));
  expect(next).toMatch(/^Look\. The network is not broken: scripts have none \(--network none\)/);
  expect(await withNetworkHint(failure, staging('host'))).toBe(failure);
});

it('a script that failed is told what its network refused, and how to allow it', async () => {
  const { next, message } = await withNetworkHint(failure, staging('egress', ['10.1.2.3:443/tcp']));
  expect(message).toBe(failure.message);
  expect(next).toMatch(
    /refused 10\.1\.2\.3:443\/tcp: allow what is needed with --egress-rules or --allow-host/,
  );
  expect(await withNetworkHint(failure, staging('egress'))).toBe(failure);
});

it('a script that failed is told which of its variables name the loopback interface of the machine', async () => {
  const env = { REGISTRY: 'http://localhost:4873' };
  const { next } = await withNetworkHint(failure, staging('egress', [], env));
  expect(next).toContain('REGISTRY names localhost:4873 (--allow-host localhost:4873)');
  expect(await withNetworkHint(failure, staging('host', [], env))).toBe(failure);
});

it('a failure that is not of a script says nothing of the network', async () => {
  const other = new StagerError('OUT_OF_MEMORY', 'too much', { next: 'Raise --memory.' });
  expect(await withNetworkHint(other, staging('none'))).toBe(other);
});
