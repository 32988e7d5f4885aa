/** What the operator's settings allow networks to reach. */
import type { ProxySettings } from '../../config/proxy.ts';
import { mirrorPlaces, parsePlace, proxyPlaces } from './allowed.ts';
import type { EgressPolicy } from './egress.ts';
import { DEFAULT_RULES, readRules } from './rules.ts';

/** What an operator lets out. */
export interface EgressWish {
  readonly policies: { readonly staging: EgressPolicy; readonly running: EgressPolicy };
  /** Rules were given: nothing may run without them. */
  readonly strict: boolean;
}

/** @throws StagerError CONFIG_INVALID for rules and places that can't be read. */
export async function egressWish(
  settings: {
    readonly egressRules?: string;
    readonly runEgressRules?: string;
    readonly allowHosts?: readonly string[];
  },
  { proxy, mirrors }: { readonly proxy: ProxySettings; readonly mirrors: readonly string[] },
): Promise<EgressWish> {
  const { egressRules, runEgressRules = egressRules, allowHosts = [] } = settings;
  const read = async (path: string | undefined) =>
    path === undefined ? DEFAULT_RULES : await readRules(path);
  const allowed = [...allowHosts.map(parsePlace), ...proxyPlaces(proxy), ...(await mirrorPlaces(mirrors))];
  const [staging, running] = await Promise.all([read(egressRules), read(runEgressRules)]);
  return {
    policies: { staging: { rules: staging, allowed }, running: { rules: running, allowed } },
    strict: egressRules !== undefined || runEgressRules !== undefined,
  };
}
