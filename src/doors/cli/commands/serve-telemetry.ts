/** Log and traces of `serve` and `worker` for their operator; only the requested parts are loaded. */
import { ownVersion } from '../../../machine/host/own-package.ts';
import { bugText, type ReportBug } from '../../../words/report-bug.ts';
import { NO_TELEMETRY, type Telemetry } from '../../../words/telemetry.ts';
import type { Context } from '../input/context.ts';

export interface Told {
  readonly telemetry: Telemetry;
  readonly report: ReportBug;
  close(): Promise<void>;
}

/** @param name of the program in traces. */
export async function openTelemetry({ config, output }: Context, name: string): Promise<Told> {
  const { log: level } = config.settings;
  const log =
    level === undefined
      ? undefined
      : (await import('../../../machine/telemetry/json-log.ts')).openJsonLog(level);
  const tracer = config.tracing
    ? (await import('../../../machine/telemetry/otlp-tracer.ts')).openOtlpTracer({
        name,
        version: ownVersion(),
      })
    : NO_TELEMETRY.tracer;
  return {
    telemetry: { log: log ?? NO_TELEMETRY.log, tracer },
    report: (during, error) => {
      const text = bugText(during, error);
      if (log === undefined) output.note(text);
      else log.error('bug', { during, text });
    },
    // A collector that is away is not our failure.
    close: async () => await tracer.close().catch(() => undefined),
  };
}
