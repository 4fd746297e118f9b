import { readFile, stat } from 'node:fs/promises';
import { type AgentPrivateKey, loadAgentKey } from '@countersign/agent';
import { CliError, exitCodes, messageOf } from '../cli-error.js';
import type { Io } from '../io.js';
import { printable } from '../text.js';

/** Reads the private key of an agent, and warns if others can read it. */
export async function readKeyFile(path: string, io: Io): Promise<AgentPrivateKey> {
  const text = await readFile(path, 'utf8');
  const { mode } = await stat(path);
  if (process.platform !== 'win32' && (mode & 0o077) !== 0) {
    io.err(`countersign: warning: others can read ${printable(path)}; chmod 600 it\n`);
  }
  try {
    return loadAgentKey(text);
  } catch (error) {
    throw new CliError(`${path}: ${messageOf(error)}`, exitCodes.usage);
  }
}
