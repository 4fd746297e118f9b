import {
  brokenLine,
  checkOptionNames,
  ConfigError,
  isJsonObject,
  type LiveFileOptions,
  member,
  openLiveFile,
  parseStrictJson,
} from '@countersign/common';
import type { AgentSet } from './agent-set.js';
import { readAgents } from './agents-from-objects.js';
import type { AgentDirectory } from './directory.js';

/**
 * A directory read from a JSON file: a list of agents, or an object with the list as its only member `agents`.
 * Changes take effect without a restart; an agent no longer in the file is no longer known. New content that is wrong
 * changes nothing and is reported to `onReload`. Neither watching nor waiting keeps the process alive.
 *
 * @throws ConfigError (as a rejection) when the file cannot be read or is wrong at start.
 *
 * @example
 * const agents = await agentsFromFile('agents.json');
 */
export async function agentsFromFile(path: string, options: LiveFileOptions = {}): Promise<AgentDirectory> {
  const parts = { owner: 'agentsFromFile', holds: 'agents', remedy, read: readSet };
  const file = await openLiveFile(path, parts, options);
  return {
    findByThumbprint: (thumbprint) => file.current().find(thumbprint),
    statusOf: (id) => file.current().statusOf(id),
    close: () => file.close(),
  };
}

const remedy = `Relative paths begin at the working directory of the process. 'countersign keygen --agents FILE' makes one`;

/** @throws ConfigError */
function readSet(bytes: Buffer, file: string): AgentSet {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new ConfigError(`${brokenLine(file, bytes)}: ${json.problem}.`);
  // One registration as it is printed, without the list around it, is told as that.
  if (!isJsonObject(json.value) || 'agent_id' in json.value || 'id' in json.value) return readAgents(json.value);
  checkOptionNames(file, json.value, ['agents']);
  return readAgents(member(json.value, 'agents'));
}
