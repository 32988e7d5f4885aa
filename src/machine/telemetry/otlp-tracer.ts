/** Traces by OpenTelemetry's own packages, sent as OTLP over HTTP to where OTEL_EXPORTER_OTLP_ENDPOINT says. */
import {
  type Attributes,
  type Context,
  isSpanContextValid,
  ROOT_CONTEXT,
  SpanKind,
  SpanStatusCode,
  TraceFlags,
  trace,
} from '@opentelemetry/api';
import { OTLPTraceExporter } from '@opentelemetry/exporter-trace-otlp-http';
import {
  defaultResource,
  detectResources,
  envDetector,
  resourceFromAttributes,
} from '@opentelemetry/resources';
import { BatchSpanProcessor, TracerProvider } from '@opentelemetry/sdk-trace';
import type { LogFacts, Tracer } from '../../words/telemetry.ts';

const KINDS = { server: SpanKind.SERVER, consumer: SpanKind.CONSUMER, internal: SpanKind.INTERNAL } as const;

/** OTEL_SERVICE_NAME and OTEL_RESOURCE_ATTRIBUTES win over `service`. */
export function openOtlpTracer(service: { readonly name: string; readonly version: string }): Tracer {
  const own = resourceFromAttributes({ 'service.name': service.name, 'service.version': service.version });
  const provider = new TracerProvider({
    resource: defaultResource()
      .merge(own)
      .merge(detectResources({ detectors: [envDetector] })),
    spanProcessors: [new BatchSpanProcessor({ exporter: new OTLPTraceExporter() })],
  });
  const tracer = provider.getTracer('stager', service.version);
  return {
    start: (name, { kind = 'internal', parent, startedAt, facts } = {}) => {
      const options = {
        kind: KINDS[kind],
        ...(startedAt !== undefined && { startTime: startedAt }),
        ...(facts !== undefined && { attributes: attributesOf(facts) }),
      };
      const span = tracer.startSpan(name, options, contextOf(parent));
      const { traceId, spanId, traceFlags } = span.spanContext();
      return {
        traceparent: `00-${traceId}-${spanId}-${traceFlags.toString(16).padStart(2, '0')}`,
        set: (more) => void span.setAttributes(attributesOf(more)),
        end: (failed) => {
          if (failed !== undefined) span.setStatus({ code: SpanStatusCode.ERROR, message: failed });
          span.end();
        },
      };
    },
    close: async () => await provider.shutdown(),
  };
}

function contextOf(parent: string | undefined): Context {
  const [, traceId = '', spanId = '', flags = '00'] =
    /^00-([0-9a-f]{32})-([0-9a-f]{16})-([0-9a-f]{2})$/.exec(parent ?? '') ?? [];
  const sampled = (Number.parseInt(flags, 16) & 1) === 1;
  const context = {
    traceId,
    spanId,
    isRemote: true,
    traceFlags: sampled ? TraceFlags.SAMPLED : TraceFlags.NONE,
  };
  return isSpanContextValid(context) ? trace.setSpanContext(ROOT_CONTEXT, context) : ROOT_CONTEXT;
}

/** In one family of names. */
function attributesOf(facts: LogFacts): Attributes {
  return Object.fromEntries(
    Object.entries(facts).flatMap(([name, value]) => (value === null ? [] : [[`stager.${name}`, value]])),
  );
}
