import { once } from 'node:events';
import { createServer, type Server } from 'node:http';
import { type AuthorityOptions, ConfigError, createAuthority } from '@countersign/authority';
import { CliError, exitCodes } from '../../cli-error.js';
import type { Io } from '../../io.js';
import { printable } from '../../text.js';
import { listenOn, readAddress } from '../listen-on.js';
import { type AuthorityConfig, readConfig } from './config.js';

export interface AuthorityCommandOptions {
  readonly config: string;
  readonly listen?: string;
}

/** Requests that have begun when the process is told to stop have this long. */
const graceMilliseconds = 5000;

/** Runs an authority until this process is told to stop. */
export async function serveAuthority({ config: path, listen }: AuthorityCommandOptions, io: Io): Promise<void> {
  const stopped = stopSignal();
  await withUsageErrors(path, async () => {
    const config = await readConfig(path, io);
    readAddress(listen ?? config.listen);
    const store = await config.openStore();
    const authority = await createAuthority({ ...config.options, store, onTrouble: reportTo(io) }).catch(
      async (error: unknown) => {
        await store.close();
        throw error;
      },
    );
    const server = createServer(authority.listener);
    try {
      const url = await listenOn(server, listen ?? config.listen);
      io.out(`${JSON.stringify({ url, issuer: config.options.issuer })}\n`);
      io.err(startText(config.options, url));
      await stopped;
      await closeServer(server);
    } finally {
      await authority.close();
    }
  });
}

function startText({ issuer, users }: AuthorityConfig['options'], url: string): string {
  const listens = `The authority ${printable(issuer)} listens on ${url}\n`;
  if (users?.signIn === undefined) return listens;
  return `${listens}Users sign in at ${printable(users.signIn.issuer)}, where ${printable(issuer)}/sign-in/callback must be registered as redirect URI\n`;
}

/** From now on, SIGINT and SIGTERM end the command instead of the process, so that nothing is left half done. */
export async function stopSignal(): Promise<void> {
  await Promise.race(['SIGINT', 'SIGTERM'].map((signal) => once(process, signal)));
}

/** Answers the requests that have begun, and takes no others. */
export async function closeServer(server: Server): Promise<void> {
  const timer = setTimeout(() => server.closeAllConnections(), graceMilliseconds);
  server.close();
  await once(server, 'close');
  clearTimeout(timer);
}

export function reportTo(io: Io): NonNullable<AuthorityOptions['onTrouble']> {
  return (message) => io.err(`countersign: ${printable(message)}\n`);
}

/** The library names its functions in errors; people who wrote a file know only the file. */
async function withUsageErrors(path: string, run: () => Promise<void>): Promise<void> {
  try {
    await run();
  } catch (error) {
    if (!(error instanceof ConfigError)) throw error;
    throw new CliError(
      error.message.replace(/^createAuthority\b/, () => path),
      exitCodes.usage,
    );
  }
}
