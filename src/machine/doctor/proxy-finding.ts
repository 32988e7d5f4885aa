/** Whether the proxies of the environment take connections. */
import type { ProxySettings } from '../../config/proxy.ts';
import { StagerError } from '../../words/errors.ts';
import { dialProxy, endpointText, type ProxyTls } from '../proxy/dial.ts';
import { checkProxies } from '../proxy/proxy-settings.ts';
import { parseProxy } from '../proxy/rules.ts';
import { type Facts, type Finding, noted } from './finding.ts';

/** Milliseconds. */
const PATIENCE_MS = 5000;

/** @throws StagerError CONFIG_INVALID for an address that can't be used, SERVER_UNAVAILABLE for one that does not answer. */
export async function proxyFinding(
  settings: ProxySettings,
  { signal, tls }: { readonly signal: AbortSignal; readonly tls: ProxyTls },
): Promise<Finding<Facts>> {
  checkProxies(settings);
  const facts: string[] = [];
  for (const [variable, address] of [
    ['HTTP_PROXY', settings.http],
    ['HTTPS_PROXY', settings.https],
  ] as const) {
    const proxy = address === undefined ? undefined : parseProxy(address);
    if (proxy === undefined) continue;
    const waits = AbortSignal.any([signal, AbortSignal.timeout(PATIENCE_MS)]);
    try {
      (await dialProxy(proxy, { tls: () => tls, signal: waits })).destroy();
    } catch (cause) {
      signal.throwIfAborted();
      const why = cause instanceof Error ? cause.message : String(cause);
      throw new StagerError('SERVER_UNAVAILABLE', `${variable} leads nowhere: ${why}`, {
        next: `Start the proxy, correct ${variable}, or list hosts that are reached without it in NO_PROXY.`,
        cause,
      });
    }
    facts.push(`${variable}: ${endpointText(proxy)} takes connections`);
  }
  if (facts.length === 0) return noted(['none: HTTP_PROXY and HTTPS_PROXY are not set']);
  return noted([...facts, `not for: ${settings.no ?? 'nothing (NO_PROXY is not set)'}`]);
}
