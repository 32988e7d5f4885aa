/** Credentials that can't be sent: found before the store is asked, which would blame something else. */
import type { S3Client } from '@aws-sdk/client-s3';
import { StagerError } from '../../../words/errors.ts';

/**
 * Refuses credentials that break the headers they are sent in. What can't be fetched is left to the request, whose
 * failure says why.
 *
 * @throws StagerError CONFIG_INVALID; no value is shown.
 */
export async function demandUsable(client: S3Client): Promise<void> {
  const found = await client.config.credentials().catch(() => undefined);
  if (found === undefined) return;
  const { accessKeyId, secretAccessKey, sessionToken = '' } = found;
  if (/[/,=\s]/.test(accessKeyId)) throw unusable('the access key', 'a slash, a comma, = or a space');
  if (hasControl(accessKeyId)) throw unusable('the access key', 'a character that is not printable');
  if (/^\s|\s$/.test(secretAccessKey) || hasControl(secretAccessKey))
    throw unusable('the secret access key', 'a space around it or a line break');
  if (/\s/.test(sessionToken) || hasControl(sessionToken))
    throw unusable('the session token', 'a space or a line break');
}

const hasControl = (text: string): boolean => /\p{Cc}/u.test(text);

function unusable(which: string, what: string): StagerError {
  return new StagerError(
    'CONFIG_INVALID',
    `${which} of the blob store can't be right: it has ${what} in it`,
    {
      next: 'Correct AWS_ACCESS_KEY_ID, AWS_SECRET_ACCESS_KEY and AWS_SESSION_TOKEN, or the profile that holds them.',
    },
  );
}
