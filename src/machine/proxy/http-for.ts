import type { Got } from 'got';
import type { Reach } from './agents.ts';

/** The HTTP client, loaded when something is fetched: most stagings have all that they need, and it takes 30 ms. */
export async function httpFor(reach: Reach): Promise<Got> {
  const { httpClient } = await import('./http-client.ts');
  return httpClient(reach);
}
