/** How bodies are read. Clients of Cloud Controller send `application/json` even without a body. */
import type { FastifyInstance } from 'fastify';
import { CfError } from './route/cf-errors.ts';
import { LIMITS } from './route/limits.ts';

const YAML = ['application/x-yaml', 'application/yaml', 'text/yaml', 'text/x-yaml'];

export function addBodyParsers(server: FastifyInstance): void {
  server.removeContentTypeParser(['application/json', 'text/plain']);
  server.addContentTypeParser(
    'application/json',
    { parseAs: 'string' },
    async (_request: unknown, body: unknown) => parseJsonBody(String(body)),
  );
  server.addContentTypeParser(
    YAML,
    { parseAs: 'string', bodyLimit: LIMITS.yamlBytes },
    async (_request: unknown, body: unknown) => String(body),
  );
  // curl -d without a type, and clients that leave it out.
  server.addContentTypeParser('*', { parseAs: 'string' }, async (_request: unknown, body: unknown) =>
    parseJsonBody(String(body)),
  );
}

/** @throws CfError MessageParseError. */
function parseJsonBody(text: string): unknown {
  if (text.trim() === '') return undefined;
  try {
    return JSON.parse(text);
  } catch {
    throw new CfError('MessageParseError', 'Request invalid due to parse error: invalid request body');
  }
}
