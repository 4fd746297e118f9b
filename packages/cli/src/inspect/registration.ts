import { parseScope } from '@countersign/delegation';
import { show } from '../text.js';
import { type JsonObject, keyFacts } from './key.js';
import type { Report, Row, Section } from './report.js';

export function looksLikeRegistration(json: JsonObject): boolean {
  const names = ['agent_id', 'public_key', 'publicKey', 'capabilities'];
  return names.some((name) => name in json) || ('id' in json && ('jwk' in json || 'keys' in json));
}

/** Explains entries of agents.json. */
export function explainRegistrations(entries: readonly unknown[]): Report {
  const explained = entries.map(explainEntry);
  const repeatedIds = repeats(explained.map(({ name }) => name)).map((name) => `The id ${name} is there twice.`);
  const repeatedKeys = repeats(explained.flatMap(({ thumbprints }) => thumbprints)).map(
    (thumbprint) => `The key ${thumbprint} is there twice: a key belongs to one agent.`,
  );
  return {
    title: entries.length === 1 ? 'Registration of an agent' : `Registrations of ${entries.length} agents`,
    sections: explained.map(({ section }) => section),
    warnings: [
      ...explained.flatMap(({ name, warnings }) => warnings.map((text) => `${name}: ${text}`)),
      ...repeatedIds,
      ...repeatedKeys,
    ],
  };
}

function repeats(values: readonly string[]): string[] {
  return [...new Set(values.filter((value, at) => values.indexOf(value) !== at))];
}

interface ExplainedEntry {
  readonly name: string;
  readonly thumbprints: readonly string[];
  readonly section: Section;
  readonly warnings: readonly string[];
}

function explainEntry(entry: unknown): ExplainedEntry {
  if (typeof entry !== 'object' || entry === null) {
    return {
      name: show(entry),
      thumbprints: [],
      section: { heading: show(entry), rows: [] },
      warnings: ['This is not an entry.'],
    };
  }
  const json = entry as JsonObject;
  const id = json['agent_id'] ?? json['id'];
  const keys = keysOf(json).map(keyFacts);
  const warnings = (keys.length === 0 ? [keyFacts(undefined)] : keys).flatMap((key) => key.warnings);
  if (typeof id !== 'string' || id === '') warnings.push('It has no id.');
  const { capabilities = [] } = json;
  warnings.push(...capabilityWarnings(capabilities));
  const rest = Object.entries(json).filter(([name]) => !shownOtherwise.has(name));
  const rows: Row[] = [
    ...keys.flatMap((key) => key.rows),
    ['capabilities', show(capabilities), '(what it may ever do)'],
    ...rest.map(([name, value]): Row => [show(name), show(value)]),
  ];
  const thumbprints = keys.flatMap((key) => key.thumbprint ?? []);
  return { name: show(id ?? 'an agent'), thumbprints, section: { heading: show(id ?? 'an agent'), rows }, warnings };
}

const shownOtherwise: ReadonlySet<string> = new Set([
  'agent_id',
  'id',
  'public_key',
  'publicKey',
  'jwk',
  'keys',
  'capabilities',
]);

function keysOf(json: JsonObject): unknown[] {
  const several = Array.isArray(json['keys']) ? (json['keys'] as unknown[]) : [];
  const single = [json['public_key'], json['publicKey'], json['jwk']];
  const nested = several.map((key) => {
    const { publicKey, public_key: underscored, jwk } = (key ?? {}) as JsonObject;
    return publicKey ?? underscored ?? jwk ?? key;
  });
  return [...single, ...nested].filter((key) => key !== undefined);
}

function capabilityWarnings(capabilities: unknown): string[] {
  if (!Array.isArray(capabilities)) return ['capabilities is not a list of scopes.'];
  if (capabilities.length === 0) return ['It has no capabilities: it may do nothing.'];
  const wrong = capabilities.filter(
    (scope) => typeof scope !== 'string' || scope.includes(' ') || !parseScope(scope).ok,
  );
  return wrong.map((scope) => `${show(scope)} is not a scope (like pr:write:draft).`);
}
