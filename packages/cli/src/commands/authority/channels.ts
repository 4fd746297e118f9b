import { isJsonObject, type JsonObject, member } from '@countersign/common';

/** What of a channel is a secret, and the member that names a file with it. */
const secrets = { url: 'urlFile', smtp: 'smtpFile' } as const;

/**
 * The option `approvals`, with the secrets of its channels from files. `createAuthority` checks the rest.
 *
 * @throws by `wrong` if a secret stands in the file itself.
 */
export async function readApprovals(
  approvals: unknown,
  secretOf: (of: JsonObject, name: string) => Promise<string | undefined>,
  wrong: (problem: string) => Error,
): Promise<unknown> {
  const channels = isJsonObject(approvals) ? member(approvals, 'channels') : undefined;
  if (!isJsonObject(approvals) || !Array.isArray(channels)) return approvals;
  const read = await Promise.all(
    channels.map(async (channel: unknown) => {
      if (!isJsonObject(channel)) throw wrong("'approvals': each of 'channels' must be an object");
      const found: Record<string, unknown> = { ...channel };
      for (const [name, fileName] of Object.entries(secrets)) {
        if (name in channel && member(channel, 'type') !== 'webhook') {
          throw wrong(
            `'approvals': no '${name}' in this file, since whoever has it can write to the channel. Write it into a file of its own, and name that by '${fileName}'`,
          );
        }
        const secret = await secretOf(channel, fileName);
        delete found[fileName];
        if (secret !== undefined) found[name] = secret;
      }
      return found;
    }),
  );
  return { ...approvals, channels: read };
}
