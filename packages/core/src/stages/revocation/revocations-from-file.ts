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
import { readRevocation, type RevocableKind } from './revocable.js';
import { RevocationSet } from './revocation-set.js';
import type { RevocationSource } from './revocable.js';

const lists = {
  agents: 'agent',
  keys: 'key',
  subjects: 'subject',
  delegations: 'delegation',
  issuers: 'issuer',
} as const satisfies Record<string, RevocableKind>;

/**
 * Revocations read from a JSON file: an object with any of the lists `agents`, `keys`, `subjects`, `delegations` and
 * `issuers`. An entry is the id, or an object as `guard.revocations.revoke` takes it. Changes take effect without a
 * restart; what is no longer in the file is no longer revoked. New content that is wrong changes nothing and is
 * reported to `onReload`. Neither watching nor waiting keeps the process alive.
 *
 * @throws ConfigError (as a rejection) when the file cannot be read or is wrong at start.
 *
 * @example
 * // {"agents": ["agent-1"], "subjects": [{"subject": "user_123", "issuer": "https://id.acme.dev"}]}
 * const revocations = await revocationsFromFile('revocations.json');
 */
export async function revocationsFromFile(path: string, options: LiveFileOptions = {}): Promise<RevocationSource> {
  const parts = { owner: 'revocationsFromFile', holds: 'revocations', read: readSet };
  const file = await openLiveFile(path, parts, options);
  return { findRevoked: (named, now) => file.current().find(named, now), close: () => file.close() };
}

/** @throws ConfigError */
function readSet(bytes: Buffer, file: string): RevocationSet {
  const json = parseStrictJson(bytes);
  if (!json.ok) throw new ConfigError(`${brokenLine(file, bytes)}: ${json.problem}.`);
  const { value } = json;
  if (!isJsonObject(value)) throw new ConfigError(`${file}: expected an object, like {"agents": ["agent-1"]}.`);
  checkOptionNames(file, value, Object.keys(lists));
  const set = new RevocationSet();
  for (const [name, kind] of Object.entries(lists)) {
    const entries = Object.hasOwn(value, name) ? member(value, name) : [];
    if (!Array.isArray(entries)) throw new ConfigError(`${file}: '${name}' must be a list.`);
    for (const entry of entries) {
      const revocation = isJsonObject(entry) ? entry : { [kind]: entry };
      // At 0 none is over yet: what is over by now counts for nothing anyway.
      set.add(readRevocation(`${file}, '${name}'`, revocation, kind), 0);
    }
  }
  return set;
}
