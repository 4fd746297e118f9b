import { readFile, stat } from 'node:fs/promises';
import { type Agent, AgentError, type DelegationBundle, type Signer } from '@countersign/agent';
import { decodeJwt } from 'jose';
import { CliError, exitCodes } from '../cli-error.js';
import type { Io } from '../io.js';

/** The credentials of an agent, from the command line: a token, a bundle, or none. */
export interface HeldOptions {
  /** The token itself, or `@FILE`. */
  readonly token?: string;
  /** A file, or `-` for standard input. */
  readonly bundle?: string;
}

/** The credentials, loaded. */
export interface Held {
  readonly token?: string;
  readonly bundle?: unknown;
}

export async function readHeld({ token, bundle }: HeldOptions, io: Io): Promise<Held> {
  if (token !== undefined && bundle !== undefined) {
    throw new CliError('give --token or --bundle, not both: a bundle holds its token', exitCodes.usage);
  }
  if (token !== undefined) return { token: await readToken(token) };
  if (bundle === undefined) return {};
  const text = bundle === '-' ? Buffer.from(await io.stdin()).toString('utf8') : await readFile(bundle, 'utf8');
  try {
    return { bundle: JSON.parse(text) as unknown };
  } catch {
    throw new CliError('--bundle: this is not JSON, as `countersign delegate` prints it', exitCodes.usage);
  }
}

async function readToken(token: string): Promise<string> {
  if (token.startsWith('@')) return (await readFile(token.slice(1), 'utf8')).trim();
  const isFile = await stat(token).then(
    (found) => found.isFile(),
    () => false,
  );
  if (isFile) throw new CliError(`--token: ${token} is a file. Write --token @${token}`, exitCodes.usage);
  return token;
}

/** The agent with its credentials. */
export function signerWith(agent: Agent, { token, bundle }: Held): Signer {
  if (bundle !== undefined) return accept(agent, bundle as DelegationBundle);
  if (token === undefined) return agent;
  try {
    return agent.withToken(token);
  } catch {
    throw new CliError('--token: this is not an access token. To read it from a file, write @FILE.', exitCodes.usage);
  }
}

function accept(agent: Agent, bundle: DelegationBundle): Signer {
  try {
    return agent.accept(bundle);
  } catch (error) {
    if (error instanceof AgentError) throw new CliError(`--bundle: ${error.message}`, exitCodes.usage);
    throw error;
  }
}

/** The delegate of the last link of a bundle: the holder of the key claims to be it, and the API verifies that. */
export function delegateOf({ bundle }: Held): string | undefined {
  try {
    return decodeJwt(String((bundle as DelegationBundle).links.at(-1))).sub;
  } catch {
    return undefined;
  }
}
