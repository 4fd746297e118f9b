import { type AgentPrivateKey, generateAgentKey } from '@countersign/agent';
import { isIdentifier } from '@countersign/delegation';
import { CliError, exitCodes } from '../cli-error.js';
import type { Io } from '../io.js';
import { printable } from '../text.js';
import { addToAgentsFile } from './agents-file.js';
import { ignoreLine } from './ignore-line.js';
import { writePrivateFile } from './private-file.js';
import { readScopes } from './scopes.js';

export interface KeygenOptions {
  readonly out: string;
  readonly agents?: string;
  readonly id?: string;
  readonly capabilities: string;
  readonly roles: string;
  readonly format: string;
  readonly force: boolean;
}

/** Generates a key, writes its private part to a file only the owner can read, and prints the entry for agents.json. */
export async function keygen(options: KeygenOptions, io: Io): Promise<void> {
  const { out, agents, id, capabilities, roles, format, force } = options;
  const key = generateAgentKey();
  const names = readRoles(roles);
  const registration = {
    ...register(key, id, readScopes('--capabilities', capabilities)),
    ...(names.length > 0 && { roles: names }),
  };
  const write = async (): Promise<void> => {
    await writePrivateFile(out, encode(key, format), { overwrite: force, holds: 'the key in it' });
    io.out(`${JSON.stringify(registration, null, 2)}\n`);
  };
  // A file that cannot take the entry leaves no key behind.
  await (agents === undefined ? write() : addToAgentsFile(agents, registration, write));
  io.err(`Private key: ${printable(out)} (mode 0600; keep it secret). Key id: ${key.thumbprint}\n`);
  const ignored = ignoreLine(out);
  if (ignored !== undefined) {
    io.err(`Keep it out of git: add the line '${printable(ignored.line)}' to ${printable(ignored.file)}.\n`);
  }
  if (agents === undefined) {
    io.err('Add the entry above to the list in agents.json of the API, or let --agents do so. A first file is:\n');
    io.err(`${JSON.stringify([registration])}\n`);
  } else {
    io.err(`The entry above is in ${printable(agents)} already.\n`);
  }
  if (registration.capabilities.length === 0) {
    io.err(
      'It has no capabilities (--capabilities): its scope is empty, and only policies that ask for no scope let it in.\n',
    );
  }
}

/** @throws CliError if a role is not a valid name. */
function readRoles(text: string): readonly string[] {
  const roles = text.split(/[\s,]+/).filter((role) => role !== '');
  const wrong = roles.findIndex((role) => !isIdentifier(role));
  if (wrong >= 0) throw new CliError(`--roles: '${roles[wrong]}' is no name of a role`, exitCodes.usage);
  return roles;
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
