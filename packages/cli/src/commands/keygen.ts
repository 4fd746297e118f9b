import { randomBytes } from 'node:crypto';
import { rename, rm, writeFile } from 'node:fs/promises';
import { type AgentPrivateKey, generateAgentKey } from '@countersign/agent';
import { CliError, exitCodes } from '../cli-error.js';
import type { Io } from '../io.js';
import { printable } from '../text.js';
import { readScopes } from './scopes.js';

export interface KeygenOptions {
  readonly out: string;
  readonly id?: string;
  readonly capabilities: string;
  readonly format: string;
  readonly force: boolean;
}

/** Makes a key, writes its private part for its owner's eyes only, and prints the entry for agents.json. */
export async function keygen({ out, id, capabilities, format, force }: KeygenOptions, io: Io): Promise<void> {
  const key = generateAgentKey();
  const registration = register(key, id, readScopes('--capabilities', capabilities));
  await writePrivateFile(out, encode(key, format), force);
  io.out(`${JSON.stringify(registration, null, 2)}\n`);
  io.err(`Private key: ${printable(out)} (mode 0600; keep it secret). Key id: ${key.thumbprint}\n`);
  io.err('Add the entry above to the list in agents.json of the API. Of the first agent, this is the whole file:\n');
  io.err(`${JSON.stringify([registration])}\n`);
  if (registration.capabilities.length === 0) {
    io.err(
      'It has no capabilities (--capabilities): its scope is empty, and only policies that ask for no scope let it in.\n',
    );
  }
}

function register(
  key: AgentPrivateKey,
  id: string | undefined,
  scopes: readonly string[],
): ReturnType<AgentPrivateKey['registration']> {
  try {
    return key.registration(id ?? `agent-${key.thumbprint.slice(0, 8)}`, scopes);
  } catch (error) {
    if (error instanceof TypeError) throw new CliError(error.message, exitCodes.usage);
    throw error;
  }
}

function encode(key: AgentPrivateKey, format: string): string {
  switch (format) {
    case 'pem':
      return key.exportPem();
    case 'jwk':
      return `${JSON.stringify(key.exportJwk(), null, 2)}\n`;
    case 'nacl':
      return `${Buffer.from(key.exportSecretKey()).toString('base64')}\n`;
    default:
      throw new CliError(`unknown format '${format}': use pem, jwk or nacl`, exitCodes.usage);
  }
}

/** The file is created with its mode, so it is at no moment readable by others. */
async function writePrivateFile(path: string, text: string, overwrite: boolean): Promise<void> {
  try {
    if (overwrite) return await replaceFile(path, text);
    await writeFile(path, text, { mode: 0o600, flag: 'wx' });
  } catch (error) {
    if (error instanceof Error && 'code' in error && error.code === 'EEXIST') {
      throw new CliError(`${path} exists. Choose another file, or --force to lose the key in it.`);
    }
    throw error;
  }
}

async function replaceFile(path: string, text: string): Promise<void> {
  const fresh = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(fresh, text, { mode: 0o600, flag: 'wx' });
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
