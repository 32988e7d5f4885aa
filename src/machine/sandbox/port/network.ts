/** Which network commands have, and what can be done with a private one. */
import { StagerError } from '../../../words/errors.ts';

/**
 * `egress`: a network of its own with a filtered way out. `host`: the machine's. `none`: a loopback interface of its
 * own and nothing else.
 */
export type NetworkKind = 'egress' | 'host' | 'none';

/** `auto`: `egress` where it is available, else `host`. */
export type WantedNetwork = 'auto' | NetworkKind;

/** Whose rules hold in a network: those for stagings, or those for what runs. */
export type EgressPurpose = 'staging' | 'running';

/** Whether a sandbox can give a network of its own with a way out. */
export type EgressState =
  | {
      readonly had: true;
      readonly description: string;
      /** What the operator lets out by name: `host:port`. */
      readonly allowed: readonly string[];
    }
  | {
      readonly had: false;
      /** One phrase. */
      readonly why: string;
      /** What the person can do. */
      readonly next: string;
      /** Rules were given: nothing may run without them. */
      readonly strict: boolean;
    };

/** The network of one staging or run. */
export interface OwnNetwork {
  /**
   * Listens at a TCP port of the machine and hands connections on to the same port inside, as long as the network lasts.
   *
   * @throws StagerError PORT_IN_USE
   */
  publish(port: number, where: 'loopback' | 'everywhere'): Promise<void>;
  /** Addresses at which something inside listens at a TCP port; `0.0.0.0` is among them for an IPv6 socket that takes IPv4. */
  listeners(port: number): Promise<readonly string[]>;
  /** Destinations that the filter has refused: `10.1.2.3:443/tcp`. */
  refused(): Promise<readonly string[]>;
  /** Ends it; call it when its last command has ended, and go on: it takes the kernel a while. */
  end(): Promise<void>;
}

/**
 * The network that commands get.
 *
 * @returns the kind, and a sentence where it is less than what is usual
 * @throws StagerError SANDBOX_UNAVAILABLE when `egress` is asked for by name, or by its rules, and is not available
 */
export function networkFor(
  wanted: WantedNetwork,
  { egress }: { readonly egress?: EgressState | undefined },
): { readonly kind: NetworkKind; readonly warning?: string } {
  if (wanted === 'host' || wanted === 'none') return { kind: wanted };
  if (egress?.had === true) return { kind: 'egress' };
  const { why, next, strict } = egress ?? NO_NAMESPACE;
  if (wanted === 'egress' || strict) {
    throw new StagerError('SANDBOX_UNAVAILABLE', `scripts can't have a private network here: ${why}`, {
      next: `${next} Or choose --network host, which shares the machine's network, or --network none.`,
    });
  }
  // A sandbox without namespaces has said already what it shares.
  if (egress === undefined) return { kind: 'host' };
  return {
    kind: 'host',
    warning: `the machine's network is shared, its loopback included (--network host): ${why}. ${next}`,
  };
}

const NO_NAMESPACE = {
  why: 'this kind of sandbox has no namespaces',
  next: 'Use one that has (--sandbox oci).',
  strict: false,
} as const;
