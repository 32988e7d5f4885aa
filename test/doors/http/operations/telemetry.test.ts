import { once } from 'node:events';
import { globSync, readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { afterEach, expect, it, vi } from 'vitest';
import { z } from 'zod';
import { openJsonLog } from '../../../../src/machine/telemetry/json-log.ts';
import { openOtlpTracer } from '../../../../src/machine/telemetry/otlp-tracer.ts';
import { openDatabase } from '../../../../src/service/state/database.ts';
import { fill, PASSWORD, run } from '../../../service/backup/support.ts';
import { embeddedTemplate } from '../support/template.ts';

const root = fileURLToPath(new URL('../../../..', import.meta.url));

const Spans = z.object({
  resourceSpans: z.array(
    z.object({
      resource: z.object({ attributes: z.array(z.unknown()) }),
      scopeSpans: z.array(
        z.object({
          spans: z.array(
            z.object({
              name: z.string(),
              traceId: z.string(),
              spanId: z.string(),
              parentSpanId: z.string().optional(),
              attributes: z.array(z.object({ key: z.string(), value: z.record(z.string(), z.unknown()) })),
            }),
          ),
        }),
      ),
    }),
  ),
});
type Sent = z.output<typeof Spans>['resourceSpans'][number]['scopeSpans'][number]['spans'][number];

/** Takes OTLP as JSON over HTTP. */
async function collector() {
  const spans: Sent[] = [];
  const server = createServer(async (request, response) => {
    let text = '';
    for await (const chunk of request) text += String(chunk);
    const { resourceSpans } = Spans.parse(JSON.parse(text));
    spans.push(...resourceSpans.flatMap((one) => one.scopeSpans.flatMap((scope) => scope.spans)));
    response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `http://127.0.0.1:${address.port}`, spans, stop: () => server.close() };
}

afterEach(() => {
  vi.unstubAllEnvs();
});

it('a build can be followed from its request across the queue to its phases, in traces and in the log, without secrets', async () => {
  const receiver = await collector();
  vi.stubEnv('OTEL_EXPORTER_OTLP_ENDPOINT', receiver.url);
  const tracer = openOtlpTracer({ name: 'stager test', version: '1' });
  const lines: string[] = [];
  const log = openJsonLog('info', { write: (line) => void lines.push(line) });
  const dir = await mkdtemp(join(tmpdir(), 'stager-telemetry-'));
  const database = await openDatabase({ memory: true, template: await embeddedTemplate() });
  const running = await run(database, dir, { telemetry: { log, tracer }, phases: true });
  const { build } = await fill(running);
  await running.stop();
  await database.close();
  await tracer.close();
  receiver.stop();
  await rm(dir, { recursive: true, force: true });

  const { spans } = receiver;
  const of = (name: string): Sent => {
    const found = spans.find(
      (span) =>
        span.name === name &&
        (span.name === 'POST /v3/builds' ||
          span.attributes.some(({ key, value }) => key === 'stager.build' && value['stringValue'] === build)),
    );
    if (found === undefined) throw new Error(`no span ${name}`);
    return found;
  };
  const work = of('build');
  const request = spans.find(({ spanId }) => spanId === work.parentSpanId);
  expect(request).toMatchObject({ name: 'POST /v3/builds', traceId: work.traceId });
  expect(of('build wait')).toMatchObject({ parentSpanId: work.parentSpanId, traceId: work.traceId });
  expect(of('phase finalize')).toMatchObject({ parentSpanId: work.spanId, traceId: work.traceId });

  const entries = lines.map((line) => z.record(z.string(), z.unknown()).parse(JSON.parse(line)));
  const begun = entries.find(({ msg, build: guid }) => msg === 'build begins' && guid === build);
  expect(entries).toContainEqual(
    expect.objectContaining({ msg: 'build ends', build, request: begun?.['request'], outcome: 'staged' }),
  );
  expect(entries).toContainEqual(
    expect.objectContaining({
      msg: 'request',
      request: begun?.['request'],
      route: '/v3/builds',
      status: 201,
    }),
  );
  const everything = lines.join('') + JSON.stringify(spans);
  for (const secret of [PASSWORD, 'eyJ', 'Basic ', 'bearer ']) expect(everything).not.toContain(secret);
});

it('OpenTelemetry and the log are imported by nobody before they are asked for', () => {
  const eager = globSync('src/**/*.ts', { cwd: root }).filter((file) =>
    /^import [^;]*(?:@opentelemetry|machine\/telemetry|from 'pino')/m.test(
      readFileSync(`${root}/${file}`, 'utf8'),
    ),
  );
  expect(eager.toSorted()).toEqual([
    'src/machine/telemetry/json-log.ts',
    'src/machine/telemetry/otlp-tracer.ts',
  ]);
});
