import { randomBytes } from 'node:crypto';
import { chmod, lstat, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { codeOf, isJsonObject } from '@countersign/common';
import { CliError } from '../cli-error.js';

/**
 * Reads the agents of an API, and returns what adds one to them. A file that is missing begins with this agent.
 *
 * @throws CliError (as a rejection) if the file is no list of agents, or already holds the agent.
 */
export async function openAgentsFile(path: string, id: string): Promise<(entry: object) => Promise<void>> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found?.isFile() === false) throw new CliError(`${path} is no regular file. Name the file itself.`);
  const agents = found === undefined ? [] : readList(path, await readFile(path, 'utf8'));
  if (agents.some((agent) => isJsonObject(agent) && (agent['agent_id'] ?? agent['id']) === id)) {
    throw new CliError(`${path} already holds an agent '${id}'. To give it another key, list its 'keys' there.`);
  }
  return (entry) => replace(path, `${JSON.stringify([...agents, entry], null, 2)}\n`, found?.mode);
}

function readList(path: string, text: string): readonly unknown[] {
  let agents: unknown;
  try {
    agents = JSON.parse(text);
  } catch {
    throw new CliError(`${path} is not JSON.`);
  }
  if (Array.isArray(agents)) return agents;
  throw new CliError(`${path} is no list of agents: put [ ] around the one agent.`);
}

/** At once, for an API that may read it now. */
async function replace(path: string, text: string, mode = 0o644): Promise<void> {
  const fresh = `${path}.${randomBytes(6).toString('hex')}`;
  try {
    await writeFile(fresh, text, { flag: 'wx' });
    await chmod(fresh, mode & 0o777);
    await rename(fresh, path);
  } catch (error) {
    await rm(fresh, { force: true });
    throw error;
  }
}
