/** `metadata` of requests: labels and annotations with Cloud Controller's rules. Null takes a key away. */
import { z } from 'zod';

const NAME = /^[A-Za-z0-9](?:[A-Za-z0-9_.-]*[A-Za-z0-9])?$/;
const PREFIX = /^(?=.{1,253}$)[a-z0-9](?:[a-z0-9-]*[a-z0-9])?(?:\.[a-z0-9](?:[a-z0-9-]*[a-z0-9])?)+$/i;
const RESERVED_PREFIX = 'cloudfoundry.org';
const MAX_KEY = 63;
const MAX_VALUE = 63;
const MAX_ANNOTATION_KEY = 1000;
const MAX_ANNOTATION_VALUE = 5000;
/** Keys of each kind in one request. */
const MAX_KEYS = 50;

function keyFault(key: string, maxName: number): string | undefined {
  const [name = '', prefix, ...more] = key.split('/').reverse();
  if (more.length > 0) return `key has more than one '/'`;
  if (prefix !== undefined && !PREFIX.test(prefix)) return `prefix '${prefix}' must be in valid dns format`;
  if (prefix?.toLowerCase() === RESERVED_PREFIX) return 'prefix: Cloudfoundry.org is a reserved domain';
  if (name === '') return 'key cannot be empty string';
  if (name.length > maxName) return `'${name.slice(0, 8)}...' is greater than ${maxName} characters`;
  return NAME.test(name) ? undefined : `'${name}' contains invalid characters`;
}

function labelFault([key, value]: readonly [string, string | null]): string | undefined {
  const fault = keyFault(key, MAX_KEY);
  if (fault !== undefined) return `Metadata label key error: ${fault}`;
  if (value === null || value === '') return undefined;
  if (value.length > MAX_VALUE)
    return `Metadata label value error: '${value.slice(0, 8)}...' is greater than 63 characters`;
  return NAME.test(value) ? undefined : `Metadata label value error: '${value}' contains invalid characters`;
}

function annotationFault([key, value]: readonly [string, string | null]): string | undefined {
  const fault = keyFault(key, MAX_ANNOTATION_KEY);
  if (fault !== undefined) return `Metadata annotation key error: ${fault}`;
  if ((value?.length ?? 0) <= MAX_ANNOTATION_VALUE) return undefined;
  return `Metadata annotation value error: '${value?.slice(0, 8)}...' is greater than ${MAX_ANNOTATION_VALUE} characters`;
}

function pairs(fault: (entry: readonly [string, string | null]) => string | undefined) {
  return z.record(z.string(), z.string().nullable()).superRefine((record, context) => {
    const entries = Object.entries(record);
    if (entries.length > MAX_KEYS) context.addIssue(`Metadata has more than ${MAX_KEYS} keys`);
    for (const entry of entries.slice(0, MAX_KEYS)) {
      const message = fault(entry);
      if (message !== undefined) context.addIssue(message);
    }
  });
}

/** The field `metadata` of a request that creates or updates. */
export const MetadataInput = z
  .strictObject({ labels: pairs(labelFault).optional(), annotations: pairs(annotationFault).optional() })
  .optional();
