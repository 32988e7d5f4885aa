/** Progress of an app's source, as an event of its phase. */
import type { UntimedEvent } from '../../words/events.ts';
import type { CreateProgress } from './create.ts';

export function sourceProgress(progress: CreateProgress): UntimedEvent {
  const event = { type: 'progress', phase: { name: 'source' } } as const;
  return progress.step === 'send'
    ? { ...event, done: progress.bytes, total: progress.totalBytes, unit: 'bytes' }
    : { ...event, done: progress.files, unit: 'files' };
}
