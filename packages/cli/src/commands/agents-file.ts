import { chmod, lstat, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { codeOf, isJsonObject } from '@countersign/common';
import { CliError } from '../cli-error.js';

/**
 * Adds an entry to the agents of an API, after `first` is done. A file that is missing begins with this agent.
 *
 * @throws CliError (as a rejection) if the file is no list of agents, already holds the agent, or is being changed. If so
 * before `first`, that is not called.
 */
export async function addToAgentsFile(
  path: string,
  entry: { readonly agent_id: string },
  first: () => Promise<void>,
): Promise<void> {
  // Replaces the file in the end, so an API never reads half of it; until then it keeps others out.
  const lock = `${path}.lock`;
  await create(lock);
  try {
    await readAgents(path, entry.agent_id);
    await first();
    // Again: an editor knows nothing of the lock.
    const { agents, mode } = await readAgents(path, entry.agent_id);
    await writeFile(lock, `${JSON.stringify([...agents, entry], null, 2)}\n`);
    await chmod(lock, mode & 0o777);
    await rename(lock, path);
  } catch (error) {
    await rm(lock, { force: true });
    throw error;
  }
}

async function create(lock: string): Promise<void> {
  try {
    await writeFile(lock, '', { flag: 'wx' });
  } catch (error) {
    if (codeOf(error) !== 'EEXIST') throw error;
    throw new CliError(`${lock} exists: another keygen changes the agents. Try again; if none runs, remove it.`);
  }
}

async function readAgents(
  path: string,
  id: string,
): Promise<{ readonly agents: readonly unknown[]; readonly mode: number }> {
  const found = await lstat(path).catch((error: unknown) => {
    if (codeOf(error) === 'ENOENT') return undefined;
    throw error;
  });
  if (found === undefined) return { agents: [], mode: 0o644 };
  if (!found.isFile()) throw new CliError(`${path} is no regular file. Name the file itself.`);
  const agents = readList(path, await readFile(path, 'utf8'));
  if (agents.some((agent) => isJsonObject(agent) && (agent['agent_id'] ?? agent['id']) === id)) {
    throw new CliError(`${path} already holds an agent '${id}'. To give it another key, list its 'keys' there.`);
  }
  return { agents, mode: found.mode };
}

function readList(path: string, text: string): readonly unknown[] {
  let agents: unknown;
  try {
    agents = JSON.parse(text);
  } catch {
    throw new CliError(`${path} is not JSON.`);
  }
  if (Array.isArray(agents)) return agents;
  if (isJsonObject(agents) && Array.isArray(agents['agents']))
    throw new CliError(
      `${path} has its list as the member 'agents': keygen writes the list alone. Take it out of { "agents": … }.`,
    );
  throw new CliError(`${path} is no list of agents: put [ ] around the one agent.`);
}
