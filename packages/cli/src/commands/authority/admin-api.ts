import { readFile } from 'node:fs/promises';
import { isJsonObject, type JsonObject, member, secureUrl } from '@countersign/common';
import { CliError, exitCodes, messageOf } from '../../cli-error.js';
import type { Io } from '../../io.js';

export interface AdminOptions {
  /** The issuer of the authority. */
  readonly authority: string;
  readonly tokenFile?: string;
}

const timeoutMilliseconds = 30_000;

/**
 * Sends one request to the admin API; resolves to what it answers.
 *
 * @throws CliError if it refuses, or cannot be reached.
 */
export async function askAdmin(
  { authority, tokenFile }: AdminOptions,
  io: Io,
  method: string,
  path: string,
  body?: object,
): Promise<JsonObject> {
  const base = secureUrl(authority, 'loopback');
  if (!base.ok) {
    throw new CliError('--authority must be an https URL; plain http only on loopback', exitCodes.usage);
  }
  const token = await readToken(tokenFile);
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body !== undefined && { 'content-type': 'application/json' }),
  };
  const signal = AbortSignal.timeout(timeoutMilliseconds);
  const url = `${authority.replace(/\/$/, '')}/admin${path}`;
  // A redirect would carry the token to another server.
  const init = {
    method,
    headers,
    signal,
    redirect: 'manual',
    ...(body !== undefined && { body: JSON.stringify(body) }),
  } as const;
  let response: Response;
  let answer: unknown;
  try {
    response = await io.fetch(url, init);
    answer = await response.json().catch(() => undefined);
  } catch (error) {
    throw new CliError(`the authority cannot be reached: ${messageOf(error)}`);
  }
  if (response.ok && isJsonObject(answer)) return answer;
  throw new CliError(reasonOf(response.status, answer));
}

async function readToken(file: string | undefined): Promise<string> {
  const text = file === undefined ? process.env['COUNTERSIGN_ADMIN_TOKEN'] : await readFile(file, 'utf8');
  const token = text?.trim() ?? '';
  if (/^[\x21-\x7e]+$/.test(token)) return token;
  const where =
    file === undefined ? 'Set COUNTERSIGN_ADMIN_TOKEN, or name a file by --token-file' : `${file} holds none`;
  throw new CliError(`no token of the administrator. ${where}`, exitCodes.usage);
}

function reasonOf(status: number, answer: unknown): string {
  const [code, description] = isJsonObject(answer)
    ? [member(answer, 'error'), member(answer, 'error_description')]
    : [undefined, undefined];
  if (status === 401) return 'the authority does not accept the token of the administrator';
  if (typeof description === 'string') return `the authority refuses: ${description}`;
  if (status === 404) return 'there is no admin API. Is --authority the issuer, and has it an adminTokenFile?';
  return `the authority answers ${status}${typeof code === 'string' ? ` (${code})` : ''}`;
}
