/** Networks of containers: private to a staging or run, or shared between two commands. */
import { randomBytes } from 'node:crypto';
import { join } from 'node:path';
import { StagerError } from '../../../words/errors.ts';
import { EgressNetwork, type EgressPolicy, type Entrance } from '../../network/egress.ts';
import type { NetworkTools } from '../../network/tools.ts';
import type { IdPlan } from '../kernel/ids.ts';
import type { EgressPurpose, EgressState, OwnNetwork } from '../port/network.ts';
import { mapIds } from './guard.ts';

/** What networks with a way out are made with. */
export interface EgressMeans {
  readonly state: EgressState;
  /** Absent where it is not available. */
  readonly tools?: NetworkTools;
  readonly policies: Readonly<Record<EgressPurpose, EgressPolicy>>;
}

/** A network that is being made; commands wait for it. */
export interface SessionNetwork extends OwnNetwork, AsyncDisposable {
  entrance(): Promise<Entrance>;
}

/**
 * Begins to make a network, while its owner does other things.
 *
 * @param at directory of this process, and the ids that its owner's commands have
 */
export function sessionNetwork(
  means: EgressMeans | undefined,
  purpose: EgressPurpose,
  at: { readonly home: string; readonly ids: IdPlan },
): SessionNetwork {
  const made = make(means, purpose, at);
  // Whoever needs it is told; nobody may need it.
  made.catch(() => undefined);
  let ending: Promise<void> | undefined;
  const end = (): Promise<void> => {
    ending ??= made.then(
      (network) => network[Symbol.asyncDispose](),
      () => undefined,
    );
    return ending;
  };
  return {
    entrance: async () => (await made).entrance,
    publish: async (port, where) => await (await made).publish(port, where),
    listeners: async (port) => await (await made).listeners(port),
    refused: async () => await (await made).refused(),
    end,
    [Symbol.asyncDispose]: end,
  };
}

async function make(
  means: EgressMeans | undefined,
  purpose: EgressPurpose,
  { home, ids }: { readonly home: string; readonly ids: IdPlan },
): Promise<EgressNetwork> {
  if (means?.tools === undefined) {
    const why = means?.state.had === false ? means.state.why : 'it was not requested';
    throw new StagerError('SANDBOX_FAILED', `commands can't have a private network: ${why}`, {
      next: 'Choose --network host or --network none.',
    });
  }
  const { around } = ids;
  return await EgressNetwork.open({
    tools: means.tools,
    policy: means.policies[purpose],
    directory: join(home, `network-${randomBytes(4).toString('hex')}`),
    ...(around !== undefined && { mapIds: (child) => mapIds(child, around) }),
  });
}
