import { readFile } from 'node:fs/promises';
import { join } from 'node:path';
import { generateAgentKey } from '@countersign/agent';
import { isReading, type Route, scopeOf } from '../policy/routes.js';
import { type PlannedFile, stateOf, type Written } from './written.js';

/**
 * The first agent, with the scopes and roles of the chosen routes and nothing else. An agent of an earlier run keeps its
 * key. Undefined if somebody else has made these files.
 */
export async function agentFiles(
  folder: string,
  id: string,
  routes: readonly Route[],
  written: Written,
): Promise<readonly PlannedFile[] | undefined> {
  const [list, key] = [await stateOf(folder, 'agents.json', written), await stateOf(folder, 'agent.pem', written)];
  const capabilities = [...new Set(routes.map(scopeOf))];
  const rights = { capabilities, roles: [...new Set(routes.map(roleOf))] };
  // Its key may have moved to where it belongs.
  if (list === 'own') {
    const [entry] = JSON.parse(await readFile(join(folder, 'agents.json'), 'utf8')) as readonly object[];
    return [{ path: 'agents.json', text: agentsText({ ...entry, ...rights }) }];
  }
  if (list !== 'absent' || key !== 'absent') return undefined;
  const fresh = generateAgentKey();
  return [
    { path: 'agent.pem', text: fresh.exportPem(), isSecret: true },
    { path: 'agents.json', text: agentsText({ ...fresh.registration(id, capabilities), ...rights }) },
  ];
}

/** The role that the policies ask for: see `scaffold`. */
function roleOf(route: Route): string {
  return isReading(route) ? 'reader' : 'writer';
}

function agentsText(entry: object): string {
  return `${JSON.stringify([entry], null, 2)}\n`;
}
