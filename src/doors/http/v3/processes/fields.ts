/** An update of a process → its columns: a health check of another type begins with nothing. */
import type { z } from 'zod';
import type { Process, ProcessFields } from '../../../../service/resources/processes.ts';
import type { HealthCheckColumn } from '../../../../service/state/schema-apps.ts';
import type { HealthCheckInput, UpdateProcess } from './schema.ts';

export function fieldsOf(input: z.output<typeof UpdateProcess>, process: Process): ProcessFields {
  const { command, user, metadata, health_check: health, readiness_health_check: readiness } = input;
  return {
    ...(command !== undefined && { command }),
    ...(user !== undefined && { process_user: user }),
    ...(metadata !== undefined && { metadata }),
    ...(health !== undefined && { health_check: merged(process.health_check, health) }),
    ...(readiness !== undefined && {
      readiness_health_check: merged(process.readiness_health_check, readiness),
    }),
  };
}

function merged(before: HealthCheckColumn, given: z.output<typeof HealthCheckInput>): HealthCheckColumn {
  const kept = before.type === given.type ? before.data : emptyData(given.type);
  const said = Object.entries(given.data ?? {}).flatMap(([key, value]) =>
    value === undefined ? [] : [[key, value] as const],
  );
  return { type: given.type, data: { ...kept, ...Object.fromEntries(said) } };
}

function emptyData(type: 'port' | 'process' | 'http'): HealthCheckColumn['data'] {
  switch (type) {
    case 'port':
      return { timeout: null, invocation_timeout: null };
    case 'http':
      return { timeout: null, invocation_timeout: null, endpoint: '/' };
    case 'process':
      return { timeout: null };
  }
}
